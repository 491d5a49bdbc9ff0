"""Benchmarks: ratios against the textbook way, both measured in one run."""
