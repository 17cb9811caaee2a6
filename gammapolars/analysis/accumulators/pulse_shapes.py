"""Distributions of the pulse shape of each detector's hits, and how many hits have none."""

from collections.abc import Mapping

import polars as pl

from gammapolars.analysis.accumulators.accumulator import Accumulator, Mergeable
from gammapolars.analysis.accumulators.axes import VALUES, Axis, Rows
from gammapolars.core.flags import has_any
from gammapolars.core.pulse_shape import SHORT
from gammapolars.core.quantities import PSD
from gammapolars.core.types import Key
from gammapolars.detectors import Detectors
from gammapolars.detectors.hits import is_one_of
from gammapolars.spectra.tallies import Tally

KEYS = ("board", "channel")

INSIDE, OUTSIDE, NONE = range(3)
"""Where the pulse shape of a hit lies: in the range of the bins, elsewhere, or nowhere, as without a long charge."""


class PulseShapes(Accumulator):
    """Hits by detector and pulse shape.

    Args:
        axis: bins of pulse shapes, with a range.
        mask: flags that reject a hit.
        keys: detectors whose hits count; None: those of all.
    """

    def __init__(self, axis: Axis, mask: int = 0, keys: frozenset[Key] | None = None) -> None:
        self._axis, self._mask, self._keys = axis, mask, keys
        self._tally = Tally(*KEYS, "place", "bin", "is_silent")

    def add_hits(self, hits: pl.DataFrame) -> None:
        self._add(hits, "")

    def add_sides(self, pairs: pl.DataFrame) -> None:
        """Take both hits of pairs, each once per pair that it has."""
        for suffix in ("_a", "_b"):
            self._add(pairs, suffix)

    def parts(self) -> Mapping[str, Mergeable]:
        return {"shapes": self._tally}

    def table(self) -> pl.DataFrame:
        """Spectra by `board` and `channel`: `psd` (bin centres), `counts` and `variance`; filled bins only."""
        schema = {"board": pl.UInt16, "channel": pl.UInt16, "psd": pl.Float64, "counts": pl.Float64}
        counts = self._counts().filter(place=INSIDE)
        centres = counts.group_by(*KEYS, "bin").agg(pl.col("counts").sum()).sort(*KEYS, "bin")
        table = centres.select(*KEYS, psd=self._axis.centre(pl.col("bin")), counts="counts")
        return table.cast(schema).with_columns(variance="counts")  # type: ignore[arg-type]

    def warnings(self, detectors: Detectors) -> list[str]:
        """What the distributions do not show, one sentence each."""
        counts, found = self._counts(), []
        by_detector = counts.group_by(*KEYS).agg(pl.col("counts").filter(~pl.col("is_silent")).sum()).sort(KEYS)
        if silent := [detectors.at(*key).name for *key, heard in by_detector.iter_rows() if not heard]:
            found.append(
                f"{', '.join(silent)}: the short charge ({SHORT}) of all hits is 0: no pulse shape was measured there"
            )
        number = {place: int(counts.filter(place=place)["counts"].sum()) for place in (OUTSIDE, NONE)}
        low, high, every = self._axis.low, self._axis.high, int(counts["counts"].sum())
        if number[OUTSIDE] and (low, high) == PSD.range:  # which nobody has asked for
            found.append(
                f"{number[OUTSIDE]:,} of {every:,} hits have a pulse shape outside of {low:g} to {high:g} "
                "and are not counted"
            )
        if number[NONE]:
            found.append(
                f"{number[NONE]:,} of {every:,} hits have no pulse shape, because their adc is 0 or they have no "
                "short charge"
            )
        return found

    def _counts(self) -> pl.DataFrame:
        columns = {
            "board": pl.UInt16,
            "channel": pl.UInt16,
            "place": pl.Int32,
            "bin": pl.Int64,
            "is_silent": pl.Boolean,
        }
        total = self._tally.total()
        return total if total.height else pl.DataFrame(schema=columns | {"counts": pl.UInt64})

    def _add(self, rows: pl.DataFrame, suffix: str) -> None:
        used = rows.lazy().filter(~has_any(self._mask)) if self._mask else rows.lazy()
        if self._keys is not None:
            used = used.filter(is_one_of(sorted(self._keys), suffix))
        value = VALUES[PSD](Rows(rows.columns, Detectors()), suffix)
        number = self._axis.number(pl.col("value"))
        place = pl.when(pl.col("value").is_null()).then(NONE).when(pl.col("bin").is_null()).then(OUTSIDE)
        shapes = used.select(
            *(pl.col(f"{name}{suffix}").alias(name) for name in KEYS),
            value=value,
            is_silent=pl.col(f"{SHORT}{suffix}").fill_null(0) == 0,
        )
        placed = shapes.with_columns(bin=number).with_columns(place=place.otherwise(INSIDE)).drop("value")
        self._tally.add(placed.group_by(pl.all()).agg(counts=pl.len()).collect())
