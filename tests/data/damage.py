"""Damages of files, for tests with Hypothesis."""

from hypothesis import strategies as st

PIECES = [
    b"\n",
    b"\n\n\n",
    b"\r",
    b"\t",
    b'"',
    b",",
    b"\0",
    b"\x1f",
    b"\xff",
    b"\xc3",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"tt0000003",
    b"\\N",
    b"{",
    b"[" * 2_000,
    b"'--" * 2_000,
    b"x" * 70_000,
    "\ufdfa\u0301\u2028\U0001d160".encode(),
]


def cut(data, at, length, _):
    """Remove some bytes."""
    return data[:at] + data[at + length :]


def cut_off(data, at, *_):
    """Remove the end."""
    return data[:at]


def flip(data, at, length, value):
    """Change bits of one byte."""
    return data[:at] + bytes([data[at] ^ (value % 255 + 1)]) + data[at + 1 :] if data else data


def insert(data, at, length, value):
    """Insert something that is not expected in a table."""
    return data[:at] + PIECES[value % len(PIECES)] * (length % 3 + 1) + data[at:]


def append(data, at, length, value):
    """Put something that is not expected at the end."""
    return data + PIECES[value % len(PIECES)]


def repeat(data, at, length, value):
    """Repeat some bytes."""
    return data[:at] + data[at : at + length] * (value % 5) + data[at:]


def repeat_line(data, at, length, value):
    """Repeat a line, directly after itself or at the end."""
    lines = data.split(b"\n")
    line = lines[at % len(lines)]
    lines[value % (len(lines) + 1) : 0] = [line] * (length % 4)
    return b"\n".join(lines)


def swap_lines(data, at, length, value):
    """Exchange two lines, of which one may be the header."""
    lines = data.split(b"\n")
    first, second = at % len(lines), value % len(lines)
    lines[first], lines[second] = lines[second], lines[first]
    return b"\n".join(lines)


def recode(data, at, length, value):
    """Write text in another encoding."""
    encoding = ("utf-16", "utf-16-le", "cp1252", "utf-8-sig")[value % 4]
    return data.decode("utf-8", "replace").encode(encoding, "replace")


CHANGES = [cut, cut_off, flip, insert, append, repeat, repeat_line, swap_lines, recode]
DAMAGE = st.tuples(
    st.sampled_from(CHANGES),
    st.floats(0, 1),  # the place, as a share of the file
    st.integers(0, 60),
    st.integers(0, 255),
)


def damaged(data, damages):
    """Return the content of a file with all its damages."""
    for change, place, length, value in damages:
        at = min(int(place * len(data)), max(len(data) - 1, 0))
        data = change(data, at, length, value)
    return data
