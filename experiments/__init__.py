"""Experiments: `python -m experiments.digits`, `.mnist`, `.cifar10`."""
