"""Which number type this machine multiplies matrices in fastest, and still well enough."""

from pathlib import Path
from typing import Final

CPU_INFO: Final = Path("/proc/cpuinfo")


def resolved(precision: str) -> str:
    """The number type of a `precision` setting; for `auto` it is `native`."""
    return native() if precision == "auto" else precision


def native(cpu_info: Path = CPU_INFO) -> str:
    """`bfloat16` where the processor multiplies it faster than `float32`.

    With the instructions of AVX-512 an AMD EPYC was faster in it, and an Intel Xeon without tiles
    slower (docs/model.md). Elsewhere it would have to be imitated.

    Args:
        cpu_info: path of the file in which Linux describes the processor. A machine without such a
            file has `float32`.
    """
    lines = cpu_info.read_text(errors="replace").splitlines() if cpu_info.exists() else []
    # The first processor's lines come last, and count.
    pairs = (line.partition(":") for line in reversed(lines))
    said = {name.strip().lower(): value.strip() for name, _, value in pairs}
    fast = {"amx_bf16", "bf16"}
    if said.get("vendor_id") != "GenuineIntel":
        fast.add("avx512_bf16")
    flags = f"{said.get('flags', '')} {said.get('features', '')}".split()
    return "float32" if fast.isdisjoint(flags) else "bfloat16"
