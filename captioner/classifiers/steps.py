"""One step of training as a graph: move about, predict, compare, differentiate, change weights.

Dimension key: B images of a batch, H and W their sides, C classes.
"""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from captioner.classifiers.augmentation import Augmenter
from captioner.classifiers.network import Classifier
from captioner.classifiers.settings import ClassifierSettings

Step = Callable[[np.ndarray, np.ndarray], tuple[tf.Tensor, tf.Tensor]]


def compile_step(
    classifier: Classifier,
    augmenter: Augmenter,
    optimizer: keras.Optimizer,
    settings: ClassifierSettings,
    class_weights_C: np.ndarray,
) -> Step:
    """Compiles one step of training, for batches of any size.

    Returns:
        A function of images, uint8 (B, H, W, 3), and labels, int32 (B,), that changes the
        weights and returns the summed loss of the batch before that and the number of its
        images that were classified rightly.
    """
    weights = classifier.model.trainable_variables
    optimizer.build(weights)
    weights_of = tf.constant(class_weights_C, tf.float32)

    @tf.function(autograph=False, input_signature=_batch_signature(classifier))
    def step(images_BHWC: tf.Tensor, labels_B: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images_BHWC = augmenter(images_BHWC)
        with tf.GradientTape() as tape:
            probabilities_BC = classifier(images_BHWC, training=True)
            losses_B = cross_entropy(probabilities_BC, labels_B, settings.label_smoothing)
            losses_B *= tf.gather(weights_of, labels_B)
            loss = tf.reduce_mean(losses_B)
        gradients = tape.gradient(loss, [weight.value for weight in weights])
        optimizer.apply(gradients, weights)
        return tf.reduce_sum(losses_B), _count_right(probabilities_BC, labels_B)

    return step


def compile_prediction(classifier: Classifier) -> Callable[[np.ndarray], tf.Tensor]:
    """Compiles the class probabilities, float32 (B, C), of images, uint8 (B, H, W, 3)."""

    @tf.function(autograph=False, input_signature=_batch_signature(classifier)[:1])
    def predict(images_BHWC: tf.Tensor) -> tf.Tensor:
        return classifier(images_BHWC, training=False)

    return predict


def cross_entropy(
    probabilities_BC: tf.Tensor, labels_B: tf.Tensor, label_smoothing: float
) -> tf.Tensor:
    """Returns the cross-entropy of each image, in nats, float32 (B,).

    Within a graph Keras goes back to the logits behind the softmax, so that an image that the
    network is wholly wrong about still teaches it something.

    Args:
        probabilities_BC: float32 (B, C).
        labels_B: int32 (B,).
        label_smoothing: share of the right class's probability spread evenly over all classes.
    """
    targets_BC = tf.one_hot(labels_B, probabilities_BC.shape[-1])
    return keras.losses.categorical_crossentropy(
        targets_BC, probabilities_BC, label_smoothing=label_smoothing
    )


def make_optimizer(settings: ClassifierSettings, num_steps: int) -> keras.Optimizer:
    """Returns AdamW with warm-up, a cosine to zero and clipping; biases do not decay."""
    warmup = min(settings.warmup_steps, num_steps // 10)  # a short run must not spend it on that
    schedule = keras.optimizers.schedules.CosineDecay(
        settings.learning_rate / (warmup + 1),
        max(1, num_steps - warmup),
        warmup_target=settings.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=settings.weight_decay, global_clipnorm=settings.clip_norm
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def reset_random_state(variables: Sequence[keras.Variable], seed: int, epoch: int) -> None:
    """Makes an epoch's random numbers depend on nothing but seed and epoch."""
    for number, variable in enumerate(variables):
        start = np.random.SeedSequence([seed, epoch, number]).generate_state(2)
        variable.assign((start >> 1).astype(variable.dtype))  # room to count up from there


def _batch_signature(classifier: Classifier) -> list[tf.TensorSpec]:
    rule = classifier.spec.rule
    return [
        tf.TensorSpec([None, rule.height, rule.width, 3], tf.uint8),
        tf.TensorSpec([None], tf.int32),
    ]


def _count_right(probabilities_BC: tf.Tensor, labels_B: tf.Tensor) -> tf.Tensor:
    found_B = tf.argmax(probabilities_BC, axis=-1, output_type=tf.int32)
    return tf.reduce_sum(tf.cast(found_B == labels_B, tf.int32))
