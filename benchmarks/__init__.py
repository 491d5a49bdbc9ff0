"""Benchmarks: ratios against the textbook way, both measured in one run."""

import experiments as experiments  # first: it prepares streams and interrupts of every command
