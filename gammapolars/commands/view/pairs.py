"""Matrices and gates of saved pairs, as the page asks for them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from shlex import quote
from typing import Any

import polars as pl

from gammapolars.analysis.accumulators import Matrix
from gammapolars.analysis.accumulators.axes import Axis, Sides
from gammapolars.analysis.accumulators.gated import GatedSpectra
from gammapolars.analysis.saved_pairs import SavedPairs
from gammapolars.commands.gated_peaks import gated_peaks
from gammapolars.core.errors import UsageError
from gammapolars.core.quantities import ADC, ENERGY
from gammapolars.core.types import Key
from gammapolars.detectors import Detectors
from gammapolars.gates import Gate, parse_backgrounds
from gammapolars.report.live import live_cells, matrix_bin_kev
from gammapolars.report.live.packing import Packed, pack
from gammapolars.spectra.bins import check_width
from gammapolars.streaming.slices import batches_of

Query = Mapping[str, list[str]]


@dataclass
class PairsOfPage:
    """Saved pairs for a page: matrices and gates of some detectors, within a narrower window of time differences.

    Attributes:
        saved: the pairs.
        bin_kev: the width of the matrix' bins; None: as the resolution asks for.
        files: that commands find them in.
    """

    saved: SavedPairs
    bin_kev: float | None = None
    files: tuple[str, ...] = ()

    @cached_property
    def axis(self) -> Axis:
        """Axis of the matrix: energies, or adc values where there are none."""
        if not self.saved.is_calibrated:
            return Axis(ADC, ADC.bin)
        if self.bin_kev is None:
            return Axis(ENERGY, matrix_bin_kev(self.saved.detectors))
        check_width(self.bin_kev)
        return Axis(ENERGY, self.bin_kev)

    @cached_property
    def names(self) -> dict[str, Key]:
        """The detectors of the pairs, by name."""
        ends = [
            self.saved.files.pairs.select(board=f"board_{side}", channel=f"channel_{side}").unique() for side in "ab"
        ]
        keys = pl.concat(ends).unique().sort("board", "channel").collect().rows()
        return {self.saved.detectors.at(*key).name: key for key in keys}

    def packed(self, query: Query) -> Packed:
        """The matrix of the page's choice: `x` and `y`, names of detectors, and `dt`, LOW:HIGH.

        Raises:
            UsageError: an unknown detector, a window that the pairs do not have, or no pair in it.
        """
        sides = self._sides(query)
        counts = Matrix(self.axis, self.axis, Detectors(), sides=sides, symmetric=sides.x == sides.y)
        self.saved.count(counts.add_pairs, pairs=self._within(query))
        table = counts.table()
        if table.is_empty():
            raise UsageError("these detectors have no pair with both values within this window")
        return pack(live_cells(table, self.axis.width))

    def matrix(self, query: Query) -> dict[str, Any]:
        """The same for the script, with the command that writes it."""
        packed = self.packed(query)
        return {"head": packed.head, "data": packed.data, "made": self.command(query)}

    def command(self, query: Query) -> str:
        """The writer of the matrix of the page's choice."""
        parts = ["gammapolars matrix", *map(quote, self.files)]
        parts += [f"--{side} {quote(','.join(query[side]))}" for side in "xy" if query.get(side)]
        parts += [f"--window {quote(query['dt'][0])}"] if query.get("dt") else []
        parts += [f"--bin-kev {self.axis.width:g}"] if self.axis.quantity == ENERGY else []
        return " ".join([*parts, "-o matrix.parquet"])

    def gate(self, query: Query) -> dict[str, Any]:
        """A gate with exact ends: `side`, `low`, `high`, `background`; net counts, and the peaks of the spectrum.

        Raises:
            UsageError: an impossible gate, or detectors of which some are on both sides and others are not.
        """
        sides, on = self._sides(query), query["side"][0]
        own, partners = (sides.x, sides.y) if on == "x" else (sides.y, sides.x)
        if own != partners and (own is None or partners is None or own & partners):
            raise UsageError("for a peak fit, the detectors on x and y must be identical or have none in common")
        gate = Gate(
            float(query["low"][0]), float(query["high"][0]), tuple(parse_backgrounds(query.get("background", [])))
        )
        calibrated = self.axis.quantity == ENERGY
        spectra = GatedSpectra(gate, sorted(own) if own else None, calibrated=calibrated, width=self.axis.width)
        pairs = self._within(query)
        for batch in batches_of(pairs if own is None else pairs.filter(sides.admitted)):
            spectra.add_pairs(batch)
        counts, unc = spectra.net()
        peaks = gated_peaks(spectra.summed(), spectra.total()) if calibrated else pl.DataFrame()
        return {"counts": counts, "unc": unc, "peaks": [_finite(row) for row in peaks.iter_rows(named=True)]}

    def _within(self, query: Query) -> pl.LazyFrame:
        if query.get("dt") and self.saved.files.is_weighted:
            raise UsageError(
                "random coincidences were subtracted from these pairs for their own window only: to choose "
                "another window, view them without --random"
            )
        return self.saved.within(query["dt"][0]) if query.get("dt") else self.saved.pairs

    def _sides(self, query: Query) -> Sides:
        """The detectors on x and on y; all of them, where none is chosen."""
        chosen = []
        for side in "xy":
            if unknown := set(query.get(side, ())) - self.names.keys():
                raise UsageError(f"no pair has a hit of {min(unknown)}")
            keys = frozenset(self.names[name] for name in query.get(side, ()))
            chosen.append(keys if keys and len(keys) < len(self.names) else None)
        return Sides(*chosen)


def _finite(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a table as JSON can hold it."""
    return {name: None if isinstance(one, float) and not math.isfinite(one) else one for name, one in row.items()}
