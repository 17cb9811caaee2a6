"""Summaries of commands: records with shared parts, each written once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from gammapolars.analysis.accounting import HitAccount, Times, account, clock_warnings, times
from gammapolars.analysis.accumulators import HitTally
from gammapolars.analysis.chance import LOST, RandomNet
from gammapolars.analysis.preselection import PreselectionAccount
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.run_warnings import run_warnings
from gammapolars.core.records import Part, optional
from gammapolars.core.summaries import CommandSummary, SharedSummary
from gammapolars.core.units import Window
from gammapolars.io.provenance import describe


@dataclass(frozen=True, kw_only=True)
class Summary(CommandSummary):
    """The summary of a command that may read runs."""

    def provenance(self, recording: Recording) -> dict[str, str]:
        """The metadata entry for an output that runs were read for."""
        return describe(recording.runs, self.to_json(), recording.detectors)


@dataclass(frozen=True, kw_only=True)
class RunSummary(Summary):
    """The summary of commands that read runs.

    Attributes:
        account: where every hit went.
        times: when hits were recorded.
    """

    account: HitAccount
    times: Times


def of_hits(
    recording: Recording,
    hits: HitTally,
    reject: Mapping[str, int],
    warnings: Iterable[str] = (),
    *,
    seen: HitTally | None = None,
    complete: bool = True,
) -> dict[str, Any]:
    """The arguments of a `RunSummary`: the account and the times of a run's hits, its files, and warnings.

    Args:
        recording: the data read.
        hits: those that were used or rejected.
        reject: the masks that disqualify a hit, by flag name.
        warnings: further ones, between those of the runs and those of the correction of gains.
        seen: all hits, if some were taken away before they could be used or rejected.
        complete: whether all hits were read.
    """
    runs = recording.runs
    of_runs = run_warnings(runs, seen or hits, complete=complete)
    return {
        "inputs": tuple(str(file.path) for file in runs.files),
        "account": account(hits, runs.losses, reject, seen=seen, selection=recording.selection),
        "times": times(seen or hits, runs),
        "warnings": (
            *of_runs,
            *clock_warnings(seen or hits, recording.detectors),
            *warnings,
            *recording.warnings,
        ),
    }


@dataclass(frozen=True, kw_only=True)
class PairCounts(Part):
    """How many pairs there are, and how many of them are random.

    Attributes:
        pairs: within the window.
        pairs_by_detectors: of each two detectors `board_a`, `channel_a`, `name_a`, `board_b`, `channel_b`, `name_b`,
            `pairs`, `chance_pairs_expected` and `chance_pairs_expected_unc`; with random windows also `random_pairs`,
            `random_pairs_expected`, `random_pairs_expected_unc`, `chance_pairs`, `chance_pairs_unc`, `net_pairs` and
            `net_pairs_unc`; and `live_fraction`, the part of the time in which neither is dead, `live_fraction_unc`,
            `lost_pairs`, `lost_pairs_unc`, and `live_doubt`, why these do not do for a correction; with `--live` also
            `live_pairs`, true pairs without dead time, and `live_pairs_unc`.
        window_ps: [low, high] (ps).
        random: the result of random windows, where there are any.
        chance_pairs_expected: how many random coincidences rates and dead times let expect among them.
        chance_pairs_expected_unc: one standard deviation.
    """

    DERIVED: ClassVar = ("lost_pairs", "lost_pairs_unc")

    pairs: int
    pairs_by_detectors: pl.DataFrame
    window_ps: Window
    random: RandomNet | None = optional()
    chance_pairs_expected: float
    chance_pairs_expected_unc: float

    @property
    def lost_pairs(self) -> float | None:
        """How many true pairs the detectors' dead times cost; null: these are not known."""
        return self._known("lost_pairs")

    @property
    def lost_pairs_unc(self) -> float | None:
        """One standard deviation of these."""
        if self.lost_pairs is None:
            return None
        lost, unc, part, part_unc = (
            self.pairs_by_detectors[name].fill_null(0.0).to_numpy()
            for name in ("lost_pairs", "lost_pairs_unc", "live_fraction", "live_fraction_unc")
        )
        alive = part * (1 - part)
        common = np.abs(lost) * np.divide(part_unc, alive, out=np.zeros_like(part), where=alive > 0)
        counts = np.maximum(unc**2 - common**2, 0.0).sum()
        return float(np.hypot(np.sqrt(counts), common.sum()))  # dead times of electronics of one kind err together

    def _known(self, name: str) -> float | None:
        values = self.pairs_by_detectors[name].drop_nulls()
        return float(values.sum()) if len(values) else None

    def without_lost(self) -> Self:
        """The same where the cost of dead times is not known."""
        nothing = self.pairs_by_detectors.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in LOST.items())
        return replace(self, pairs_by_detectors=nothing)


@dataclass(frozen=True, kw_only=True)
class PairSummary(SharedSummary, RunSummary):
    """The summary of commands that look for pairs.

    Attributes:
        of_pairs: how many there are.
        preselection: hits that add-back and vetoes took away, where there are such.
    """

    of_pairs: PairCounts
    preselection: PreselectionAccount | None = optional()
