import pytest

from captioner import processor
from captioner.processor import has_bfloat16, measure_bfloat16, prefers_bfloat16


@pytest.fixture
def cpu(tmp_path, monkeypatch):
    """Describes a processor by its flags, and by how fast its products in bfloat16 are."""

    def describe(flags, speedup=1.0):
        (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags : fpu {flags}\n")
        monkeypatch.setattr(processor, "_CPU_INFO", tmp_path / "cpuinfo")
        monkeypatch.setattr(processor, "measure_bfloat16", lambda: speedup)
        prefers_bfloat16.cache_clear()

    yield describe
    prefers_bfloat16.cache_clear()


@pytest.mark.parametrize(
    ("flags", "expected"), [("amx_bf16", True), ("avx512_bf16", True), ("avx2", False)]
)
def test_what_the_processor_can_do(cpu, flags, expected):
    cpu(flags)
    assert has_bfloat16() is expected


def test_a_system_that_does_not_describe_its_processor(tmp_path, monkeypatch):
    monkeypatch.setattr(processor, "_CPU_INFO", tmp_path / "missing")
    assert not has_bfloat16()
    assert measure_bfloat16() is None


@pytest.mark.parametrize(
    ("flags", "speedup", "expected"),
    [
        ("avx2", None, False),
        ("avx512_bf16", 0.6, False),
        ("avx512_bf16", 1.1, False),
        ("avx512_bf16", 2.5, True),
        ("avx512_bf16 amx_bf16", 0.6, True),
    ],
)
def test_bfloat16_is_preferred_where_it_is_faster(cpu, flags, speedup, expected):
    cpu(flags, speedup)
    assert prefers_bfloat16() is expected


def test_the_rates_of_both_formats_are_compared(monkeypatch):
    monkeypatch.setattr(processor, "has_bfloat16", lambda: True)
    assert 0.001 < measure_bfloat16() < 100
