"""What the axes of matrices and gated spectra are: quantities of pairs and hits, and their bins."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import polars as pl

from gammapolars.coincidences.pair_columns import b_is_lower
from gammapolars.core.types import Key
from gammapolars.core.units import PS_PER_S, Window
from gammapolars.corrections import dithered_adc, dithered_energy, energy_kev
from gammapolars.detectors import Detectors
from gammapolars.detectors.hits import is_one_of

Quantity = Literal["energy_kev", "adc", "dt_ps", "time_s"]

UNITS: dict[Quantity, str] = {"energy_kev": "keV", "adc": "adc", "dt_ps": "ps", "time_s": "s"}


@dataclass(frozen=True)
class Axis:
    """One quantity in equal bins.

    Bin k reaches from k to k + 1 widths; of time differences, from k - ½ to k + ½, so that dt = 0 is a bin's middle.

    Attributes:
        quantity: what is binned.
        width: of each bin, in the quantity's unit.
        low: values below are left out.
        high: values from here on are left out.
    """

    quantity: Quantity
    width: float
    low: float | None = None
    high: float | None = None

    def number(self, value: pl.Expr) -> pl.Expr:
        """The number of a value's bin; null where there is no value, or none that is wanted."""
        shifted = value + self.width / 2 if self.quantity == "dt_ps" else value
        number = (shifted / self.width).floor().cast(pl.Int64, strict=False)
        if self.low is None or self.high is None:
            return number
        return pl.when((value >= self.low) & (value < self.high)).then(number)

    def centre(self, number: pl.Expr) -> pl.Expr:
        """The middle of a bin."""
        return (number if self.quantity == "dt_ps" else number + 0.5) * self.width


@dataclass(frozen=True)
class Sides:
    """Which detectors' hits a pair has for x and which for y; None: those of all.

    Where a pair fits both ways, its hit of the lower (board, channel) is x.

    Attributes:
        x: detectors of x, as (board, channel).
        y: detectors of y.
    """

    x: frozenset[Key] | None = None
    y: frozenset[Key] | None = None

    def fits(self, of_x: str, of_y: str) -> pl.Expr:
        """Whether a pair's hit `of_x` (a or b) may be x, and the other y."""
        return _is_of(self.x, of_x) & _is_of(self.y, of_y)

    @property
    def admitted(self) -> pl.Expr:
        """Whether a pair is one of these detectors."""
        return self.fits("a", "b") | self.fits("b", "a")

    @property
    def is_swapped(self) -> pl.Expr:
        """Whether b is the hit of x, of an admitted pair."""
        return ~self.fits("a", "b") | (self.fits("b", "a") & b_is_lower())


ALL = Sides()


def _is_of(keys: frozenset[Key] | None, side: str) -> pl.Expr:
    return pl.lit(value=True) if keys is None else is_one_of(sorted(keys), f"_{side}")


def counted_within(columns: Iterable[str], window: Window | None) -> pl.Expr:
    """Whether a pair counts: within the window, or in any of the windows that its `region` tells of."""
    if window is None or "region" in columns:
        return pl.lit(value=True)
    return pl.col("dt_ps").is_between(*window)


def of_pairs(
    columns: Iterable[str], quantity: Quantity, detectors: Detectors, side: str, *, sums: bool = False
) -> pl.Expr:
    """An energy or adc of one side of a table of pairs, spread over its adc value so that bins show no comb.

    Energies that no detector calibrates are as the pairs have them.

    Args:
        columns: of the pairs.
        quantity: `energy_kev` or `adc`.
        detectors: energy calibrations.
        side: a or b.
        sums: whether energies are of several hits each, as add-back makes them, and do not follow from the adc.
    """
    names, suffix = set(columns), f"_{side}"
    if f"adc{suffix}" not in names or (quantity == "energy_kev" and not any(one.energy for one in detectors)):
        return pl.col(f"{quantity}{suffix}").cast(pl.Float64)
    if quantity == "adc":
        return dithered_adc(names, suffix)
    if sums:
        return dithered_energy(names, detectors, suffix)
    return energy_kev(detectors, suffix, adc=dithered_adc(names, suffix))


def of_hits(columns: Iterable[str], quantity: Quantity, detectors: Detectors) -> pl.Expr:
    """A quantity of hits: energy or adc, spread as those of pairs are, or the time by the digitizer's clock."""
    if quantity == "time_s":
        return pl.col("timestamp_ps") / PS_PER_S
    adc = dithered_adc(columns)
    return energy_kev(detectors, adc=adc) if quantity == "energy_kev" else adc
