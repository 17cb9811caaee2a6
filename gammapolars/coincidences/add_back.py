"""Add-back: the energies that one gamma ray leaves in several crystals of a group are summed to one hit."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator

import numpy as np
import polars as pl

from gammapolars.coincidences.events import detector_counts, event_starts, parse_span
from gammapolars.core import schema
from gammapolars.core.errors import UsageError
from gammapolars.core.flags import FLAGS, has_any
from gammapolars.core.frames import AnyFrame, lazy
from gammapolars.core.types import Key
from gammapolars.corrections import by_detector, calibrate
from gammapolars.detectors import AnyDetectors, Detector, Detectors, detectors_of
from gammapolars.streaming.slices import SLICE_HITS, lazy_frame, slices
from gammapolars.streaming.time_order import REORDER_PS

ADD_BACK_WINDOW = "100ns"

NEEDED = ("board", "channel", "timestamp_ps", "flags")

ADDED = "added_hits"


def add_back(
    hits: AnyFrame,
    detectors: AnyDetectors,
    window: str | int = ADD_BACK_WINDOW,
    *,
    leave_out: Collection[str] = (),
    reorder_ps: int = REORDER_PS,
    slice_hits: int = SLICE_HITS,
) -> pl.LazyFrame:
    """Hits after add-back: hits of one gamma ray in several crystals of a group are summed.

    Detectors of one `group` and one `kind` are added back as if they were one crystal: all of their hits up to `window`
    after the first of them (closed) become one, two hits of the same crystal as well. The sum has the energy of all,
    and the time, detector, adc and everything else of the hit with the largest energy (of equal ones, the earliest).
    Its flags are those of all parts together, so that a sum with a piled-up or saturated part is rejected like such a
    hit. Hits without energy and fake events are not added; they, and hits outside any group, stay as they are. The
    result is the same whatever the size of slices.

    Args:
        hits: a table of hits, nearly in time order. Where it has `energy_kev`, that is added; otherwise the energy that
            the calibrations give for `adc`.
        detectors: their groups, kinds and calibrations.
        window: `100ns`, or picoseconds.
        leave_out: kinds of detectors that are not added back, such as the shields of a group.
        reorder_ps: how far back in time a hit may lie and still be put in its place.
        slice_hits: hits per slice; memory is proportional to it.

    Returns:
        A lazy table of hits in time order, with `energy_kev`, and `added_hits`: the number of hits in each.

    Raises:
        TableError: the frame is not a table of hits.
        UsageError: no group has two detectors of a kind, or one of them is not calibrated.
        TimeOrderError: when collected, if hits lie too far back in time to be repaired.
    """
    hits = lazy(hits, "hits")
    detectors = detectors_of(detectors)
    rule = AddBack(detectors, window, leave_out=leave_out)
    columns = rule.require(hits)

    def batches(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
        read = {*NEEDED, "run", *(["energy_kev"] if "energy_kev" in columns else ["adc", "gain_factor"])}
        rows = hits if wanted is None else hits.select(name for name in columns if name in {*read, *wanted})
        parts = slices(rows, 0, reorder_ps=reorder_ps, slice_hits=slice_hits)
        yield from rule.added(part.own for part in parts)

    return lazy_frame(rule.schema(columns), batches)


class AddBack:
    """Which detectors are added back, and how many hits became part of another.

    Args:
        detectors: their groups, kinds and calibrations.
        window: as for `add_back`.
        leave_out: kinds of detectors that are not added back.
        removed: flags of hits that are not used, and that stay as they are.

    Attributes:
        window_ps: how long after the first hit of a sum another belongs to it.
        merged: hits that are no longer rows of their own, by (board, channel).
    """

    def __init__(
        self,
        detectors: Detectors,
        window: str | int = ADD_BACK_WINDOW,
        *,
        leave_out: Collection[str] = (),
        removed: int = 0,
    ) -> None:
        self.window_ps = parse_span(window, "add-back")
        self.merged: Counter[Key] = Counter()
        self._detectors, self._aside = detectors, FLAGS["fake_event"] | removed
        counted = Counter((one.group, one.kind) for one in detectors if one.group and one.kind not in leave_out)
        numbers = {name: number for number, name in enumerate(sorted(name for name, n in counted.items() if n > 1))}
        if not numbers:
            raise UsageError(
                "add-back needs two detectors of the same kind in a group: give them a group in detectors.toml"
            )
        for one in detectors:
            if (one.group, one.kind) in numbers and one.energy is None:
                raise UsageError(
                    f"add-back sums energies, but {one.name} of group '{one.group}' has no energy "
                    "calibration: calibrate it or remove it from the group"
                )

        def number(one: Detector) -> int | None:
            return numbers.get((one.group, one.kind))

        self._set = by_detector(detectors, number, pl.Int32)

    def require(self, hits: pl.LazyFrame) -> pl.Schema:
        """The schema of a table of hits, checked for the columns needed."""
        found = hits.collect_schema()
        return schema.require(
            hits, schema.HITS, columns=(*NEEDED, *(["energy_kev"] if "energy_kev" in found else ["adc"]))
        )

    def schema(self, columns: pl.Schema) -> pl.Schema:
        """The columns of the sums, from those of the hits."""
        kept = {name: dtype for name, dtype in columns.items() if name != ADDED}
        return pl.Schema({**kept, "energy_kev": pl.Float64(), ADDED: pl.UInt32()})

    def added(self, frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """The hits with their sums, of hits in time order; frames hold hits of one run each, runs follow one another.

        Hits after the first one of an incomplete sum wait, so that time order holds.
        """
        waiting: pl.DataFrame | None = None
        run = None
        for frame in frames:
            if frame.is_empty():
                continue
            now = frame["run"][0] if "run" in frame.columns else None
            if waiting is not None and now != run:
                yield self._summed(waiting, complete=True)[0].drop("_set")
                waiting = None
            run, hits = now, self._prepared(frame)
            done, waiting = self._summed(hits if waiting is None else pl.concat([waiting, hits]), complete=False)
            if done.height:
                yield done.drop("_set")
        if waiting is not None:
            yield self._summed(waiting, complete=True)[0].drop("_set")

    def _prepared(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Hits with their energy, the number of their set, and `added_hits`: 0 for those that are yet to be summed."""
        rows = frame.lazy().drop(ADDED, strict=False)
        if "energy_kev" not in frame.columns:
            rows = calibrate(rows, self._detectors)
        fit = self._set.is_not_null() & pl.col("energy_kev").is_finite() & ~has_any(self._aside)
        added = pl.when(fit).then(0).otherwise(1).cast(pl.UInt32)
        return rows.with_columns(added.alias(ADDED), _set=self._set.fill_null(-1)).collect()

    def _summed(self, hits: pl.DataFrame, *, complete: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Hits, `_prepared`, with all sums that nothing can be added to any more, and those that must wait."""
        times, last = hits["timestamp_ps"].to_numpy(), int(hits["timestamp_ps"][-1])
        rows = np.flatnonzero(hits[ADDED].to_numpy() == 0)
        if not len(rows):
            end = hits.height if complete else int(hits["timestamp_ps"].search_sorted(last, side="left"))
            return hits[:end], hits[end:]
        sets = hits["_set"].to_numpy()[rows]
        order = np.argsort(sets, kind="stable")
        rows, sets = rows[order], sets[order]
        starts = event_starts(times[rows], self.window_ps, "first", np.append(True, np.diff(sets) != 0))
        first = np.flatnonzero(starts)
        begins = times[rows[first]]
        open_ = np.zeros(len(first), np.bool_) if complete else begins + self.window_ps >= last
        until = int(begins[open_].min(initial=last))
        energies = hits["energy_kev"].to_numpy()[rows]
        number = np.cumsum(starts) - 1
        highest = np.flatnonzero(energies == np.maximum.reduceat(energies, first)[number])
        largest = highest[np.unique(number[highest], return_index=True)[1]]
        into = rows[largest[~open_]]
        columns = {name: hits[name].to_numpy(writable=True) for name in ("energy_kev", "flags", ADDED)}
        columns["energy_kev"][into] = np.add.reduceat(energies, first)[~open_]
        columns["flags"][into] = np.bitwise_or.reduceat(hits["flags"].to_numpy()[rows], first)[~open_]
        columns[ADDED][into] = np.diff(np.append(first, len(rows)))[~open_]
        stays = np.ones(hits.height, np.bool_)
        stays[rows[~open_[number]]] = False
        stays[into] = True
        self.merged.update(detector_counts(hits.filter(~stays)))
        # A column of energies that are null somewhere must stay null there: only sums are replaced.
        energy = pl.when(pl.Series(columns[ADDED]) > 1).then(pl.Series(columns["energy_kev"])).otherwise("energy_kev")
        summed = hits.with_columns(
            energy.alias("energy_kev"), **{name: pl.Series(columns[name]) for name in ("flags", ADDED)}
        ).filter(stays)
        end = summed.height if complete else int(summed["timestamp_ps"].search_sorted(until, side="left"))
        return summed[:end], summed[end:]
