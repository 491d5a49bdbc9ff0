"""The generative adversarial metric: discriminators judge each other's images."""
