"""Single values of detectors.toml: checked when they are read, and written so that they come back."""

import sys

from gammapolars.core.errors import DetectorsError

ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\x7f": "\\u007F"})
"""What text in a TOML file cannot hold as it is."""


def text(value: object, where: str) -> str:
    """Text without control characters but newline and tab.

    Raises:
        DetectorsError: it is none.
    """
    if not isinstance(value, str) or any(ord(letter) < 32 and letter not in "\n\t" for letter in value):
        raise DetectorsError(f"{where} must be text, not {value!r}")
    return value


def number(value: object, where: str) -> float:
    """A finite number, as a float.

    Raises:
        DetectorsError: it is none.
    """
    # A comparison, since math.isfinite cannot take whole numbers of any size; it holds for no NaN.
    if type(value) not in (int, float) or not abs(value) <= sys.float_info.max:  # type: ignore[arg-type]
        raise DetectorsError(f"{where} must be a finite number, not {value!r}")
    return float(value)  # type: ignore[arg-type]


def quote(value: str) -> str:
    """Text as TOML."""
    return '"' + value.translate(ESCAPED) + '"'
