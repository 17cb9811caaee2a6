"""Selections of a run's hits before they are paired or built to events, and the number of hits that they remove."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from gammapolars.analysis.accumulators import HitTally
from gammapolars.analysis.accumulators.accumulator import State
from gammapolars.coincidences import AddBack, Veto, Vetoes
from gammapolars.coincidences.add_back import ADDED
from gammapolars.core.records import Part
from gammapolars.corrections import calibrate
from gammapolars.detectors import Detectors
from gammapolars.streaming.slices import Slice, pieces, slices


@dataclass(frozen=True)
class PreselectionAccount(Part):
    """Hits that add-back and vetoes took away.

    Attributes:
        hits_added_back: hits that became part of another.
        hits_vetoed: hits that a veto detector's hit dropped.
        hits_vetoing: hits of the veto detectors themselves.
        added_back: hits that became part of another, by their detectors' names.
        vetoed: hits that were dropped, by their detectors' names.
        vetoing: hits of veto detectors, by their names.
        add_back_ps: the window of add-back (ps).
        vetoes: kinds of detectors and their windows.
    """

    hits_added_back: int
    hits_vetoed: int
    hits_vetoing: int
    added_back: dict[str, int]
    vetoed: dict[str, int]
    vetoing: dict[str, int]
    add_back_ps: int | None
    vetoes: tuple[str, ...]


class Preselection:
    """Add-back, then vetoes, on a run's aligned and calibrated hits.

    A hit counts where it is taken away first: removed by a selection, added to another, vetoed, and only then rejected
    by its flags.

    Args:
        detectors: time offsets, calibrations, kinds and groups.
        add_back: the window of add-back, such as `100ns`; None: no add-back. Kinds that veto are not added back.
        vetoes: such as `BGO=200ns`.

    Attributes:
        read: all hits, before any is taken away.

    Raises:
        UsageError: an impossible window, kind or group, or a missing calibration.
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

    @property
    def reach_ps(self) -> int:
        """Hits further apart than this have nothing to do with each other, unless others lie between them."""
        add_back, vetoes = self._add_back, self._vetoes
        return (add_back.window_ps if add_back else 0) + (vetoes.reach_ps if vetoes else 0)

    @property
    def takes_away(self) -> bool:
        """Whether there is add-back or a veto: else all hits are left."""
        return self.adds_back or bool(self._parsed)

    def _begin(self, removed: int = 0) -> None:
        self.read = HitTally()
        kinds = [one.kind for one in self._parsed]
        self._vetoes = Vetoes(self._detectors, self._parsed, removed=removed) if self._parsed else None
        self._add_back = None
        if self._window is not None:
            self._add_back = AddBack(self._detectors, self._window, leave_out=kinds, removed=removed)

    def columns(self, hits: pl.Schema) -> pl.Schema:
        """The columns of the hits that are left: with `energy_kev` where there are detectors."""
        if not len(self._detectors):
            return hits
        return calibrate(pl.LazyFrame(schema=hits), self._detectors).collect_schema()

    def passed(self, parts: Iterator[Slice], *, removed: int = 0) -> Iterator[pl.DataFrame]:
        """The hits that are left, calibrated, in time order, in frames of one run each; counted anew each time.

        Args:
            parts: slices of aligned and corrected hits, none of which overlap.
            removed: flags of hits that a selection has removed already: they pass as they are.
        """
        self._begin(removed)
        hits = self._calibrated(parts)
        if self._add_back:
            hits = (frame.drop(ADDED) for frame in self._add_back.added(hits))
        if self._vetoes:
            hits = self._vetoes.left_of(slices(hits, self._vetoes.reach_ps, reorder_ps=0))
        yield from hits

    def _calibrated(self, parts: Iterator[Slice]) -> Iterator[pl.DataFrame]:
        for part in parts:
            for hits in pieces(part.own):
                self.read.add_hits(hits)
            yield calibrate(part.own.lazy(), self._detectors).collect() if len(self._detectors) else part.own

    def state(self) -> State:
        """What has been taken away so far, as plain data."""
        return {
            "read": self.read.state(),
            "added_back": dict(self._add_back.merged) if self._add_back else {},
            "vetoed": dict(self._vetoes.vetoed) if self._vetoes else {},
            "vetoing": dict(self._vetoes.vetoing) if self._vetoes else {},
        }

    def merge(self, state: State) -> None:
        """Add the state of the stretch that follows."""
        self.read.merge(state["read"])
        if self._add_back:
            self._add_back.merged.update(state["added_back"])
        if self._vetoes:
            self._vetoes.vetoed.update(state["vetoed"])
            self._vetoes.vetoing.update(state["vetoing"])

    def account(self) -> PreselectionAccount:
        """How many hits have been taken away."""
        added_back = self._add_back.merged if self._add_back else {}
        vetoed = self._vetoes.vetoed if self._vetoes else {}
        vetoing = self._vetoes.vetoing if self._vetoes else {}
        return PreselectionAccount(
            hits_added_back=sum(added_back.values()),
            hits_vetoed=sum(vetoed.values()),
            hits_vetoing=sum(vetoing.values()),
            added_back=by_name(added_back, self._detectors),
            vetoed=by_name(vetoed, self._detectors),
            vetoing=by_name(vetoing, self._detectors),
            add_back_ps=self._add_back.window_ps if self._add_back else None,
            vetoes=tuple(map(str, self._parsed)),
        )


def preselection_of(detectors: Detectors, add_back: str | None, vetoes: Sequence[str] | None) -> Preselection | None:
    """The policies that options ask for, if they do."""
    return Preselection(detectors, add_back=add_back, vetoes=vetoes or ()) if add_back or vetoes else None


def by_name(counts: dict[tuple[int, int], int], detectors: Detectors) -> dict[str, int]:
    """Counts by (board, channel), by the detectors' names."""
    return {detectors.at(*key).name: count for key, count in sorted(counts.items())}
