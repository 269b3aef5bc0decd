"""One step of training as a graph: predict, compare, differentiate, change the weights.

Dimension key: N images, M captions, T positions, P real positions, V tokens.
"""

from collections.abc import Callable

import tensorflow as tf

from captioner.decoders.batches import CaptionWords
from captioner.decoders.decoder import Decoder
from captioner.decoders.dropout import Dropout
from captioner.decoders.optimizer import Optimizer
from captioner.decoders.spec import DecoderSpec
from captioner.text.vocabulary import PAD


def compile_step(
    decoder: Decoder,
    optimizer: Optimizer,
    label_smoothing: float = 0.0,
    attention_penalty: float = 0.0,
) -> Callable[..., tf.Tensor]:
    """Compiles one step of training, for batches of any shape.

    Args:
        decoder: whose weights the optimiser changes.
        optimizer: made for these weights.
        label_smoothing: see `mean_loss`.
        attention_penalty: weight of `uneven_attention`; above 0 the decoder must attend.

    Returns:
        A function of a batch's features, words and targets, int32 (P,), the weight of each
        target, float32 (P,), the optimiser's coefficients, float32 (4,), and the seed of dropout,
        int32 (2,); it changes the decoder's weights and returns the mean loss of a token before
        that.
    """
    signature = [
        *batch_signature(decoder.spec),
        tf.TensorSpec([None], tf.int32),
        tf.TensorSpec([None], tf.float32),
        tf.TensorSpec([4], tf.float32),
        tf.TensorSpec([2], tf.int32),
    ]
    variables = [variable.value for variable in decoder.weights.values()]

    @tf.function(autograph=False, input_signature=signature)
    def step(
        features_N: tf.Tensor,
        words: CaptionWords,
        targets_P: tf.Tensor,
        weights_P: tf.Tensor,
        coefficients_4: tf.Tensor,
        seed: tf.Tensor,
    ) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits_PV, looks_MTL = decoder.predict(features_N, words, Dropout(seed))
            loss = mean_loss(logits_PV, targets_P, label_smoothing, weights_P)
            if attention_penalty:
                loss += attention_penalty * uneven_attention(looks_MTL, words.tokens_MT)
        # Statistics of the images are weights that no gradient reaches.
        gradients = tape.gradient(
            loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        optimizer.apply(gradients, coefficients_4)
        return loss

    return step


def compile_loss(decoder: Decoder) -> Callable[..., tf.Tensor]:
    """Compiles the mean loss of a token, in nats, without dropout or label smoothing.

    Returns:
        A function of a batch's features, words and targets, int32 (P,).
    """
    signature = [*batch_signature(decoder.spec), tf.TensorSpec([None], tf.int32)]

    @tf.function(autograph=False, input_signature=signature)
    def measure(features_N: tf.Tensor, words: CaptionWords, targets_P: tf.Tensor) -> tf.Tensor:
        return mean_loss(decoder.predict(features_N, words).logits_PV, targets_P)

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


def uneven_attention(looks_MTL: tf.Tensor, tokens_MT: tf.Tensor) -> tf.Tensor:
    """Returns how far places are from getting an attention of 1 over a whole caption.

    Args:
        looks_MTL: float32 (M, T, L), where each word looked.
        tokens_MT: int32 (M, T), the words; zeros are padding.

    Returns:
        The squared distances of a caption's places, for each of its tokens, as `mean_loss` is.
    """
    is_word_MT = tf.cast(tokens_MT != PAD, tf.float32)
    attention_ML = tf.einsum("mtl,mt->ml", looks_MTL, is_word_MT)
    return tf.reduce_sum((1 - attention_ML) ** 2) / tf.reduce_sum(is_word_MT)


def batch_signature(spec: DecoderSpec) -> tuple[tf.TensorSpec, CaptionWords]:
    """Returns what describes the features and words of any number of images and captions."""
    words = CaptionWords(
        *(tf.TensorSpec(shape, tf.int32) for shape in ([None] * 2, [None], [None]))
    )
    return tf.TensorSpec([None, *spec.feature_shape]), words
