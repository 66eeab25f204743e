"""Counts and durations in messages to people."""


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with thousands separators and a noun in the right form.

    Args:
        number: Integer.
        noun: Noun in the singular, also with words behind it if `plural` is given.
        plural: Noun in the plural; by default the singular and an "s".

    >>> count(1, "movie"), count(1207, "movie"), count(0, "category", "categories")
    ('1 movie', '1,207 movies', '0 categories')
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def duration(seconds: float) -> str:
    """Return a duration as `0.4s`, `12s`, `3m05s` or `2h05m`.

    >>> [duration(seconds) for seconds in (0.42, 99.4, 605, 7525)]
    ['0.4s', '99s', '10m05s', '2h05m']
    """
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 100:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}m{rest:02d}s" if minutes < 100 else f"{minutes // 60}h{minutes % 60:02d}m"
