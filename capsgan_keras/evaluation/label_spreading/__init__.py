"""Semi-supervised classification with generated images, by label spreading."""
