"""Number type of the encoder's matrix products."""

from pathlib import Path

import pytest

from trainer import precision


@pytest.mark.parametrize(
    ("cpu_info", "expected"),
    [
        ("processor : 0\nflags\t\t: fpu avx512f avx512_bf16 sse2\n", "bfloat16"),
        ("vendor_id\t: AuthenticAMD\nflags\t\t: fpu avx512_bf16\n", "bfloat16"),
        ("vendor_id\t: GenuineIntel\nflags\t\t: fpu avx512_bf16\n", "float32"),
        ("vendor_id\t: GenuineIntel\nflags\t\t: fpu avx512_bf16 amx_bf16\n", "bfloat16"),
        ("flags\t\t: fpu amx_tile amx_bf16\n", "bfloat16"),
        ("Features\t: fp asimd bf16\n", "bfloat16"),
        ("flags\t\t: fpu avx2 avx512f avx512_vnni\nbugs : avx512_bf16\n", "float32"),
        ("", "float32"),
    ],
)
def test_fastest_type_by_processor(tmp_path: Path, cpu_info: str, expected: str) -> None:
    (tmp_path / "cpuinfo").write_text(cpu_info)
    assert precision.fastest_type(tmp_path / "cpuinfo") == expected


def test_float32_without_a_description_of_the_processor(tmp_path: Path) -> None:
    assert precision.fastest_type(tmp_path / "none") == "float32"
