"""Saving models so that training goes on from a file as if it had never stopped."""

import os
from typing import Any

import keras
from keras import ops

from capsgan_keras.checks import check_bool
from capsgan_keras.files import usable_path
from capsgan_keras.gan.exporting import PARTS, check_export, export_network
from capsgan_keras.gan.outputs import outputs_of_old_files
from capsgan_keras.layers.sublayers import from_config_with_sublayers, sublayer_states
from capsgan_keras.training import undistributed
from capsgan_keras.training.callbacks import check_finite_weights


class SavedGAN(keras.Model):
    """The configuration of a GAN, and files that hold the states of its random seeds too."""

    networks: tuple[str, ...] = PARTS
    """Names of the attributes that are networks, and arguments of the constructor."""

    @property
    def input_dtype(self) -> str:
        """Float32, also in exported models: a generator casts latents by itself."""
        return "float32"

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
            ValueError: Also where `filepath` can be neither a file nor a folder.
            NonFiniteError: Where a weight is not finite, as after training that has diverged.
        """
        if str(filepath).endswith((".h5", ".hdf5")):
            raise ValueError(
                "`filepath` must end with .keras, since HDF5 cannot hold a GAN. "
                f"Received: filepath={filepath}"
            )
        usable_path(filepath, "filepath")
        check_bool(overwrite=overwrite, **({} if zipped is None else {"zipped": zipped}))
        check_finite_weights("save", self)
        with undistributed():
            super().save(filepath, overwrite=overwrite, zipped=zipped, **kwargs)

    def export(
        self,
        filepath: str | os.PathLike,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Any = None,
        part: str = "generator",
        **kwargs: Any,
    ) -> None:
        """Export one of the networks, as `keras.Model.export` does, to run without this package.

        The exported generator turns latents `(batch, latent_dim)`, float32 from a standard normal
        distribution, into images `(batch, height, width, channels)`, float32 in [-1, 1]. The
        exported discriminator turns such images into what `discriminator` gives.

        Args:
            filepath: The folder of a SavedModel, or the file. One that is there is replaced; a
                folder with anything else in it is refused.
            format: `"tf_saved_model"`, `"onnx"`, or `"litert"` (a `.tflite` file). SavedModels
                compute with the dtype policies of the networks, the others in float32.
            verbose: Whether to print where it is; None does so.
            input_signature: As in Keras; by default batches of any size.
            part: `"generator"`, `"discriminator"` or, where there is one, `"encoder"`.
            **kwargs: Further arguments of `keras.Model.export`.

        Raises:
            ValueError: On another format or part, where something else is at the place, or where
                the network has operations that the format does not have.
            NotImplementedError: On a Keras backend that does not export to this format.
            ImportError: Where the format's converter is not installed.
            NonFiniteError: Where a weight is not finite.
        """
        place = check_export(filepath, format, part, self.networks)
        check_finite_weights("export", getattr(self, part))
        gan = self if format == "tf_saved_model" else in_float32(self)
        options = {"input_signature": input_signature, **kwargs}
        export_network(getattr(gan, part), place, format, verbose, **options)

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

    def get_compile_config(self) -> dict[str, Any] | None:
        """Return the arguments of `compile`, serialized; None before it was called."""
        return self._compile_arguments if self.compiled else None

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile with the arguments that `get_compile_config` returned."""
        players = ("generator_optimizer", "discriminator_optimizer")
        optimizers = {key: keras.saving.deserialize_keras_object(config[key]) for key in players}
        self.compile(**config | optimizers)

    def get_config(self) -> dict[str, Any]:
        """Return all constructor arguments, the networks, and the state of all layers inside."""
        serialize = keras.saving.serialize_keras_object
        return {
            **{name: serialize(getattr(self, name)) for name in self.networks},
            "loss": serialize(self.loss),
            "seed": self.seed,
            "discriminator_outputs": self.discriminator_outputs,
            "gradient_penalty": self.gradient_penalty,
            "penalty_every": self.penalty_every,
            "num_classes": self.num_classes,
            "name": self.name,
            "trainable": self.trainable,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "sublayers": sublayer_states(self),
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> "SavedGAN":
        """Return the model that `get_config` describes."""
        parts = {
            key: keras.saving.deserialize_keras_object(config[key], custom_objects=custom_objects)
            for key in (*cls.networks, "loss")
        }
        parts["discriminator_outputs"] = config.get(
            "discriminator_outputs", outputs_of_old_files(keras.losses.get(parts["loss"]))
        )
        return from_config_with_sublayers(cls, config | parts)


def copy_of(gan: Any, config: dict[str, Any] | None = None) -> Any:
    """Return a GAN with the weights of another, not compiled.

    Args:
        gan: The other `GAN`.
        config: Its config, by default the same as that of `gan`.
    """
    copy = type(gan).from_config(gan.get_config() if config is None else config)
    copy.set_weights(gan.get_weights())
    return copy


def in_float32(gan: Any) -> Any:
    """Return a copy of a GAN, of any dtype policy, that computes in float32, not compiled."""

    def rebuild(step: keras.Operation) -> keras.Operation:
        # Besides layers a model may have operations, which compute in what they are given.
        dtype = {"dtype": "float32"} if isinstance(step, keras.layers.Layer) else {}
        return type(step).from_config(step.get_config() | dtype)

    players = {
        name: keras.saving.serialize_keras_object(
            keras.models.clone_model(getattr(gan, name), clone_function=rebuild)
        )
        for name in gan.networks
    }
    config = gan.get_config() | players | {"dtype": "float32"}
    sublayers = [state | {"dtype": "float32"} for state in config["sublayers"]]
    return copy_of(gan, config | {"sublayers": sublayers})
