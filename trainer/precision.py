"""Number type in which this machine multiplies matrices fastest, at sufficient precision."""

from pathlib import Path
from typing import Final

CPU_INFO_FILE: Final = Path("/proc/cpuinfo")


def resolve(precision: str) -> str:
    """Return the number type for the setting `precision`; `auto` selects `fastest_type()`."""
    return fastest_type() if precision == "auto" else precision


def fastest_type(cpu_info: Path = CPU_INFO_FILE) -> str:
    """Return `bfloat16` if the processor multiplies it faster than float32, else `float32`.

    The AVX-512 instructions for bfloat16 were faster than float32 on an AMD EPYC, but slower on an
    Intel Xeon without AMX (docs/model.md). Processors without any such instructions emulate
    bfloat16.

    Args:
        cpu_info: Path of the file in which Linux describes the processor; `/proc/cpuinfo` by
            default. Without such a file the result is `float32`.
    """
    lines = cpu_info.read_text(errors="replace").splitlines() if cpu_info.exists() else []
    # Later items of a dict replace earlier ones, so reversed lines describe the first processor.
    pairs = (line.partition(":") for line in reversed(lines))
    fields = {name.strip().lower(): value.strip() for name, _, value in pairs}
    fast_flags = {"amx_bf16", "bf16"}
    if fields.get("vendor_id") != "GenuineIntel":
        fast_flags.add("avx512_bf16")
    # x86 lists its instructions in `flags`, ARM in `Features`.
    flags = f"{fields.get('flags', '')} {fields.get('features', '')}".split()
    return "float32" if fast_flags.isdisjoint(flags) else "bfloat16"
