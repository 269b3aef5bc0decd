"""What this machine's processors can do."""

import contextlib
import functools
import time
from pathlib import Path
from typing import Literal

ComputePrecision = Literal["float32", "bfloat16"]

_AMX_FLAG = "amx_bf16"  # made for such products: 2 to 4 times as fast as float32
_BFLOAT16_FLAGS = {_AMX_FLAG, "avx512_bf16"}
_CPU_INFO = Path("/proc/cpuinfo")  # where Linux describes the processor
_WORTHWHILE_SPEEDUP = 1.2  # below, bfloat16 is not worth its rounding
_PRODUCT_SIDE, _ROUNDS = 384, 40  # a tenth of a second; short ones are disturbed less


@functools.cache
def prefers_bfloat16() -> bool:
    """Whether matrix products here are so much faster in bfloat16 that its rounding is worth it.

    AMX makes them so. AVX-512 BF16 alone does not decide it, and products are timed.
    """
    if _AMX_FLAG in _read_flags(_CPU_INFO):
        return True
    speedup = measure_bfloat16()
    return speedup is not None and speedup >= _WORTHWHILE_SPEEDUP


def measure_bfloat16() -> float | None:
    """Returns how many times as fast a matrix product is in bfloat16 as it is in float32.

    That there are instructions says little: a virtual machine may hide a processor's AMX and
    show its AVX-512 BF16, whose products take nearly twice the time of those in float32. Both are
    timed in turn, and the best of each counts, so that other work disturbs both alike.

    Returns:
        None where the processor has no such instructions.
    """
    if not has_bfloat16():
        return None
    import tensorflow as tf

    best = {tf.float32: float("inf"), tf.bfloat16: float("inf")}
    with tf.device("CPU"):
        ones = tf.ones([_PRODUCT_SIDE, _PRODUCT_SIDE])
        factors = {dtype: tf.cast(ones, dtype) for dtype in best}
        for _ in range(_ROUNDS):
            for dtype, factor in factors.items():
                started = time.perf_counter()
                tf.matmul(factor, factor)
                best[dtype] = min(best[dtype], time.perf_counter() - started)
    return best[tf.float32] / best[tf.bfloat16]


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16; without, it is emulated, slower than float32."""
    return not _BFLOAT16_FLAGS.isdisjoint(_read_flags(_CPU_INFO))


def _read_flags(cpu_info: Path) -> list[str]:
    """Returns what the processor can do; nothing where there is no such file."""
    try:
        text = cpu_info.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return next((line.split() for line in text.splitlines() if line.startswith("flags")), [])


def grow_gpu_memory() -> None:
    """Lets TensorFlow take GPU memory as it needs it, not all of it at the start.

    To be called before a GPU is first used; afterwards, and without GPUs, it does nothing.
    """
    import tensorflow as tf

    with contextlib.suppress(RuntimeError):  # the GPUs are at work already
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
