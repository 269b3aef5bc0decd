"""What this machine's processor can do."""

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
