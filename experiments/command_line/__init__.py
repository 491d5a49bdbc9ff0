"""Command lines, parsed before Keras or NumPy is imported."""
