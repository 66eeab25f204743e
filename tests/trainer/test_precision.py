"""The number type of the encoder's products."""

from pathlib import Path

import pytest

from trainer import precision


@pytest.mark.parametrize(
    ("said", "expected"),
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
def test_what_the_processor_multiplies(tmp_path: Path, said: str, expected: str) -> None:
    (tmp_path / "cpuinfo").write_text(said)
    assert precision.native(tmp_path / "cpuinfo") == expected


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    assert precision.native(tmp_path / "none") == "float32"
