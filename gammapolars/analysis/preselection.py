"""What is done to a run's hits before they are paired or built to events, and how many hits that takes away."""

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from gammapolars.analysis.accounting import times
from gammapolars.analysis.accumulators import HitTally
from gammapolars.coincidences import AddBack, Veto, Vetoes
from gammapolars.coincidences.add_back import ADDED
from gammapolars.corrections import calibrate
from gammapolars.detectors import Detectors
from gammapolars.io import Losses, Runs
from gammapolars.streaming.slices import Slice, slices


class Preselection:
    """Add-back, then vetoes, on a run's aligned and calibrated hits.

    A hit counts where it is taken away first: added to another, vetoed, and only then rejected by its flags.

    Args:
        detectors: time offsets, calibrations, kinds and groups.
        add_back: the window of add-back, such as `100ns`; None: no add-back. Kinds that veto are not added back.
        vetoes: such as `BGO=200ns`.

    Attributes:
        read: all hits, before any is taken away.

    Raises:
        UsageError: a window, kind or group that cannot be, or a missing calibration.
    """

    def __init__(self, detectors: Detectors, *, add_back: str | None = None, vetoes: Sequence[str | Veto] = ()) -> None:
        self._detectors = detectors
        self._parsed = [one if isinstance(one, Veto) else Veto.parse(one) for one in vetoes]
        self._window = add_back
        self._begin()

    @property
    def adds_back(self) -> bool:
        """Whether energies of several hits are summed, so that they no longer follow from an adc."""
        return self._window is not None

    def _begin(self) -> None:
        self.read = HitTally()
        kinds = [one.kind for one in self._parsed]
        self._vetoes = Vetoes(self._detectors, self._parsed) if self._parsed else None
        self._add_back = None
        if self._window is not None:
            self._add_back = AddBack(self._detectors, self._window, leave_out=kinds)

    def columns(self, hits: pl.Schema) -> pl.Schema:
        """The columns of the hits that are left: with `energy_kev` where there are detectors."""
        if not len(self._detectors):
            return hits
        return calibrate(pl.LazyFrame(schema=hits), self._detectors).collect_schema()

    def passed(self, parts: Iterator[Slice]) -> Iterator[pl.DataFrame]:
        """The hits that are left, calibrated, in time order, in frames of one run each; counted anew each time.

        Args:
            parts: slices of aligned and corrected hits, none of which overlap.
        """
        self._begin()
        hits = self._calibrated(parts)
        if self._add_back:
            hits = (frame.drop(ADDED) for frame in self._add_back.added(hits))
        if self._vetoes:
            hits = self._vetoes.left_of(slices(hits, self._vetoes.reach_ps, reorder_ps=0))
        yield from hits

    def _calibrated(self, parts: Iterator[Slice]) -> Iterator[pl.DataFrame]:
        for part in parts:
            self.read.add_hits(part.own)
            yield calibrate(part.own.lazy(), self._detectors).collect() if len(self._detectors) else part.own

    def account(self, runs: Runs, losses: Losses) -> dict[str, Any]:
        """The part of a summary that replaces what was told of hits as they were left.

        Returns:
            `hits_read`, of which `hits_added_back` became part of another, `hits_vetoed` were vetoed, and
            `hits_vetoing`, those of the veto detectors themselves, were dropped; each by detector too (`added_back`,
            `vetoed`, `vetoing`); the parameters; and the run's times.
        """
        gone = {
            "added_back": self._add_back.merged if self._add_back else {},
            "vetoed": self._vetoes.vetoed if self._vetoes else {},
            "vetoing": self._vetoes.vetoing if self._vetoes else {},
        }
        lost = losses.count("damaged") + losses.count("out_of_range")
        return {
            "hits_read": int(self.read.by_detector()["hits"].sum()) + lost,
            **{f"hits_{what}": sum(by_key.values()) for what, by_key in gone.items()},
            **{what: by_name(by_key, self._detectors) for what, by_key in gone.items()},
            "add_back_ps": self._add_back.window_ps if self._add_back else None,
            "vetoes": [str(one) for one in self._parsed],
            **times(self.read, runs),
        }


def preselection_of(detectors: Detectors, add_back: str | None, vetoes: Sequence[str] | None) -> Preselection | None:
    """The policies that options ask for, if they do."""
    return Preselection(detectors, add_back=add_back, vetoes=vetoes or ()) if add_back or vetoes else None


def by_name(counts: dict[tuple[int, int], int], detectors: Detectors) -> dict[str, int]:
    """Counts by (board, channel), by the detectors' names."""
    return {detectors.at(*key).name: count for key, count in sorted(counts.items())}
