"""Nearest neighbours among many images, and the distances between them."""
