"""From finished runs to the networks that come with the package."""
