"""From finished runs to result files."""
