"""Which number type this machine multiplies matrices in fastest, and still well enough."""

from pathlib import Path
from typing import Final

CPU_INFO: Final = Path("/proc/cpuinfo")

_BFLOAT16_FLAGS: Final = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""What Linux calls the instructions: of AMD and Intel, of Intel's tiles, of Arm."""


def native(cpu_info: Path = CPU_INFO) -> str:
    """`bfloat16` where the processor multiplies it itself, which is about twice as fast.

    Elsewhere it would have to be imitated, at half the speed of `float32`.

    Args:
        cpu_info: what Linux tells of the processor; a machine without such a file has `float32`.

    Returns:
        `bfloat16` or `float32`.
    """
    try:
        lines = cpu_info.read_text(errors="replace").splitlines()
    except OSError:
        return "float32"
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip().lower() in ("flags", "features"):
            return "float32" if _BFLOAT16_FLAGS.isdisjoint(value.split()) else "bfloat16"
    return "float32"
