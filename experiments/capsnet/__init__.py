"""Capsule classifiers and their control, trained by `python -m experiments.capsnet`."""
