"""Axes of figures: linear and logarithmic ones, the places of their ticks and their labels."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import plotnine as p9
from mizani.transforms import log10_trans
from numpy.typing import ArrayLike, NDArray


@dataclass(kw_only=True)
class FlooredLog10(log10_trans):  # type: ignore[misc]
    """log10, where all that is lower than `floor` lies on it: empty bins and net counts below 0 stay on the axis.

    Data keep their true values, so that any other scale may take this one's place.
    """

    floor: float = 0.5

    def transform(self, x: ArrayLike) -> NDArray[np.float64]:
        """The logarithm, and that of the floor for everything below it."""
        return np.log10(np.fmax(np.asarray(x, np.float64), self.floor))


LETTERS_A_BREAK = 8
"""Room on the axis for the label of a tick, in letters."""


def number_axis(room: int = 122, **more: Any) -> p9.scale_x_continuous:
    """An x-axis of numbers, with as many ticks as have room for their labels in `room` letters."""
    most = min(12, max(2, room // LETTERS_A_BREAK))
    return p9.scale_x_continuous(**{"breaks": partial(even_breaks, most=most), "labels": number_labels} | more)


def log_axis(floor: float = 0.5, **more: Any) -> p9.scale_y_continuous:
    """A logarithmic y-axis, with all that is lower than `floor` on it."""
    return p9.scale_y_continuous(**_logarithmic(floor) | more)


def log_x_axis(floor: float, **more: Any) -> p9.scale_x_continuous:
    """A logarithmic x-axis, with all that is lower than `floor` on it."""
    return p9.scale_x_continuous(**_logarithmic(floor) | more)


def _logarithmic(floor: float) -> dict[str, Any]:
    return {
        "trans": FlooredLog10(floor=floor),
        "breaks": power_breaks,
        "minor_breaks": minor_power_breaks,
        "labels": power_labels,
    }


def count_axis(**more: Any) -> p9.scale_y_continuous:
    """A linear y-axis."""
    return p9.scale_y_continuous(**{"labels": number_labels, "expand": (0.01, 0, 0.06, 0)} | more)


def number_labels(values: Iterable[Any]) -> list[str]:
    """Labels of a linear axis, with a true minus sign and thousands apart from 10,000 on."""
    digits = [f"{value:,.6g}" if abs(value) >= 10_000 else f"{value:.6g}" for value in values]
    return [text.replace("-", "\N{MINUS SIGN}") for text in digits]


def power_labels(values: Iterable[Any]) -> list[str]:
    """Labels of a logarithmic axis: 1, 10, 100, then 10³, 10⁴ and so on; whatever is no power of ten as it is."""
    digits = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    labels = []
    for value in values:
        power = round(math.log10(value)) if value > 0 else None
        if power is None or not math.isclose(value, 10.0**power, rel_tol=1e-6) or 0 <= power <= 2:
            labels.append(f"{value:g}")
        else:
            labels.append("10" + str(power).translate(digits))
    return labels


def even_breaks(limits: tuple[float, float], most: int = 12) -> list[float]:
    """At most `most` round numbers within the limits of a linear axis, and hardly fewer than a third of that."""
    low, high = limits
    step = (high - low) / most
    if not step > 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(step))
    step = next(digit * power for digit in (1, 2, 5, 10) if digit * power >= step * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(place * step, 12) for place in range(first, math.floor(high / step + 1e-9) + 1)]


def power_breaks(limits: tuple[float, float]) -> list[float]:
    """Powers of ten within the limits of a logarithmic axis, thinned to seven at most.

    Where there are fewer than two, there are also 2 and 5 times those; within a small part of one, even steps.
    """
    low, high = max(limits[0], 1e-300), limits[1]
    powers = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
    if len(powers) >= 2:
        return [10.0**power for power in powers[:: max(1, math.ceil(len(powers) / 7))]]
    around = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    breaks = [digit * 10.0**power for power in around for digit in (1, 2, 5) if low <= digit * 10.0**power <= high]
    return breaks if len(breaks) >= 2 or low == high else even_breaks((low, high), 6)


def minor_power_breaks(limits: tuple[float, float]) -> list[float]:
    """2 to 9 times the powers of ten within the limits of a logarithmic axis; none where there are too many decades."""
    low, high = max(limits[0], 1e-300), limits[1]
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    if len(powers) > 8:
        return []
    return [digit * 10.0**power for power in powers for digit in range(2, 10) if low <= digit * 10.0**power <= high]


def time_unit(longest_s: float) -> tuple[str, float]:
    """The unit that keeps an axis of time readable, and its seconds."""
    if longest_s > 3 * 3600:
        return "h", 3600.0
    if longest_s > 600:
        return "min", 60.0
    return ("s", 1.0) if longest_s >= 0.5 else ("ms", 0.001)
