"""Which number type this machine multiplies matrices in fastest, and still well enough."""

from pathlib import Path
from typing import Final

CPU_INFO: Final = Path("/proc/cpuinfo")

_FLAGS: Final = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""What Linux calls the instructions: of AVX-512, of Intel's tiles, of Arm."""

_SLOW: Final = ("GenuineIntel", "avx512_bf16")
"""Vendor whose processors gain nothing by the flag after it."""


def resolved(precision: str) -> str:
    """The number type of a `precision` setting; for `auto` it is `native`."""
    return native() if precision == "auto" else precision


def native(cpu_info: Path = CPU_INFO) -> str:
    """`bfloat16` where the processor multiplies it faster than `float32`.

    With the instructions of AVX-512 an AMD EPYC was faster in it, and an Intel Xeon without tiles
    slower (docs/architecture.md). Elsewhere it would have to be imitated.

    Args:
        cpu_info: what Linux tells of the processor; a machine without such a file has `float32`.

    Returns:
        `bfloat16` or `float32`.
    """
    try:
        lines = cpu_info.read_text(errors="replace").splitlines()
    except OSError:
        return "float32"
    said: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        said.setdefault(name.strip().lower(), value.strip())
    flags = _FLAGS & set(f"{said.get('flags', '')} {said.get('features', '')}".split())
    vendor, slow = _SLOW
    if said.get("vendor_id") == vendor:
        flags -= {slow}
    return "bfloat16" if flags else "float32"
