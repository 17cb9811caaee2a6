"""The axes of matrices: equal bins of a quantity, and how its values follow from pairs and hits."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from gammapolars.coincidences.rule import b_is_lower
from gammapolars.core.quantities import ADC, ENERGY, PSD, TIME, TIME_DIFFERENCE, Quantity
from gammapolars.core.types import Key
from gammapolars.core.units import PS_PER_S
from gammapolars.corrections import dithered_adc, dithered_energy, dithered_psd, hit_energy
from gammapolars.detectors import Detectors
from gammapolars.detectors.hits import is_one_of
from gammapolars.spectra.bins import quotient


@dataclass(frozen=True)
class Axis:
    """One quantity in equal bins.

    Bin k reaches from k to k + 1 widths; of time differences, from k - ½ to k + ½, so that dt = 0 is a bin's middle.

    Attributes:
        quantity: the binned quantity.
        width: of each bin, in the quantity's unit.
        low: values below are left out.
        high: values from here on are left out.
    """

    quantity: Quantity
    width: float
    low: float | None = None
    high: float | None = None

    def number(self, value: pl.Expr) -> pl.Expr:
        """The number of a value's bin; null where there is no value, or one out of the axis' range."""
        shifted = value + self.width / 2 if self.quantity.centred else value
        number = quotient(shifted, self.width).floor().cast(pl.Int64, strict=False)
        if self.low is None or self.high is None:
            return number
        return pl.when((value >= self.low) & (value < self.high)).then(number)

    def has_no_number(self, value: pl.Expr) -> pl.Expr:
        """Whether a value lies so many widths off that its bin has no number."""
        return value.is_finite() & ((value / self.width).abs() >= 2.0**62)

    def centre(self, number: pl.Expr) -> pl.Expr:
        """The middle of a bin."""
        return (number if self.quantity.centred else number + 0.5) * self.width

    def first_centre(self, centres: pl.Series) -> float:
        """The middle of channel 0 in files of channels: of the bin at 0, or of the lowest if some lie below."""
        at_zero = 0.0 if self.quantity.centred else self.width / 2
        return min(at_zero, float(centres.min())) if len(centres) else at_zero  # type: ignore[arg-type]


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
        """Whether a pair's hit `of_x` (_a or _b) may be x, and the other y."""
        return _is_of(self.x, of_x) & _is_of(self.y, of_y)

    @property
    def admitted(self) -> pl.Expr:
        """Whether a pair is one of these detectors."""
        return self.fits("_a", "_b") | self.fits("_b", "_a")

    @property
    def is_swapped(self) -> pl.Expr:
        """Whether b is the hit of x, of an admitted pair."""
        return ~self.fits("_a", "_b") | (self.fits("_b", "_a") & b_is_lower())


ALL = Sides()


def _is_of(keys: frozenset[Key] | None, suffix: str) -> pl.Expr:
    return pl.lit(value=True) if keys is None else is_one_of(sorted(keys), suffix)


class Rows(NamedTuple):
    """Hits or pairs whose quantities are asked for.

    Attributes:
        columns: their columns.
        detectors: energy calibrations.
        sums: whether energies are of several hits each, as add-back makes them, and do not follow from the adc.
    """

    columns: Collection[str]
    detectors: Detectors
    sums: bool = False


def energy_value(rows: Rows, suffix: str) -> pl.Expr:
    """Dithered over its adc value, so that bins show no comb; where no detector calibrates it, as it was recorded."""
    if f"adc{suffix}" not in rows.columns or not any(one.energy for one in rows.detectors):
        return pl.col(f"energy_kev{suffix}").cast(pl.Float64)
    if rows.sums:
        return dithered_energy(rows.columns, rows.detectors, suffix)
    return hit_energy(rows.columns, rows.detectors, suffix, adc=dithered_adc(rows.columns, suffix))


VALUES: dict[Quantity, Callable[[Rows, str], pl.Expr]] = {
    ENERGY: energy_value,
    ADC: lambda rows, suffix: dithered_adc(rows.columns, suffix),
    TIME_DIFFERENCE: lambda _, of_x: pl.col("dt_ps") if of_x == "_a" else -pl.col("dt_ps"),
    TIME: lambda _, suffix: quotient(pl.col(f"timestamp_ps{suffix}"), PS_PER_S),
    PSD: lambda rows, suffix: dithered_psd(rows.columns, suffix),
}
"""Values of hits, or of one hit of pairs, by the suffix of its columns: none, `_a` or `_b`. A quantity that single hits
do not have is one of the whole pair, from its hit of x to that of y: by the suffix of x."""


def values_along(axes: tuple[Axis, Axis], rows: Rows, of_x: str = "", of_y: str = "") -> tuple[pl.Expr, pl.Expr]:
    """The values along x and y, of hits or of pairs whose hits of x and y have these suffixes."""
    x, y = (
        VALUES[axis.quantity](rows, own if axis.quantity.of_hits else of_x)
        for axis, own in zip(axes, (of_x, of_y), strict=True)
    )
    return x, y
