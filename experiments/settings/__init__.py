"""The settings of training and of evaluations. Only the standard library is imported."""
