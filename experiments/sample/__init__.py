"""Many images of one generator, written by `python -m experiments.sample`."""
