"""A gate on a line, with stretches next to it for the background below the line."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import SupportsFloat, cast

import polars as pl

from gammapolars.core.errors import UsageError
from gammapolars.core.types import Range
from gammapolars.core.units import parse_range
from gammapolars.core.wording import setting

AUTO = "auto"

DEFAULT_KEV = 6.0
"""The width of a gate on a line whose FWHM is not known."""

WIDTH_FWHM = 2.0
"""The width of a gate, in FWHM of the line."""

Background = str | Range | Sequence[str | Range]
"""Stretches next to a line: `1345:1355`, (1345, 1355), several of them, or `auto`."""


@dataclass(frozen=True)
class Gate:
    """A stretch of energy on a line, minus the background under it, estimated from stretches next to it.

    A count in the gate weighs 1, one in the background -g/b, where g and b are the widths of the gate and of all its
    background together, and any other 0. The sum of weights is the net number of counts, the sum of their squares its
    variance: net = G - (g/b) B, var = G + (g/b)² B. Weights of two gates on two energies, and those of prompt and
    random pairs, multiply: each squared coefficient then goes with its own counts.

    Attributes:
        low: where the gate begins (keV, or adc); its ends belong to it, those of the background only where no gate is.
        high: where it ends.
        background: (low, high) of stretches next to it; none: nothing is subtracted.

    Raises:
        UsageError: a stretch is empty, or two overlap.
    """

    low: float
    high: float
    background: tuple[Range, ...] = ()

    def __post_init__(self) -> None:
        parts = sorted([(self.low, self.high), *self.background])
        for low, high in parts:
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise UsageError(f"a gate goes from a lower to a higher energy, not from {low:g} to {high:g}")
        for (_, end), (begin, _) in pairwise(parts):
            if begin < end:
                raise UsageError(f"gate and background overlap between {begin:g} and {end:g}: separate them")

    @classmethod
    def on(cls, centre: float, width: float, background: Background = ()) -> "Gate":
        """A gate of some width around a line.

        Args:
            centre: of the line.
            width: of the gate, from one end to the other.
            background: stretches next to it, as for `around`; for `auto` the FWHM is taken as half of the width.
        """
        return cls.around(centre, fwhm=width / WIDTH_FWHM, width=width, background=background)

    @classmethod
    def around(cls, centre: float, *, fwhm: float, width: float | None = None, background: Background = AUTO) -> "Gate":
        """A gate on a line as wide as the resolution asks for: that of the command `gate --background auto`.

        Args:
            centre: of the line (keV, or adc).
            fwhm: the full width of the line at half of its maximum there.
            width: of the gate, from one end to the other; None: 2 FWHM, 98 % of a Gaussian line.
            background: stretches next to it, as `1345:1355`, (1345, 1355), or several of them; `auto`: one on each
                side, together as wide as the gate, that begin a FWHM away from it; none: ().

        Raises:
            UsageError: a width that is not above 0, or impossible stretches.
        """
        for name, value in (("centre", centre), ("fwhm", fwhm), ("width", 0.0 if width is None else width)):
            if not isinstance(value, SupportsFloat) or isinstance(value, str) or math.isnan(value):
                raise UsageError(f"{name} must be a number (keV, or adc), not {value!r}")
        if width is None and not 0 < fwhm < math.inf:
            raise UsageError(f"the FWHM of a line must be above 0, not {fwhm:g}")
        wide = WIDTH_FWHM * fwhm if width is None else width
        auto, given = _stretches(background)
        beside = _beside(centre, wide, fwhm) if auto else ()
        return cls(centre - wide / 2, centre + wide / 2, (*given, *beside))

    @property
    def width(self) -> float:
        """From one end of the gate to the other."""
        return self.high - self.low

    @property
    def scale(self) -> float:
        """g/b: the factor from the counts of the background to those under the line; 0 where there is no background."""
        wide = sum(high - low for low, high in self.background)
        return self.width / wide if wide else 0.0

    def weight(self, energy: str | pl.Expr) -> pl.Expr:
        """1 in the gate, -g/b in its background, 0 elsewhere and where the energy is null: a Float64 expression."""
        value = pl.col(energy) if isinstance(energy, str) else energy
        in_background = pl.any_horizontal(
            pl.lit(value=False), *(value.is_between(low, high) for low, high in self.background)
        ).fill_null(value=False)
        outside = pl.when(in_background).then(-self.scale).otherwise(0.0)
        return pl.when(value.is_between(self.low, self.high)).then(1.0).otherwise(outside)

    def __str__(self) -> str:
        text = f"{self.low:g} to {self.high:g}"
        background = ", ".join(f"{low:g} to {high:g}" for low, high in self.background)
        return f"{text}, minus background {background}" if background else text


def parse_backgrounds(texts: Sequence[str]) -> Iterator[tuple[float, float]]:
    """Stretches from `LOW:HIGH`, of which one option can name several, divided by commas."""
    for text in texts:
        for part in text.split(","):
            yield parse_range(part, setting("--background", "background"))


def _stretches(background: Background) -> tuple[bool, tuple[Range, ...]]:
    """Whether stretches are to be chosen, and those that are given."""
    is_one = isinstance(background, str) or isinstance(next(iter(background), None), int | float)
    parts = cast(Sequence[str | Range], [background] if is_one else background)
    given: list[Range] = []
    for part in parts:
        if isinstance(part, str):
            given += [] if part == AUTO else parse_backgrounds([part])
        else:
            given.append((float(part[0]), float(part[1])))
    return AUTO in parts, tuple(given)


def _beside(line: float, width: float, clear: float) -> tuple[Range, Range]:
    """A stretch on each side of a gate, half as wide as the gate, and so far away from it."""
    inner = width / 2 + clear
    return (line - inner - width / 2, line - inner), (line + inner, line + inner + width / 2)
