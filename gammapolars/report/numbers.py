"""Numbers as a reader wants them: rounded to their uncertainty, with units and thousands apart."""

from gammapolars.core.digits import plus_minus, rounded

MINUS = "\N{MINUS SIGN}"

MOST_NAMED = 6
"""No more detectors, detector pairs or peaks than this are named in a sentence."""


def count(number: float) -> str:
    """A whole number: `12,345`."""
    return f"{round(number):,}".replace("-", MINUS)


def about(number: float) -> str:
    """An expected number of counts: whole above 100, with fewer digits the smaller it is."""
    if number == 0:
        return "0"
    if abs(number) >= 100:
        return count(number)
    return f"{number:.1f}" if abs(number) >= 1 else f"{number:.2g}"


def with_uncertainty(value: float, uncertainty: float) -> str:
    """`−1,234.6 ± 2.3`, rounded as the commands print it; if the uncertainty is not known, only the value."""
    return plus_minus(value, uncertainty).replace("-", MINUS)


def duration(seconds: float) -> str:
    """`4.2 s`, `10 min 5 s` or `3 h 12 min`."""
    if seconds < 1:
        return f"{rounded(seconds * 1000)} ms" if seconds else "0 s"
    if seconds < 60:
        return f"{seconds:.3g} s"
    if seconds < 3600:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {minutes} min" if minutes else f"{hours:,} h"


def seconds(time_s: float) -> str:
    """A time as the commands print it; from a minute on, also in words: `64.512 s (1 min 5 s)`."""
    return f"{time_s:,.6g} s" + (f" ({duration(time_s)})" if time_s >= 60 else "")


def nanoseconds(value: float, *, signed: bool = False) -> str:
    """A time difference, to a tenth below 100 ns: `−3.2 ns`; `signed`, with a + before those above 0."""
    plus = "+" if signed else ""
    text = f"{value:{plus}.1f}" if abs(value) < 99.95 else f"{value:{plus},.0f}"
    return ("0.0" if text == "-0.0" else text.replace("-", MINUS)) + " ns"


def amount(number: int, thing: str, things: str = "") -> str:
    """`1 pair`, `2 pairs`, `no pairs`."""
    word = thing if number == 1 else things or thing + "s"
    return f"{count(number) if number else 'no'} {word}"


def enumeration(words: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1] if words else ""
