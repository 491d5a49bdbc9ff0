"""What makes a CapsuleGAN work: one change at a time."""
