"""Toy decoders for searches: a table of next words, and random ones to enumerate."""

import itertools

import numpy as np
import tensorflow as tf

PAD, START, END, UNKNOWN = 0, 1, 2, 3
A, CAT, DOG = 4, 5, 6

# "a cat" opens better, "a dog" ends better: greedy takes the first, two beams find the second.
LATTICE = {
    (START,): {A: 1.0},
    (START, A): {CAT: 0.6, DOG: 0.4},
    (START, A, CAT): {CAT: 0.5, DOG: 0.3, END: 0.2},
    (START, A, CAT, CAT): {END: 1.0},
    (START, A, CAT, DOG): {END: 1.0},
    (START, A, DOG): {END: 0.9, CAT: 0.1},
}


def table_decoder(table, num_tokens=7, max_length=8):
    """Start and step over a table from prefix to next-word probabilities.

    The state holds the prefix itself, so a search that mixes up its beams' states reads
    another row of the table and fails.
    """
    prefixes = list(table)
    rows = np.full((len(prefixes) + 1, num_tokens), -30.0, np.float32)
    rows[-1, END] = 0.0
    for row, prefix in enumerate(prefixes):
        for token, probability in table[prefix].items():
            rows[row, token] = np.log(probability)
    keys = np.zeros((len(prefixes), max_length), np.int32)
    for row, prefix in enumerate(prefixes):
        keys[row, : len(prefix)] = prefix

    def start(images_NF):
        num_images = tf.shape(images_NF)[0]
        empty = (tf.zeros([num_images, max_length], tf.int32), tf.zeros([num_images], tf.int32))
        return {"image": images_NF}, empty

    def step(tokens_B, state, context):
        prefix_BT, length_B = state
        is_here_BT = tf.range(max_length)[None] == length_B[:, None]
        prefix_BT = tf.where(is_here_BT, tokens_B[:, None], prefix_BT)
        matches_BR = tf.reduce_all(prefix_BT[:, None] == keys[None], axis=-1)
        found_B = tf.argmax(tf.cast(matches_BR, tf.int32), axis=1)
        row_B = tf.where(tf.reduce_any(matches_BR, axis=1), found_B, len(prefixes))
        return tf.gather(rows, row_B), (prefix_BT, length_B + 1)

    return start, step


def markov_decoder(num_tokens, seed, sharpness=2.0):
    """Start and step of a random decoder whose next word depends on the last two and the image."""
    random = np.random.default_rng(seed)
    logits = sharpness * random.normal(size=(3, num_tokens, num_tokens, num_tokens))
    table = tf.nn.log_softmax(tf.constant(logits, tf.float32)).numpy()

    def start(images_N1):
        image_N = tf.cast(images_N1[:, 0], tf.int32)
        return image_N, tf.zeros_like(image_N)

    def step(tokens_B, before_B, image_N):
        image_B = tf.repeat(image_N, tf.size(tokens_B) // tf.size(image_N))
        return tf.gather_nd(table, tf.stack([image_B, before_B, tokens_B], axis=1)), tokens_B

    return start, step, table


def enumerate_captions(table, image, words, max_length):
    """Yields (words, log P, finished) of every caption there is, by brute force."""
    for length in range(1, max_length + 1):
        for caption in itertools.product(words, repeat=length):
            log_prob, before, last = 0.0, 0, START
            for token in caption:
                log_prob += table[image, before, last, token]
                before, last = last, token
            yield caption, log_prob + table[image, before, last, END]
