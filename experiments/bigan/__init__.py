"""Encoders trained with a generator, and what their codes are good for."""
