"""Which number format the matrix products of a decoder use."""

import tensorflow as tf

from captioner.decoders.settings import TrainPrecision
from captioner.processor import ComputePrecision, prefers_bfloat16


def find_precision(wanted: TrainPrecision) -> ComputePrecision:
    """Returns the format to compute in; "auto" is bfloat16 where that is faster on this machine."""
    if wanted != "auto":
        return wanted
    if tf.config.list_physical_devices("GPU"):
        return "float32"  # older GPUs have no bfloat16, and the LSTM kernels are fast without
    return "bfloat16" if prefers_bfloat16() else "float32"
