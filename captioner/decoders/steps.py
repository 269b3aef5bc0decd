"""One step of training as a graph: predict, compare, differentiate, change the weights.

Dimension key: N images, M captions, T positions, P real positions, V tokens.
"""

from collections.abc import Callable

import tensorflow as tf

from captioner.decoders.decoder import Decoder
from captioner.decoders.dropout import NO_DROPOUT, Dropout
from captioner.decoders.optimizer import Optimizer
from captioner.decoders.spec import DecoderSpec


def compile_step(
    decoder: Decoder, optimizer: Optimizer, label_smoothing: float = 0.0
) -> Callable[..., tf.Tensor]:
    """Compiles one step of training, for batches of any shape.

    Args:
        decoder: whose weights the optimiser changes.
        optimizer: made for these weights.
        label_smoothing: see `mean_loss`.

    Returns:
        A function of the arrays of a batch (features_N, tokens_MT, image_index_M, positions_P,
        targets_P), the weight of each target, float32 (P,), the optimiser's coefficients,
        float32 (4,), and the seed of dropout, int32 (2,); it changes the decoder's weights and
        returns the mean loss of a token before that.
    """
    signature = [
        *_batch_signature(decoder.spec),
        tf.TensorSpec([None], tf.float32),
        tf.TensorSpec([4], tf.float32),
        tf.TensorSpec([2], tf.int32),
    ]
    variables = [variable.value for variable in decoder.weights.values()]

    @tf.function(input_signature=signature)
    def step(
        features_N: tf.Tensor,
        tokens_MT: tf.Tensor,
        image_index_M: tf.Tensor,
        positions_P: tf.Tensor,
        targets_P: tf.Tensor,
        weights_P: tf.Tensor,
        coefficients_4: tf.Tensor,
        seed: tf.Tensor,
    ) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits_PV = decoder.predict_words(
                features_N, tokens_MT, image_index_M, positions_P, Dropout(seed)
            )
            loss = mean_loss(logits_PV, targets_P, label_smoothing, weights_P)
        # Statistics of the images are weights that no gradient reaches.
        gradients = tape.gradient(
            loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        optimizer.apply(gradients, coefficients_4)
        return loss

    return step


def compile_loss(decoder: Decoder) -> Callable[..., tf.Tensor]:
    """Compiles the mean loss of a token, in nats, without dropout or label smoothing."""

    @tf.function(input_signature=_batch_signature(decoder.spec))
    def measure(
        features_N: tf.Tensor,
        tokens_MT: tf.Tensor,
        image_index_M: tf.Tensor,
        positions_P: tf.Tensor,
        targets_P: tf.Tensor,
    ) -> tf.Tensor:
        logits_PV = decoder.predict_words(
            features_N, tokens_MT, image_index_M, positions_P, NO_DROPOUT
        )
        return mean_loss(logits_PV, targets_P)

    return measure


def mean_loss(
    logits_PV: tf.Tensor,
    targets_P: tf.Tensor,
    label_smoothing: float = 0.0,
    weights_P: tf.Tensor | None = None,
) -> tf.Tensor:
    """Returns the mean cross-entropy of a token, in nats.

    Written out because on a processor TensorFlow's own op takes four times as long.

    Args:
        logits_PV: float32 (P, V).
        targets_P: int32 (P,).
        label_smoothing: share of the target's probability spread evenly over all V tokens.
        weights_P: float32 (P,), what each token's cross-entropy is multiplied by before the mean.
    """
    normaliser_P = tf.reduce_logsumexp(logits_PV, axis=-1)
    hit_P = tf.gather(logits_PV, targets_P, batch_dims=1)
    if label_smoothing:
        mean_P = tf.reduce_mean(logits_PV, axis=-1)
        hit_P = (1 - label_smoothing) * hit_P + label_smoothing * mean_P
    loss_P = normaliser_P - hit_P
    return tf.reduce_mean(loss_P if weights_P is None else loss_P * weights_P)


def _batch_signature(spec: DecoderSpec) -> list[tf.TensorSpec]:
    shapes = ([None, *spec.feature_shape], [None, None], [None], [None], [None])
    dtypes = (tf.float32, tf.int32, tf.int32, tf.int32, tf.int32)
    return [tf.TensorSpec(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]
