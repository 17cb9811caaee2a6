"""Numbers and tables as text."""

import math


def share(part: float, whole: float) -> str:
    """A part in per cent of the whole."""
    return f"{100 * part / whole:.2f} %" if whole else "–"


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Aligned columns: the first to the left, numbers to the right."""
    if not rows:
        return []
    widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]

    def line(row: list[str]) -> str:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        return "  " + "  ".join(cells).rstrip()

    return [line(row) for row in [head, *rows]]


def bracketed(value: float, uncertainty: float) -> str:
    """A value with its uncertainty in units of the last digit, as physicists write it: `121.7817(3)`.

    The uncertainty has two digits, or one where the second is a zero that the value has no digit for; a value without
    uncertainty is printed by itself.
    """
    if not (math.isfinite(uncertainty) and uncertainty > 0):
        return f"{value:g}"
    mantissa, _, power = f"{uncertainty:.1e}".partition("e")
    digits, places = mantissa.replace(".", ""), 1 - int(power)
    if digits.endswith("0") and math.isclose(round(value, places - 1), value, rel_tol=1e-12):
        digits, places = digits[0], places - 1
    if places <= 0:
        return f"{round(value, places):.0f}({int(digits) * 10**-places})"
    return f"{value:.{places}f}({digits})"
