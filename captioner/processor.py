"""What this machine's processors can do."""

import contextlib
from pathlib import Path

_BFLOAT16_FLAGS = {"amx_bf16", "avx512_bf16"}


def has_bfloat16(cpu_info: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor multiplies bfloat16; without, it is emulated and slower than float32.

    Args:
        cpu_info: where Linux describes the processor; False where there is no such file.
    """
    try:
        text = cpu_info.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    flags = next((line.split() for line in text.splitlines() if line.startswith("flags")), [])
    return not _BFLOAT16_FLAGS.isdisjoint(flags)


def grow_gpu_memory() -> None:
    """Lets TensorFlow take GPU memory as it needs it, not all of it at the start.

    To be called before a GPU is first used; afterwards, and without GPUs, it does nothing.
    """
    import tensorflow as tf

    with contextlib.suppress(RuntimeError):  # the GPUs are at work already
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
