"""The textbook ways that the package is measured against, on TensorFlow alone."""
