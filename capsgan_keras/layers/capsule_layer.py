"""A fully connected layer of capsules with routing by agreement."""

import keras
from keras import ops

from capsgan_keras.checks import check_capsules, check_choice, check_positive
from capsgan_keras.layers.weight_options import serialize_weight_options
from capsgan_keras.routing.agreement import check_routings, squash
from capsgan_keras.routing.blockwise import route_inputs


@keras.saving.register_keras_serializable(package="capsgan_keras")
class CapsuleLayer(keras.layers.Layer):
    """Fully connected capsules: each input capsule predicts each output capsule, then routing.

    With `num_capsule=1` and dynamic routing the softmax over the output capsules runs over one
    element, so that every coupling is exactly 1 at every iteration. The layer then computes
    `squash(sum_i W_i u_i)` as one matrix product, without the predictions; values and gradients
    are those of the general path, whatever `routings` is.

    Args:
        num_capsule: Positive integer: the number of output capsules.
        dim_capsule: Positive integer: the components of each output vector.
        routings: Integer, at least 1: routing iterations.
        routing: `"dynamic"` (Sabour et al., procedure 1), or `"leaky"`: with an orphan category
            in the softmax, as in the released code of Sabour et al., so that routing acts with
            one output capsule too.
        use_bias: Whether a bias of shape `(num_capsule, dim_capsule)` is added before squashing.
        stop_gradients: Treat the couplings of all iterations before the last as constants.
        kernel_initializer, bias_initializer: Initializers of the weights. The kernel has the
            shape `(num_input_capsules * input_dim, num_capsule * dim_capsule)`, so that an
            initializer that scales sees all the terms of the sum that is squashed.
        kernel_regularizer, bias_regularizer: Regularizers of the weights.
        kernel_constraint, bias_constraint: Constraints of the weights.
        **kwargs: `name`, `dtype` and `trainable`, as in every Keras layer.

    Input shape: `(batch, num_input_capsules, input_dim)`; the last two must be known.

    Output shape: `(batch, num_capsule, dim_capsule)`, lengths in [0, 1), in the compute dtype.
    Squashing and the couplings' softmax are computed in float32.

    Raises:
        ValueError: On arguments out of range, or an unknown number of input capsules.

    Source: Sabour et al. 2017 (arXiv 1710.09829). The argument names are those of CapsNet-Keras.

    Example:

    >>> primary_capsules = np.zeros((2, 1152, 8))
    >>> CapsuleLayer(num_capsule=10, dim_capsule=16)(primary_capsules).shape
    (2, 10, 16)
    """

    def __init__(
        self,
        num_capsule,
        dim_capsule,
        routings=3,
        routing="dynamic",
        use_bias=False,
        stop_gradients=False,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_positive(num_capsule=num_capsule, dim_capsule=dim_capsule)
        check_routings(routings)
        check_choice("routing", routing, ("dynamic", "leaky"))
        self.num_capsule = int(num_capsule)
        self.dim_capsule = int(dim_capsule)
        self.routings = int(routings)
        self.routing = routing
        self.use_bias = use_bias
        self.stop_gradients = stop_gradients
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)

    def build(self, input_shape):
        """Create the kernel and, if `use_bias`, the bias."""
        num_input, input_dim = self._known_capsules(input_shape)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(num_input * input_dim, self.num_capsule * self.dim_capsule),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.num_capsule, self.dim_capsule),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def call(self, inputs):
        """Return the output capsules of `inputs`."""
        if self.num_capsule == 1 and self.routing == "dynamic":
            return self._one_capsule(inputs)
        num_input, input_dim = inputs.shape[1:]
        kernel = ops.reshape(
            self.kernel, (num_input, input_dim, self.num_capsule, self.dim_capsule)
        )
        return route_inputs(
            inputs,
            kernel,
            routings=self.routings,
            leaky=self.routing == "leaky",
            bias=self.bias,
            stop_gradients=self.stop_gradients,
        )

    def _one_capsule(self, inputs):
        num_input, input_dim = inputs.shape[1:]
        flat = ops.reshape(inputs, (-1, num_input * input_dim))
        total = ops.matmul(flat, self.kernel)
        if self.bias is not None:
            total = total + self.bias
        return squash(ops.reshape(total, (-1, 1, self.dim_capsule)))

    def compute_output_shape(self, input_shape):
        """Return `(batch, num_capsule, dim_capsule)`."""
        self._known_capsules(input_shape)
        return input_shape[0], self.num_capsule, self.dim_capsule

    def _known_capsules(self, input_shape):
        check_capsules(self, input_shape)
        if None in tuple(input_shape[1:]):
            raise ValueError(
                "CapsuleLayer needs a known number and dimension of input capsules, because each "
                "has weights of its own: fix the images' height and width. "
                f"Received: input_shape={tuple(input_shape)}"
            )
        return input_shape[1:]

    def get_config(self):
        """Return all constructor arguments."""
        return super().get_config() | {
            "num_capsule": self.num_capsule,
            "dim_capsule": self.dim_capsule,
            "routings": self.routings,
            "routing": self.routing,
            "use_bias": self.use_bias,
            "stop_gradients": self.stop_gradients,
            **serialize_weight_options(self),
        }
