"""Which number format the matrix products of a training run use."""

from pathlib import Path

import tensorflow as tf

from captioner.decoders.registry import Precision
from captioner.decoders.settings import TrainPrecision

_CPU_FLAGS = ("amx_bf16", "avx512_bf16")


def find_precision(wanted: TrainPrecision) -> Precision:
    """Returns the format to compute in; "auto" is bfloat16 where the hardware multiplies it."""
    if wanted != "auto":
        return wanted
    if tf.config.list_physical_devices("GPU"):
        return "float32"  # older GPUs have no bfloat16, and the LSTM kernels are fast without
    return "bfloat16" if _cpu_has_bfloat16() else "float32"


def _cpu_has_bfloat16(cpu_info: Path = Path("/proc/cpuinfo")) -> bool:
    """Without its instructions bfloat16 is emulated, and slower than float32."""
    try:
        text = cpu_info.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    flags = next((line.split() for line in text.splitlines() if line.startswith("flags")), [])
    return any(flag in flags for flag in _CPU_FLAGS)
