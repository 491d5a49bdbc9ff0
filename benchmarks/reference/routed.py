"""The plain way to compute a layer of routed capsules: all votes by one einsum, then the routing.

Windows are cut out by Keras's own function. The layer and the plain way share their weights.
"""

import keras
import tensorflow as tf

from capsgan_keras.layers import ConvCapsuleLayer


def plain(layer, inputs):
    """Return what a built layer returns, from votes that are held.

    Args:
        layer: `CapsuleLayer` or `ConvCapsuleLayer` with linear votes.
        inputs: The layer's inputs; those of windows with `padding="valid"`.
    """
    dim, places = inputs.shape[-1], ()
    if isinstance(layer, ConvCapsuleLayer):
        grid = tf.reshape(inputs, (*inputs.shape[:3], -1))
        patches = keras.ops.image.extract_patches(
            grid, layer.kernel_size, layer.strides, data_format="channels_last"
        )
        places, inputs = patches.shape[:3], tf.reshape(patches, (-1, patches.shape[3] // dim, dim))
    shape = (inputs.shape[1], dim, layer.num_capsule, layer.dim_capsule)
    kernel = tf.reshape(tf.convert_to_tensor(layer.kernel), shape)
    routed = layer.router(tf.einsum("bid,idjk->bjik", inputs, kernel))
    return tf.reshape(routed, (*places, *routed.shape[1:])) if places else routed
