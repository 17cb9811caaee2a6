"""Files that one pass over a run can write next to its pairs: matrix, spectra, rates and time differences."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from gammapolars.analysis.accumulators import (
    Accumulator,
    Matrix,
    Rates,
    TimeDifferences,
)
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.spectra_counter import spectra_counter, spectra_table
from gammapolars.coincidences import PairRule
from gammapolars.commands.coincidences.parse import Further
from gammapolars.core.errors import UsageError
from gammapolars.core.flags import union
from gammapolars.detectors import Detectors, named
from gammapolars.io import check_writable, save
from gammapolars.io.output import check_output, check_suffix
from gammapolars.spectra import fitting_bin_kev
from gammapolars.spectra.bins import check_width

Texts = dict[str, str]
"""Provenance, for the formats that carry it."""

LEAST_REACH_PS = 1000


def check(further: Further, *, overwrite: bool) -> None:
    """Raise before any work if one of the files could not be written.

    Raises:
        UsageError: an unknown suffix.
        OutputError: one exists already.
    """
    tables = (further.spectra, further.rates, further.time_differences)
    if further.bin_kev is not None:
        if not further.matrix:
            raise UsageError(
                "--bin-kev is the bin width of a matrix: write the matrix with --matrix, or leave --bin-kev out"
            )
        check_width(further.bin_kev)
    if further.matrix:
        from gammapolars.io.matrix_files import SUFFIXES

        check_suffix(further.matrix, "matrices are", SUFFIXES)
        check_output(further.matrix, overwrite=overwrite)
    for path in tables:
        if path:
            check_writable(path, overwrite=overwrite, text=True)


@dataclass
class FurtherProducts:
    """Counters for some files, and their writers.

    Attributes:
        files: the files to write: the symmetric matrix of the pairs' energies, with random coincidences subtracted
            if pairs are weighted; the spectrum of each detector's used hits; counts of each detector over time; and a
            histogram of each detector pair's time differences.
        rule: of the pairs.
        recording: whose hits are paired.
        sums: whether energies are of several hits each, as add-back makes them, and do not follow from the adc.
        products: to be counted in the pass, before `save`.
    """

    files: Further
    rule: PairRule
    recording: Recording
    sums: bool = False
    products: list[Accumulator] = field(default_factory=list)
    _savers: dict[Path, Callable[[bool, Texts], None]] = field(default_factory=dict)

    @property
    def detectors(self) -> Detectors:
        """Names and calibrations."""
        return self.recording.detectors

    def __post_init__(self) -> None:
        if self.files.matrix:
            self._add_matrix(self.files.matrix)
        if self.files.spectra:
            self._add_spectra(self.files.spectra, union(self.rule.reject))
        if self.files.rates:
            rates = Rates(mask=union(self.recording.masks("none")))
            self._add(self.files.rates, rates, lambda: named(rates.table(), self.detectors))
        if path := self.files.time_differences:
            differences = TimeDifferences(max(self.rule.reach, LEAST_REACH_PS))
            self._add(path, differences, lambda: within(differences.table(self.detectors), self.rule))

    def _add(self, path: Path, product: Accumulator, table: Callable[[], pl.DataFrame]) -> None:
        self.products.append(product)
        self._savers[path] = lambda overwrite, texts: save(table().lazy(), path, overwrite=overwrite, metadata=texts)

    def _add_spectra(self, path: Path, mask: int) -> None:
        bin_kev = fitting_bin_kev(self.detectors) if self.sums or self.recording.has_energies else None
        counts = spectra_counter(self.recording, mask, bin_kev, sums=self.sums)
        self._add(path, counts, lambda: named(spectra_table(counts, self.detectors, bin_kev), self.detectors))

    def _add_matrix(self, path: Path) -> None:
        from gammapolars.io.matrix_files import save_matrix  # with the formats of spectra, which pairs do not need

        bin_kev = self.files.bin_kev
        matrix = Matrix.of_energies(
            self.rule.window, self.detectors, bin_kev=bin_kev, calibrated=self.recording.is_calibrated, sums=self.sums
        )
        self.recording.require_along(*(axis.quantity for axis in matrix.axes))
        width = matrix.axes[0].width
        self.products.append(matrix)
        self._savers[path] = lambda overwrite, texts: save_matrix(
            matrix.table(), path, bin_x=width, bin_y=width, overwrite=overwrite, metadata=texts
        )

    def save(self, metadata: Callable[[], Texts], *, overwrite: bool) -> list[Path]:
        """Write the files, if any, when the pass is over.

        Returns:
            Their names.
        """
        if self._savers:
            texts = metadata()
            with ThreadPoolExecutor(2, thread_name_prefix="save") as pool:
                # Each thread has to know to which outputs its own belong.
                saved = [pool.submit(copy_context().run, write, overwrite, texts) for write in self._savers.values()]
            for each in saved:
                each.result()
        return list(self._savers)


def within(time_differences: pl.DataFrame, rule: PairRule) -> pl.DataFrame:
    """The bins of time differences that lie in the windows of a rule: in others no pairs were looked for."""
    dt = pl.col("dt_ns") * 1000
    low, high = rule.window
    both = [(low, high)] if rule.detectors else [(-high, high)]
    windows = [*both, *(rule.regions.random if rule.regions else ())]
    half = pl.col("width_ns") * 500
    return time_differences.filter(
        pl.any_horizontal(*((dt + half >= begin) & (dt - half <= end) for begin, end in windows))
    )
