"""Training: one adversarial step for every backend, differentiated as each backend does it."""

import keras

if keras.backend.backend() == "tensorflow":
    from capsgan_keras.training.replicas import devices_per_batch, loss_divisor, undistributed
    from capsgan_keras.training.tensorflow import AdversarialTrainer
elif keras.backend.backend() == "jax":
    from capsgan_keras.training.jax import (
        AdversarialTrainer,
        devices_per_batch,
        loss_divisor,
        undistributed,
    )
else:
    from capsgan_keras.training.unsupported import (
        AdversarialTrainer,
        devices_per_batch,
        loss_divisor,
        undistributed,
    )

__all__ = ["AdversarialTrainer", "devices_per_batch", "loss_divisor", "undistributed"]
