"""Figures as people read them, for templates: `{{ seconds | duration }}`."""

from typing import Any

_SECONDS_OF_MINUTE = 60
_SECONDS_OF_HOUR = 3600
_NONE = "\N{EN DASH}"


def spell_thousands(number: int) -> str:
    """Returns 8091 as "8,091"."""
    return f"{number:,}"


def spell_hundredfold(score: float) -> str:
    """Returns a score of 0.1988 as papers print it, "19.9"."""
    return f"{100 * score:.1f}"


def spell_signed(difference: float) -> str:
    """Returns a difference between scores times 100 with its sign, "+10.8"."""
    return f"{100 * difference:+.1f}"


def spell_duration(seconds: float | None) -> str:
    """Returns "4.2 s", "3 min 05 s" or "2 h 10 min"."""
    if seconds is None:
        return _NONE
    if seconds < _SECONDS_OF_MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _SECONDS_OF_MINUTE)
    if seconds < _SECONDS_OF_HOUR:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def spell_megabytes(num_bytes: int | None) -> str:
    """Returns 1568624640 as "1,569 MB"."""
    return _NONE if num_bytes is None else f"{num_bytes / 1e6:,.0f} MB"


def spell_setting(value: Any) -> str:
    """Returns a setting's value as a pipeline file has it; one that is not set as a dash."""
    if value is None:
        return _NONE
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(map(spell_setting, value))
    return str(value)


FILTERS = {
    "thousands": spell_thousands,
    "hundredfold": spell_hundredfold,
    "signed": spell_signed,
    "duration": spell_duration,
    "megabytes": spell_megabytes,
    "setting": spell_setting,
}
