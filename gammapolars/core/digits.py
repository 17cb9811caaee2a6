"""Numbers in messages: rounded to the digits that a reader needs, and written out, never as `1e+02`."""

import math


def rounded(value: float, digits: int = 3) -> str:
    """A number to so many significant digits: `0.0123`, `1.2`, `12,300`."""
    short = float(f"{value:.{digits}g}")
    return f"{short:,.0f}" if abs(short) >= 10 ** (digits - 1) else f"{short:.{digits}g}"


def percent(part: float, whole: float) -> str:
    """`3.1 %`; a share that is there but tiny is `< 0.01 %`, never `0 %`."""
    if whole <= 0:
        return "–"
    share = 100 * part / whole
    if 0 < share < 0.01:
        return "< 0.01 %"
    if share > 99.9 and part < whole:
        return f"{math.floor(share * 100) / 100:.2f} %"
    return f"{share:.3g} %" if share < 99.95 else f"{share:,.0f} %"


def counted(number: int, noun: str) -> str:
    """A number of things: `1 hit`, `12,300 hits`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def plus_minus(number: float, unc: float) -> str:
    """A number with its uncertainty, to two digits of the latter: `1,234.56 ± 0.12`."""
    if not (math.isfinite(unc) and unc > 0):
        return f"{number:,.6g}"
    places = max(0, 1 - math.floor(math.log10(unc)))
    return f"{number:z,.{places}f} ± {unc:,.{places}f}"


def expected_counts(mean: float, unc: float) -> str:
    """How many counts are expected: `460.65 ± 0.80`; without an uncertainty that is known, `76.9` or `0.034`."""
    return plus_minus(mean, unc) if unc else f"{mean:,.1f}" if mean >= 10 else f"{mean:.2g}"
