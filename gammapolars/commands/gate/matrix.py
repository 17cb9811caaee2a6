"""Gates on a stored matrix: the net spectrum along one axis of a gate on the other."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.commands.gate.choice import KEV, chosen, partner_gate
from gammapolars.commands.gate.counts import GateSummary, MatrixCounts, NetCounts
from gammapolars.commands.gate.matrix_gates import MatrixGates
from gammapolars.commands.gate.parse import GateOptions
from gammapolars.core.errors import InputError, OutputError, UsageError
from gammapolars.core.quantities import BY_COLUMN, ENERGY, PULSE_HEIGHTS, Quantity
from gammapolars.core.schema import SUBTRACTED
from gammapolars.gates import Gate
from gammapolars.io import provenance
from gammapolars.io.matrix_files import scan_matrix
from gammapolars.io.spectra.channels import axis_of
from gammapolars.spectra.matrices import axes_of

CLOSE = 1e-3
"""Centres may be off by this part of a bin: by rounding in files."""


@dataclass(frozen=True)
class StoredMatrix:
    """A stored matrix, of whose rows or columns the gate takes some, with the variances that they have.

    A matrix has whole bins only: ends of the gate and of its background are moved to the next edges of bins, and the
    summary has their new positions. The background counts for as many bins as the gate has. A matrix from
    which random coincidences were subtracted, as with `--random`, gives a spectrum without them.

    Attributes:
        path: a file of `matrix`, `coincidences --matrix` or another program.
        options: the line with its background, and the axis that is gated, of a symmetric matrix either one.
    """

    path: Path
    options: GateOptions

    def count(self) -> NetCounts:
        """The net spectrum along the other axis.

        In the summary `gate` has the ends that were taken; `net_of_chance` is null where the file does not say.

        Raises:
            InputError: the file is missing, damaged, or holds no matrix in equal bins.
            UsageError: axes other than two of energy or two of adc, or a gate without a bin.
        """
        side = self.options.axis or "x"
        if side not in ("x", "y"):
            raise UsageError(f"a matrix has the axes x and y, not '{side}'")
        table = scan_matrix(self.path).collect()
        columns = axes_of(table.schema)
        quantity = _quantity(self.path, columns)
        _check_unit(self.path, self.options.unit, quantity)
        known = self.options.known if self.options.detectors else provenance.detectors_of(self.path)
        choice = chosen(self.options, known, has_energies=quantity == ENERGY, widest=True)
        line = partner_gate(self.options, known, has_energies=quantity == ENERGY, widest=True)
        if table.is_empty():
            raise InputError(f"{self.path}: the matrix has no counts")
        if SUBTRACTED in table.columns:
            raise UsageError(
                f"{self.path}: its background was subtracted, so neighbouring cells are correlated: gate on "
                "the original matrix of counts, with --subtract-background"
            )
        stored = (provenance.of_file(self.path) or {}).get("summary", {})
        bins = [_bins(self.path, table[name].to_numpy(), _stored_width(stored, name)) for name in columns]
        gated, unit = 0 if side == "x" else 1, f"{quantity.unit} of {self.path}"
        gate, along = on_edges(choice.gate, *bins[gated], unit), columns[1 - gated]
        partner = on_edges(line, *bins[1 - gated], unit) if line else None
        gates = MatrixGates(table, gate, partner, "x" if side == "x" else "y", (bins[0][1], bins[1][1]))
        regions, subtracts = self.options.peak_region, self.options.subtract_background
        found = gates.net_of_background(regions, self.path) if subtracts else gates.as_counted()
        total = table.group_by(pl.col(along).alias(quantity.column)).agg(pl.col("counts", "variance").sum())
        summary = GateSummary(
            inputs=(str(self.path),),
            matrix=MatrixCounts(side, table.height, float(table["counts"].sum())),
            warnings=(
                *choice.doubts(),
                *_beyond(gate, table[columns[gated]], bins[gated][1], quantity.unit),
                *(_beyond(partner, table[along], bins[1 - gated][1], quantity.unit) if partner else ()),
            ),
            asked_gate=choice.gate,
            gate=gate,
            gate_width_from=choice.width_from,
            net_of_chance="random_ps" in stored if stored else None,
            unit=quantity.unit,
            bin_width=bins[1 - gated][1],
            counts=found.counts,
            counts_unc=found.unc,
            background=found.background,
            coincidence=found.coincidence,
        )
        texts = provenance.describe_files([self.path], summary.to_json())
        return NetCounts(found.net, total.sort(quantity.column), summary, texts)


def _check_unit(path: Path, unit: str, quantity: Quantity) -> None:
    """Raise where a gate is on energies and the matrix is not, or the other way round."""
    if unit == KEV and quantity != ENERGY:
        raise UsageError(
            f"{path} is a matrix without energies: gate on its channels with --unit adc, or on energies in a "
            "calibrated matrix in a format that keeps them, such as .parquet"
        )
    if unit != KEV and quantity == ENERGY:
        raise UsageError(f"{path} is a matrix in keV: leave --unit adc out")


def _beyond(gate: Gate, centres: pl.Series, width: float, unit: str) -> Iterator[str]:
    """Says which part of a gate lies outside of all counts, where it is taken for empty."""
    low, high = float(centres.min()) - width / 2, float(centres.max()) + width / 2  # type: ignore[arg-type]
    stretches = [("gate", (gate.low, gate.high)), *(("background", part) for part in gate.background)]
    for what, (begin, end) in stretches:
        if begin < low - CLOSE * width or end > high + CLOSE * width:
            yield (
                f"the {what} {begin:g} to {end:g} {unit} extends beyond the counts of the matrix, {low:g} "
                f"to {high:g} {unit}: the net counts are wrong if the matrix was truncated there"
            )


def on_edges(gate: Gate, edge: float, width: float, unit: str = "bins") -> Gate:
    """A gate whose ends, and those of its background, lie on the edges of bins that are next to them.

    Args:
        gate: as asked for.
        edge: the edge of any bin.
        width: of the bins.
        unit: for the error.

    Raises:
        UsageError: nothing is left of the gate or of a stretch of background.
    """

    def moved(low: float, high: float, what: str) -> tuple[float, float]:
        ends = [edge + math.floor((end - edge) / width + 0.5) * width for end in (low, high)]
        if not ends[0] < ends[1]:
            raise UsageError(
                f"{what} from {low:g} to {high:g} contains no bin; the bin width is {width:g} {unit}: widen it"
            )
        return ends[0], ends[1]

    background = tuple(moved(*part, "background") for part in gate.background)
    return Gate(*moved(gate.low, gate.high, "the gate"), background)


def _quantity(path: Path, columns: tuple[str, str]) -> Quantity:
    """The quantity of both axes."""
    x, y = (BY_COLUMN[name[:-2]] for name in columns)
    if x != y or x not in PULSE_HEIGHTS:
        raise UsageError(
            f"{path}: gates need a matrix of two energies or of two adc values, but this one has the axes "
            f"{x.column} and {y.column}: use gp.project in Python"
        )
    return x


def _stored_width(summary: dict[str, Any], column: str) -> Any:
    """The width of an axis' bins in the summary of the command that wrote the matrix; earlier versions: `bin_x`."""
    bins = summary.get("bins")
    axes = [one for one in bins if isinstance(one, dict)] if isinstance(bins, list) else []
    widths = {str(one.get("column")): one.get("width") for one in axes}
    return widths.get(column, summary.get(f"bin_{column[-1]}"))


def _bins(path: Path, centres: npt.NDArray[np.float64], stored_width: Any) -> tuple[float, float]:
    """An edge and the width of an axis' bins; the width as the matrix's own file has it, or as given by its centres."""
    try:
        if isinstance(stored_width, int | float) and 0 < stored_width < 1e300:
            places = (centres - centres[0]) / stored_width
            if np.abs(places - np.rint(places)).max() < CLOSE:
                return float(centres[0] - stored_width / 2), float(stored_width)
        axis = axis_of(centres, "energy_kev")
    except OutputError:
        raise InputError(f"{path}: the matrix has bins of different widths and cannot be gated: rebin it") from None
    return axis.start - axis.width / 2, axis.width
