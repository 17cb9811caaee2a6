"""Vetoes: hits that came together with one in a shield, or in any other detector that should have been silent, go."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from gammapolars.coincidences.events import detector_counts
from gammapolars.core import schema
from gammapolars.core.errors import UsageError
from gammapolars.core.flags import FLAGS, has_any
from gammapolars.core.frames import AnyFrame, lazy
from gammapolars.core.types import Key, Mask
from gammapolars.core.units import Window, parse_window
from gammapolars.core.wording import setting
from gammapolars.corrections import by_detector, energy_kev, gain_corrected_adc
from gammapolars.detectors import AnyDetectors, Detectors, detectors_of
from gammapolars.streaming.slices import SLICE_HITS, Slice, in_parallel, lazy_frame, slices
from gammapolars.streaming.time_order import REORDER_PS

VETO_KIND = "BGO"
VETO_WINDOW = "200ns"

NEEDED = ("board", "channel", "timestamp_ps", "flags")


def veto(
    hits: AnyFrame,
    detectors: AnyDetectors,
    kind: str = VETO_KIND,
    window: str | int | tuple[int, int] = VETO_WINDOW,
    *,
    min_adc: int = 0,
    min_energy_kev: float | None = None,
    keep: bool = False,
    reorder_ps: int = REORDER_PS,
    slice_hits: int = SLICE_HITS,
) -> pl.LazyFrame:
    """Hits without those in coincidence with a detector of some kind: anti-coincidence.

    A hit of another detector is dropped if a hit of a veto detector lies in the window around it, `low <= dt <= high`
    with dt = t_veto - t_hit. A veto detector that has a `group` vetoes only the detectors of its group, as the shield
    around one crystal does; one without a group vetoes all. Saturated and piled-up hits veto as others do, since
    there was a signal; fake events do not. The result is the same whatever the size of slices.

    Args:
        hits: a table of hits, nearly in time order.
        detectors: their kinds and groups.
        kind: of the veto detectors.
        window: `200ns`, `LOW:HIGH`, picoseconds, or (low, high) in picoseconds.
        min_adc: the least adc of a hit that vetoes.
        min_energy_kev: its least energy; of `energy_kev` where hits have it, else by the detectors' calibrations.
        keep: whether the veto detectors' own hits stay; else they are dropped as well.
        reorder_ps: how far back in time a hit may lie and still be put in its place.
        slice_hits: hits per slice; memory is proportional to it.

    Returns:
        The remaining hits, in time order, lazily, with the columns that they had.

    Raises:
        TableError: the frame is not a table of hits.
        UsageError: an impossible window, no detector of this kind, or an energy of one that is not calibrated.
        TimeOrderError: when collected, if hits lie too far back in time to be repaired.
    """
    hits = lazy(hits, "hits")
    detectors = detectors_of(detectors)
    one = Veto(kind, parse_window(window), min_adc=min_adc, min_energy_kev=min_energy_kev, keep=keep)
    rule = Vetoes(detectors, [one])
    columns = rule.require(hits)

    def batches(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
        read = {*rule.needed(columns), "run", "gain_factor", *(wanted or ())}
        rows = hits if wanted is None else hits.select(name for name in columns if name in read)
        yield from rule.left_of(slices(rows, rule.reach_ps, reorder_ps=reorder_ps, slice_hits=slice_hits))

    return lazy_frame(columns, batches)


@dataclass(frozen=True)
class Veto:
    """One kind of detector whose hits veto those of others.

    Attributes:
        kind: of the veto detectors.
        window: where t_veto - t_hit lies.
        min_adc: the least adc of a hit that vetoes.
        min_energy_kev: its least energy.
        keep: whether the veto detectors' own hits stay.
    """

    kind: str
    window: Window
    min_adc: int = 0
    min_energy_kev: float | None = None
    keep: bool = False

    @classmethod
    def parse(cls, text: str) -> "Veto":
        """A veto as the command line names it: `BGO=200ns`, `BGO=-100ns:300ns,min_adc=20,keep`, or `min_kev=50`.

        Raises:
            UsageError: it cannot be read.
        """
        kind, equals, rest = text.partition("=")
        window, *others = rest.split(",")
        given: dict[str, Any] = {}
        for part in others:
            name, _, value = part.strip().replace("-", "_").partition("=")
            if name == "keep" and not value:
                given["keep"] = True
            elif name == "min_adc" and value.isdecimal():
                given["min_adc"] = int(value)
            elif name == "min_kev" and value.replace(".", "", 1).isdecimal():
                given["min_energy_kev"] = float(value)
            else:
                raise UsageError(
                    f"{setting('--veto', 'veto')} {text}: '{part}' is not one of min_adc=NUMBER, min_kev=NUMBER, keep"
                )
        if not kind or not equals:
            veto = setting("--veto", "veto")
            raise UsageError(f"{veto} takes a kind of detector and a window, such as BGO=200ns, not '{text}'")
        return cls(kind.strip(), parse_window(window), **given)

    def __str__(self) -> str:
        limits = [f", adc at least {self.min_adc}"] if self.min_adc else []
        limits += [] if self.min_energy_kev is None else [f", at least {self.min_energy_kev:g} keV"]
        return f"{self.kind} within {self.window}{''.join(limits)}"


class _Left(NamedTuple):
    """The hits of a slice that are kept, and those removed: by a veto, and the veto detectors' own."""

    hits: pl.DataFrame
    vetoed: dict[Key, int]
    vetoing: dict[Key, int]


class Vetoes:
    """Several vetoes, all judged on the same hits, so that their order does not matter; and the hits they dropped.

    Args:
        detectors: their kinds and groups.
        vetoes: all of them.
        removed: flags of hits that are not used: they neither veto nor are vetoed, and stay as they are.

    Attributes:
        reach_ps: the largest |dt| of interest.
        vetoed: hits that were dropped because of a veto, by (board, channel).
        vetoing: hits of veto detectors that were dropped as such.
    """

    def __init__(self, detectors: Detectors, vetoes: Sequence[Veto], *, removed: int = 0) -> None:
        self._detectors, self._all, self._removed = detectors, vetoes, removed
        self.reach_ps = max((one.window.reach for one in vetoes), default=0)
        self.vetoed: Counter[Key] = Counter()
        self.vetoing: Counter[Key] = Counter()
        kinds = sorted({one.kind for one in detectors if one.kind})
        numbers = {kind: number for number, kind in enumerate(kinds)}
        groups = {group: number for number, group in enumerate(sorted({one.group for one in detectors} | {""}))}
        for one in vetoes:
            if one.kind not in kinds:
                known = f"kinds in detectors.toml: {', '.join(kinds)}" if kinds else "detectors.toml names no kinds"
                raise UsageError(f"there is no veto detector of kind '{one.kind}' ({known})")
            if one.min_energy_kev is not None:
                for detector in detectors:
                    if detector.kind == one.kind and detector.energy is None:
                        raise UsageError(
                            f"a veto threshold of {one.min_energy_kev:g} keV needs an energy calibration of "
                            f"{detector.name}: give min_adc instead"
                        )
        self._numbers = numbers
        self._kind = by_detector(detectors, lambda one: numbers.get(one.kind), pl.Int32).fill_null(-1)
        self._group = by_detector(detectors, lambda one: groups[one.group], pl.Int32).fill_null(0)

    def needed(self, columns: pl.Schema) -> list[str]:
        """The columns of hits that the vetoes are judged by."""
        found = list(NEEDED)
        found += ["adc"] if any(one.min_adc for one in self._all) else []
        if any(one.min_energy_kev is not None for one in self._all):
            found.append("energy_kev" if "energy_kev" in columns else "adc")
        return found

    def require(self, hits: pl.LazyFrame) -> pl.Schema:
        """The schema of a table of hits, checked for the columns needed."""
        return schema.require(hits, schema.HITS, columns=tuple(self.needed(hits.collect_schema())))

    def left_of(self, parts: Iterable[Slice]) -> Iterator[pl.DataFrame]:
        """The hits that are left of slices that reach at least as far as the vetoes."""
        for left in in_parallel(self._left, parts):
            self.vetoed.update(left.vetoed)
            self.vetoing.update(left.vetoing)
            if left.hits.height:
                yield left.hits

    def _left(self, part: Slice) -> Iterator[_Left]:
        own = slice(part.first, part.end)
        energy = "energy_kev" if "energy_kev" in part.hits.columns else None
        adc = gain_corrected_adc(part.hits.columns) if "adc" in part.hits.columns else None
        keys = part.hits.select(self._kind.alias("kind"), self._group.alias("group"), "timestamp_ps")
        kind = keys["kind"].to_numpy()
        gone, silent = np.zeros(part.hits.height, np.bool_), np.zeros(part.hits.height, np.bool_)
        for one in self._all:
            fires = (self._kind == self._numbers[one.kind]) & ~has_any(FLAGS["fake_event"] | self._removed)
            if one.min_adc:
                fires &= pl.col("adc") >= one.min_adc
            if one.min_energy_kev is not None:
                known = pl.col(energy) if energy else energy_kev(self._detectors, adc=adc)
                fires &= (known >= one.min_energy_kev).fill_null(False)
            shield = kind == self._numbers[one.kind]
            fired = part.hits.select(fires.alias("fires"))["fires"].to_numpy()
            gone |= _together(keys, fired, np.logical_not(shield), one.window)
            silent |= shield & (not one.keep)
        if self._removed:
            used = ((part.hits["flags"] & self._removed) == 0).to_numpy()
            gone, silent = gone & used, silent & used
        mine = part.own
        vetoed, vetoing = (gone & ~silent)[own], silent[own]
        yield _Left(
            mine.filter(~(vetoed | vetoing)),
            detector_counts(mine.filter(vetoed)),
            detector_counts(mine.filter(vetoing)),
        )


def _together(keys: pl.DataFrame, fired: Mask, others: Mask, window: Window) -> Mask:
    """True for hits of others that have one which fired in the window, in their group where that has a group."""
    times, group = keys["timestamp_ps"].to_numpy(), keys["group"].to_numpy()
    found = np.zeros(len(times), np.bool_)
    for number in np.unique(group[fired]):
        partners = times[fired & (group == number)]
        rows = np.flatnonzero(others & (group == number) if number else others)
        before = np.searchsorted(partners, times[rows] + window.low, side="left")
        behind = np.searchsorted(partners, times[rows] + window.high, side="right")
        found[rows] |= before < behind
    return found
