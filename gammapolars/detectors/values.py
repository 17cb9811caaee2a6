"""Single values of detectors.toml: checked when they are read, and written so that they come back."""

import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

from gammapolars.core.errors import DetectorsError, InputError
from gammapolars.core.small_files import read_small

SHOWN_CHARACTERS = 200

ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\x7f": "\\u007F"})
"""Characters that must be escaped in text of a TOML file."""


def read_text(path: Path, what: str) -> str:
    """The text of a small file in UTF-8, without the mark that it may begin with.

    Raises:
        DetectorsError: it is missing or cannot be read as what it should be.
    """
    try:
        return read_small(path).decode("utf-8-sig")
    except (InputError, UnicodeDecodeError) as error:
        reason = str(error).removeprefix(f"{path}: ").removeprefix("cannot be read: ")
        said = reason if reason == "no such file" else f"cannot be read as {what}: {reason}"
        raise DetectorsError(f"{path}: {said}") from None


def text(value: object, where: str) -> str:
    """Text without control characters but newline and tab; a DetectorsError says `where` there is none."""
    if not isinstance(value, str) or any(ord(letter) < 32 and letter not in "\n\t" for letter in value):
        raise DetectorsError(f"{where} must be text, not {shown(value)}")
    return value


def number(value: object, where: str) -> float:
    """A finite number, as a float; a DetectorsError says `where` there is none."""
    # A comparison, since math.isfinite cannot take whole numbers of any size; it holds for no NaN.
    if type(value) not in (int, float) or not abs(value) <= sys.float_info.max:  # type: ignore[arg-type]
        raise DetectorsError(f"{where} must be a finite number, not {shown(value)}")
    return float(value)  # type: ignore[arg-type]


def shown(value: object) -> str:
    """A wrong value in a message: its beginning, where it is long."""
    try:
        written = repr(value)
    except (ValueError, RecursionError):  # Python does not write whole numbers of thousands of digits
        return "a number of thousands of digits"
    return written if len(written) <= SHOWN_CHARACTERS else f"{written[:SHOWN_CHARACTERS]}…"


def quote(value: str) -> str:
    """Text as TOML."""
    return '"' + value.translate(ESCAPED) + '"'


def format_value(value: object) -> str:
    """A text, a number, a date, floats (a tuple, which may hold others), a small table or a list of such as TOML."""
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(format_value(one if isinstance(one, tuple) else float(one)) for one in value) + "]"
    if isinstance(value, list):
        return "[" + ", ".join(map(format_value, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {format_value(one)}" for key, one in value.items()) + "}"
    if isinstance(value, datetime) and (offset := value.utcoffset()) is not None and offset.total_seconds() % 60:
        value = value.astimezone(UTC)  # TOML's offsets are whole minutes
    return value.isoformat() if isinstance(value, date) else str(value)


def format_table(head: str, values: Mapping[str, object], remarks: Mapping[str, str] = {}) -> str:
    """A table as TOML: its head and a line for each value, followed by the remark; without values None or empty."""
    return (
        head
        + "\n"
        + "".join(
            format_key(key, value, remarks.get(key, "")) for key, value in values.items() if value not in (None, "")
        )
    )


def format_key(key: str, value: object, remark: str = "") -> str:
    """The line of a value."""
    return f"{key} = {format_value(value)}" + (f"   # {remark}" if remark else "") + "\n"
