"""Saving models so that training goes on from a file as if it had never stopped."""

import os
from typing import Any

import keras
from keras import ops


class SeedsInFiles(keras.Model):
    """A model whose files hold the states of its random seeds, which Keras leaves out."""

    def save(
        self,
        filepath: str | os.PathLike,
        overwrite: bool = True,
        zipped: bool | None = None,
        **kwargs: Any,
    ) -> None:
        """Save the model as `keras.Model.save` does, in Keras's own format only.

        Args:
            filepath: The `.keras` file, or with `zipped=False` a folder.
            overwrite: Whether to replace what is there without a question.
            zipped: As in Keras.
            **kwargs: As in Keras.

        Raises:
            ValueError: Where `filepath` ends with `.h5` or `.hdf5`, formats that cannot hold a
                class of one's own with its optimizers and seeds.
        """
        if str(filepath).endswith((".h5", ".hdf5")):
            raise ValueError(
                "`filepath` must end with .keras, since HDF5 cannot hold a GAN. "
                f"Received: filepath={filepath}"
            )
        super().save(filepath, overwrite=overwrite, zipped=zipped, **kwargs)

    def save_own_variables(self, store: Any) -> None:
        """Save the states of seeds (noise, dropout) too."""
        super().save_own_variables(store)
        for index, state in enumerate(self.seed_states()):
            store[f"seed_{index}"] = ops.convert_to_numpy(state)

    def load_own_variables(self, store: Any) -> None:
        """Load what `save_own_variables` saved."""
        states = {f"seed_{index}": state for index, state in enumerate(self.seed_states())}
        names = list(store.keys())  # an HDF5 store is no dictionary
        seeds = {name for name in names if name.startswith("seed_")}
        if seeds != set(states):
            raise ValueError(
                f"The file must hold the state of {len(states)} seed generators, as saved by "
                f"the same model. Received: {len(seeds)}"
            )
        super().load_own_variables({name: store[name] for name in names if name not in seeds})
        for key, state in states.items():
            state.assign(store[key])

    def seed_states(self) -> list[keras.Variable]:
        """Return the states of all seed generators in the model, in a fixed order."""
        weights = {id(weight) for weight in self.weights}
        return [variable for variable in self.variables if id(variable) not in weights]
