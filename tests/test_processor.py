import pytest

from captioner import processor
from captioner.processor import has_bfloat16, measure_bfloat16, prefers_bfloat16


@pytest.mark.parametrize(
    ("text", "expected"),
    [("flags : fpu amx_bf16", True), ("flags : fpu avx2", False), ("", False)],
)
def test_what_the_processor_can_do(tmp_path, text, expected):
    (tmp_path / "cpuinfo").write_text(text)
    assert has_bfloat16(tmp_path / "cpuinfo") is expected
    assert has_bfloat16(tmp_path / "missing") is False


@pytest.mark.parametrize(
    ("speedup", "expected"), [(None, False), (0.6, False), (1.1, False), (2.5, True)]
)
def test_bfloat16_is_preferred_where_it_is_measured_to_be_faster(monkeypatch, speedup, expected):
    monkeypatch.setattr(processor, "measure_bfloat16", lambda: speedup)
    prefers_bfloat16.cache_clear()
    assert prefers_bfloat16() is expected
    prefers_bfloat16.cache_clear()


def test_nothing_is_timed_without_instructions(monkeypatch):
    monkeypatch.setattr(processor, "has_bfloat16", lambda: False)
    assert measure_bfloat16() is None


def test_the_rates_of_both_formats_are_compared(monkeypatch):
    monkeypatch.setattr(processor, "has_bfloat16", lambda: True)
    assert 0.001 < measure_bfloat16() < 100
