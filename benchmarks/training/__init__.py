"""The training step of both GANs: against the textbook step, and against its own convolutions."""
