"""The correction that detectors.toml asks for, as commands apply it to the hits of their runs."""

from collections.abc import Iterator

import polars as pl

from gammapolars.detectors import Detectors
from gammapolars.drift.attach import Knots
from gammapolars.drift.table import load_drift
from gammapolars.io import Runs
from gammapolars.io.order import ORDER_COLUMNS
from gammapolars.products.product import run_of
from gammapolars.streaming import batches_of, by_run, lazy_frame
from gammapolars.time_order import time_ordered
from gammapolars.timing import spread_ps


class Correction:
    """What a table of drift makes of the hits of some runs.

    Args:
        detectors: they name the table.
        runs: those whose hits are to be corrected.

    Raises:
        InputError: the table is missing or is none.
    """

    def __init__(self, detectors: Detectors, runs: Runs) -> None:
        assert detectors.drift_path
        drift = load_drift(detectors.drift_path)
        self._knots, self._numbers = Knots.of(drift), drift.numbers(runs)
        self._known = set(drift.table["run"].unique())
        self._source = detectors.drift_path.name
        self._names = {number: run.name for number, run in enumerate(runs.all, 1)}
        self._single = len(runs.all) == 1
        calibrated = [one for one in detectors if one.energy]
        self._untracked = [one.name for one in calibrated if one.key not in drift.detectors]
        self._strangers: set[int] = set()

    @property
    def warnings(self) -> list[str]:
        """What a reader must know, one sentence each, when the hits have been read."""
        found = []
        if self._strangers:
            names = ", ".join(self._names.get(number, f"run {number}") for number in sorted(self._strangers))
            found.append(f"{self._source} does not know {names}: energies are not corrected for drift")
        if self._untracked:
            found.append(f"{self._source} has no drift of {', '.join(self._untracked)}: taken to be steady")
        return found

    def columns(self, hits: pl.Schema) -> pl.Schema:
        """The columns of hits when they are corrected."""
        return pl.Schema(
            {name: dtype for name, dtype in hits.items() if name != "gain_factor"} | {"gain_factor": pl.Float64()}
        )

    def corrected(self, hits: pl.DataFrame) -> pl.DataFrame:
        """Hits of one run, in time order, with `gain_factor`; one that a stranger's hits have already is kept."""
        number = run_of(hits)
        if self._numbers is None:
            tracked = number if number in self._known else None
        else:
            tracked = self._numbers.get(1 if self._single and number not in self._names else number)
        if tracked is None:
            if "gain_factor" in hits.columns:
                return hits.select(*self.columns(hits.schema)).with_columns(pl.col("gain_factor").fill_null(1.0))
            self._strangers.add(number)
            return hits.with_columns(gain_factor=pl.lit(1.0))
        return self._knots.attached(hits.lazy(), tracked).collect()


def correction_of(detectors: Detectors, runs: Runs) -> Correction | None:
    """The correction that detectors ask for, if they do."""
    return Correction(detectors, runs) if detectors.drift else None


def corrected_hits(hits: pl.LazyFrame, runs: Runs, detectors: Detectors, correction: Correction | None) -> pl.LazyFrame:
    """A run's hits with `gain_factor`, put in time order on the way; as they are, where there is no correction.

    Args:
        hits: the hits of the runs, with or without the detectors' time offsets.
        runs: where they come from.
        detectors: whose offsets were subtracted.
        correction: from `correction_of`.
    """
    if correction is None:
        return hits
    columns = hits.collect_schema()
    needed = {*ORDER_COLUMNS, "run", "gain_factor"}

    def batches(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
        assert correction
        read = [name for name in columns if wanted is None or name in {*wanted, *needed}]
        for of_run in by_run(batches_of(hits.select(read))):
            reorder_ps = runs.reorder_ps + spread_ps(detectors)
            for batch in time_ordered(of_run, reorder_ps=reorder_ps, on_repair=runs.note_repair):
                corrected = correction.corrected(batch)
                yield corrected if wanted is None else corrected.select(wanted)

    return lazy_frame(correction.columns(columns), batches)
