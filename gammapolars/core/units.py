"""Times as people write them (`250ns`, `-1us:3us`) and as gammapolars keeps them: integer picoseconds."""

import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from gammapolars.core.errors import UsageError

PS_PER_UNIT = {"ps": 1, "ns": 10**3, "us": 10**6, "µs": 10**6, "μs": 10**6, "ms": 10**9, "s": 10**12}
PS_PER_S = 10**12
PS_PER_LONG_UNIT = {"min": 60 * PS_PER_S, "h": 3600 * PS_PER_S}
"""Units that people give times in, and digitizers do not."""
MAX_PS = 2**62
TIMES_PS = (-(2**61), 2**62)
"""Times of hits lie between these, 53 days after the clock began: differences then fit 64 bits, offsets and all."""

MAX_OFFSET_PS = 2**59
"""No time offset is larger: 6.7 days."""


_TIME = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,2})?)\s*([a-zA-Zµμ]*)\s*")


class Window(NamedTuple):
    """A closed time window: `low <= dt <= high`, both in picoseconds."""

    low: int
    high: int

    @property
    def reach(self) -> int:
        """The largest |dt| that the window holds."""
        return max(abs(self.low), abs(self.high))

    def __str__(self) -> str:
        if self.low == -self.high:
            return f"±{format_ps(self.high)}"
        return f"{format_ps(self.low)} to {format_ps(self.high)}"


def parse_ps(text: str, *, most_ps: int | None = MAX_PS) -> int:
    """The picoseconds of a time with its unit, such as `250ns` or `1.5 us`.

    Args:
        text: the time.
        most_ps: the longest that it can be; None: any.

    Raises:
        UsageError: no number, no or an unknown unit, not a whole number of picoseconds, or too long.
    """
    match = _TIME.fullmatch(text)
    if not match:
        raise UsageError(
            f"'{text}' is not a time: write a number and a unit, such as 250ns (units: ps, ns, us, ms, s, min, h)"
        )
    number, unit = match.groups()
    units = PS_PER_UNIT | PS_PER_LONG_UNIT
    if unit not in units:
        said = f"unknown unit '{unit}'" if unit else "no unit"
        raise UsageError(f"time '{text}' has {said}: write one of ps, ns, us, ms, s, min, h, such as 250ns")
    picoseconds = Decimal(number) * units[unit]
    if picoseconds != picoseconds.to_integral_value():
        raise UsageError(f"time '{text}' is not a whole number of picoseconds")
    if most_ps is not None and abs(picoseconds) > most_ps:
        raise UsageError(f"time '{text}' is longer than 53 days, the limit of a window")
    return int(picoseconds)


def parse_window(window: "str | int | tuple[int, int]") -> Window:
    """A window from `250ns` (|dt| ≤ 250 ns), `LOW:HIGH` (`-50ns:1us`), picoseconds, or a pair of them.

    Raises:
        UsageError: it cannot be read, is no whole number, is empty (low above high, a negative half-width), too long.
    """
    ends = window if isinstance(window, tuple) else (window,)
    if not isinstance(window, str) and not all(type(end) is int for end in ends):
        raise UsageError(
            f"window {window!r} is not a whole number of picoseconds: give an integer, or a time with a unit, such as "
            "'250ns'"
        )
    if isinstance(window, str):
        parts = [parse_ps(part) for part in window.split(":")]
        if len(parts) > 2:
            raise UsageError(f"window '{window}' has more than two ends: write 250ns or LOW:HIGH")
        low, high = parts if len(parts) == 2 else (-parts[0], parts[0])
    elif isinstance(window, tuple):
        low, high = window
    else:
        low, high = -window, window
    if low > high:
        raise UsageError(f"window '{window}' is empty: its lower end is above its upper end")
    if max(-low, high) > MAX_PS:
        raise UsageError(f"window '{window}' is longer than 53 days, the limit of a window")
    return Window(low, high)


def format_ps(picoseconds: int) -> str:
    """A time in the largest unit that keeps it readable: 250000 is `250 ns`."""
    for unit in ("s", "ms", "us", "ns"):
        if abs(picoseconds) >= PS_PER_UNIT[unit]:
            return f"{picoseconds / PS_PER_UNIT[unit]:.6g} {unit}"
    return f"{picoseconds} ps"


def parse_numbers(text: str, what: str, *, at_least: int) -> tuple[float, ...]:
    """Numbers divided by commas.

    Raises:
        UsageError: fewer than `at_least`, or one is not a finite number; it names the option, `what`.
    """
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if len(found) < at_least or not all(math.isfinite(number) for number in found):
        raise UsageError(f"{what} takes at least {at_least} numbers separated by commas, not '{text}'")
    return found


def parse_range(
    text: str, what: str, number: Callable[[str], float] = float, *, example: str = "1170:1176"
) -> tuple[float, float]:
    """Two numbers with a colon between them, the lower first, each read by `number`.

    Raises:
        UsageError: it is none; it names the option, `what`, and shows an example.
    """
    low, colon, high = text.partition(":")
    try:
        found = (number(low), number(high)) if colon else (math.nan, math.nan)
    except ValueError:
        found = (math.nan, math.nan)
    if not (math.isfinite(found[0]) and math.isfinite(found[1]) and found[0] < found[1]):
        raise UsageError(f"{what} takes LOW:HIGH, such as {example}, not '{text}'")
    return found
