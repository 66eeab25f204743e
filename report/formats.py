"""Numbers, durations and paths as readers of the report see them."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from report.content import ReportContent


def format_score(value: float | None) -> str:
    """Return a number from 0 to 1 with three digits.

    >>> [format_score(value) for value in (0.5, 0.0, 0.0002, 0.9998, 1.0, None)]
    ['0.500', '0.000', '<0.001', '>0.999', '1.000', '–']
    """
    if value is None:
        return "–"
    if 0 < value < 0.0005:
        return "<0.001"
    return ">0.999" if 0.9995 <= value < 1 else f"{value:.3f}"


def format_percent(value: float) -> str:
    """Return a share in percent.

    >>> [format_percent(value) for value in (0.5, 0.003, 0.998, 1.0)]
    ['50%', '<1%', '>99%', '100%']
    """
    if 0 < value < 0.005:
        return "<1%"
    return ">99%" if 0.995 <= value < 1 else f"{value:.0%}"


def format_value(value: Any) -> str:
    """Return a setting or its change as text, with separators of thousands.

    >>> [format_value(value) for value in (12000, 0.05, True, None, "cnn")]
    ['12,000', '0.05', 'True', '–', 'cnn']
    """
    if value is None:
        return "–"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def format_duration(seconds: float) -> str:
    """Return a duration in the units that fit its length.

    >>> [format_duration(seconds) for seconds in (0.02, 0.42, 12.3, 185, 7260)]
    ['<0.1 s', '0.4 s', '12 s', '3 min 5 s', '2 h 1 min']
    """
    if 0 < seconds < 0.05:
        return "<0.1 s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min"


def with_relative_paths(content: ReportContent) -> ReportContent:
    """Return a copy in which paths below the output directory are relative to it."""
    root = content.output_directory.rstrip("/")
    return _replace(content, root) if root.startswith("/") else content


def relative_path(text: str, root: str) -> str:
    """Return a text in which paths below a directory are relative to it.

    >>> relative_path("See /srv/out/logs/run.log.", "/srv/out")
    'See logs/run.log.'
    """
    return text.replace(f"{root}/", "")


def _replace(value: Any, root: str) -> Any:
    """Make the paths in all texts of a value relative; arrays are left as they are."""
    if isinstance(value, str):
        return relative_path(value, root)
    if isinstance(value, Mapping):
        return {name: _replace(item, root) for name, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_replace(item, root) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        changed = {field.name: getattr(value, field.name) for field in fields(value)}
        return type(value)(**{name: _replace(item, root) for name, item in changed.items()})
    return value
