"""The plain way to compute a layer of routed capsules: all votes by one einsum, then the routing.

Windows are cut out by Keras's own function. The layer and the plain way share their weights. The
package's other routings have a form for votes that are held. EM routing is written out here, since
the package holds its votes too.
"""

import math

import keras
import tensorflow as tf

from capsgan_keras.layers import ConvCapsuleLayer
from capsgan_keras.routing import EMRouting
from capsgan_keras.routing.em import VARIANCE_FLOOR


def plain(layer, inputs):
    """Return what a built layer returns, from votes that are held, as `joined` has it.

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
    votes = tf.einsum("bid,idjk->bjik", inputs, kernel)
    if isinstance(layer.router, EMRouting):
        routed = joined(em(votes, tf.norm(inputs, axis=-1), layer.router))
    else:
        routed = layer.router(votes)
    return tf.reshape(routed, (*places, *routed.shape[1:])) if places else routed


def joined(capsules):
    """Return capsules with their activations, if they have some, as one component more."""
    if not isinstance(capsules, list):
        return capsules
    poses, activations = capsules
    return keras.ops.concatenate([poses, activations[..., None]], axis=-1)


def em(votes, activations, router):
    """Return poses and activations by procedure 1 of Hinton et al. 2018, formula by formula."""
    beta_u, beta_a = (
        tf.convert_to_tensor(beta)[:, None] for beta in (router.beta_u, router.beta_a)
    )
    shares = tf.ones_like(votes[..., :1]) / votes.shape[1]
    for iteration in range(router.routings):
        weights = shares * activations[:, None, :, None]
        total = tf.reduce_sum(weights, axis=2, keepdims=True)
        mean = tf.reduce_sum(weights * votes, axis=2, keepdims=True) / total
        squares = (votes - mean) ** 2
        variance = tf.reduce_sum(weights * squares, axis=2, keepdims=True) / total + VARIANCE_FLOOR
        cost = (beta_u + tf.math.log(variance[:, :, 0]) / 2) * total[:, :, 0]
        temperature = router.inverse_temperature * (1 - 0.95 ** (iteration + 1))
        logits = temperature * (beta_a - tf.reduce_sum(cost, axis=-1, keepdims=True))
        densities = -squares / (2 * variance) - tf.math.log(2 * math.pi * variance) / 2
        known = tf.math.log_sigmoid(logits)[:, :, None]
        shares = tf.nn.softmax(known + tf.reduce_sum(densities, axis=-1, keepdims=True), axis=1)
    return [mean[:, :, 0], tf.sigmoid(logits[..., 0])]
