"""Selections of single hits: thresholds and ranges of detectors, a least energy, and polygons."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import polars as pl

from gammapolars.core.errors import TableError, UsageError
from gammapolars.core.flags import REMOVED, union
from gammapolars.core.frames import AnyFrame, lazy
from gammapolars.core.schema import HITS, require
from gammapolars.core.wording import setting
from gammapolars.corrections.energy import by_detector, gain_corrected_adc, hit_energy
from gammapolars.detectors import AnyDetectors, Detector, Detectors, detectors_of
from gammapolars.detectors.hits import is_one_of
from gammapolars.gates import PolygonGate, load_gates
from gammapolars.streaming.slices import batches_of, lazy_frame

Keep = str | Path | PolygonGate | Sequence[PolygonGate]
"""Polygons, or the file that they are in."""

KEPT, UNKNOWN, NO_ADC = 0, 1, 2
"""Instead of a bit of `REMOVED`: the hit stays; or it has no energy, or no adc, to judge it by."""

ENERGY = "energy_kev"


def select_hits(
    hits: AnyFrame, detectors: AnyDetectors, min_energy_kev: float | None = None, keep: Keep | None = None
) -> pl.LazyFrame:
    """Hits at and above the thresholds of their detectors, in their ranges, and in a polygon.

    These are the hits that the commands use with the same `--detectors`, `--min-energy` and `--keep`. A hit at a
    threshold stays, and so does one at either end of a range. Energies are those that `calibrate` gives, corrected for
    drift where hits have `gain_factor`; values of adc are as recorded. Of several polygons a hit has to lie in one; a
    polygon with `detectors` judges only the hits of these, and a hit that none judges stays.

    A detector is dead after the hits that are taken away as after others: measure rates and dead times
    (`true_rates`) with all hits, and multiply the true rate by the part of the detector's hits that stays.

    Args:
        hits: a table of hits, before add-back.
        detectors: their `threshold_adc`, `threshold_kev`, `range_adc`, `range_kev`, and energy calibrations; or the
            path of detectors.toml.
        min_energy_kev: a threshold (keV) for all detectors besides.
        keep: polygons, or a file of them, in two columns of hits: `adc`, `adc_short`, `psd`, `energy_kev`, …

    Returns:
        The hits that stay, lazily, with the columns and in the order that they had.

    Raises:
        TableError: hits lack a column that a threshold or a polygon needs.
        UsageError: an impossible threshold or polygon; or, when collected, hits without an energy to judge them by.
    """
    hits = lazy(hits, "hits")
    columns = require(hits, HITS, columns=("board", "channel"))
    selection = Selection.of(detectors_of(detectors), min_energy_kev, keep)
    if selection is None:
        return hits
    selection.check(columns)
    needed = selection.needed(columns)

    def batches(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
        names = [name for name in columns if wanted is None or name in {*wanted, *needed}]
        yield from (selection.kept(batch) for batch in batches_of(hits.select(names)))

    return lazy_frame(columns, batches)


@dataclass(frozen=True)
class Selection:
    """Which single hits are used, and which are removed before anything else is made of them.

    Attributes:
        detectors: their thresholds, ranges and calibrations.
        min_energy_kev: a threshold for all of them besides.
        polygons: a hit that some of them judge has to lie in one of these.
        keep: the name of the file of polygons.
        set_aside: names of detectors whose limits in keV are not applied.

    Raises:
        UsageError: a threshold that is not finite, or a polygon that names an unknown detector.
    """

    detectors: Detectors
    min_energy_kev: float | None = None
    polygons: tuple[PolygonGate, ...] = ()
    keep: str | None = None
    set_aside: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        least = self.min_energy_kev
        if least is not None and (not isinstance(least, int | float) or not math.isfinite(least)):
            raise UsageError(f"the minimum energy must be a finite number of keV, not {least!r}")
        for polygon in self.polygons:
            for name in polygon.detectors:
                self.detectors.named(name)

    @classmethod
    def of(
        cls, detectors: Detectors, min_energy_kev: float | None = None, keep: Keep | None = None
    ) -> "Selection | None":
        """What detectors, and options, ask for; None: all hits are used.

        Raises:
            InputError: the file of polygons is missing, or is none.
            UsageError: an impossible threshold or polygon.
        """
        file = str(keep) if isinstance(keep, str | Path) else None
        polygons = load_gates(keep, of_hits=True) if isinstance(keep, str | Path) else _polygons(keep)
        if min_energy_kev is None and not polygons and not any(map(_is_limited, detectors)):
            return None
        return cls(detectors, min_energy_kev, polygons, file)

    def in_adc(self) -> "Selection":
        """The same without thresholds in keV, for measurements of the energies themselves.

        Raises:
            UsageError: an energy is asked for besides those of detectors.toml.
        """
        if self.min_energy_kev is not None or any(ENERGY in (one.x, one.y) for one in self.polygons):
            raise UsageError("energies are only measured here: give thresholds in ADC channels (threshold_adc)")
        bare = tuple(replace(one, threshold_kev=None, range_kev=None) for one in self.detectors)
        return replace(self, detectors=replace(self.detectors, all=bare), set_aside=tuple(self.limited_kev))

    @property
    def energies(self) -> Detectors:
        """The detectors whose calibrations, and drift, it needs; none where it judges no energies."""
        return self.detectors if self.needs_energy else Detectors()

    @property
    def limits(self) -> dict[str, str]:
        """The settings as a person would write them."""
        names = [one.name for one in self.detectors if _is_limited(one)]
        found = {"thresholds": f"of {', '.join(names)}, in detectors.toml"} if names else {}
        found |= {} if self.min_energy_kev is None else {"least energy": f"{self.min_energy_kev:g} keV"}
        return found | ({"polygons": self.keep or "given"} if self.polygons else {})

    @property
    def limited_kev(self) -> list[str]:
        """The names of detectors that have limits in keV."""
        return [one.name for one in self.detectors if _are_limits(one.limits_kev)]

    @cached_property
    def needs_energy(self) -> bool:
        """Whether hits are judged by their energies."""
        of_polygons = any(ENERGY in (one.x, one.y) for one in self.polygons)
        return self.min_energy_kev is not None or of_polygons or bool(self.limited_kev)

    def needed(self, columns: Iterable[str]) -> set[str]:
        """The columns of hits that it looks at, of those that there are."""
        names = {"board", "channel", *(name for one in self.polygons for name in (one.x, one.y))}
        names |= {"adc", "adc_short"} if any(one.needs_further for one in self.polygons) else set()
        names |= {"adc", "gain_factor", ENERGY} if self.needs_energy else {"adc"}
        return names & set(columns)

    def check(self, columns: pl.Schema) -> None:
        """Raise where hits lack a column that they are judged by.

        Raises:
            TableError: they do.
        """
        if "adc" not in columns and any(_are_limits(one.limits_adc) for one in self.detectors):
            raise TableError("hits without adc values cannot be compared with thresholds in ADC channels")
        if self.needs_energy and not {"adc", ENERGY} & set(columns):
            raise TableError("hits with neither adc values nor energies cannot be compared with an energy")
        for polygon in self.polygons:
            polygon.check(pl.Schema({**columns, ENERGY: pl.Float64()}) if self.needs_energy else columns)

    def marked(self, hits: pl.DataFrame) -> pl.DataFrame:
        """Hits with a bit of `REMOVED` among the `flags` of those that are not used: the reason.

        Raises:
            TableError: they lack a column, or have such a bit already.
            UsageError: some have no energy to judge them by.
        """
        if (hits["flags"] & union(REMOVED) != 0).any():
            bits = f"{union(REMOVED):#x}"
            raise TableError(f"some hits have bits of {bits} among their flags, which mark the hits below thresholds")
        return hits.with_columns(pl.col("flags") | self._reasons(hits))

    def kept(self, hits: pl.DataFrame) -> pl.DataFrame:
        """The hits that are used.

        Raises:
            TableError: they lack a column.
            UsageError: some have no energy to judge them by.
        """
        return hits.filter(self._reasons(hits) == KEPT)

    def _reasons(self, hits: pl.DataFrame) -> pl.Series:
        self.check(hits.schema)
        judged = hits.lazy()
        if self.needs_energy:
            judged = judged.with_columns(hit_energy(hits.columns, self.detectors, adc=gain_corrected_adc(hits.columns)))
        # A NaN is no number, but polars takes it for the largest.
        numbers = judged.with_columns(pl.col(pl.Float64).fill_nan(None))
        reasons = numbers.select(self._reason).collect().to_series()
        for unknown, why in ((UNKNOWN, self._without_energy), (NO_ADC, _WITHOUT_ADC)):
            if (bare := reasons == unknown).any():
                keys = hits.filter(bare).select("board", "channel").unique().sort("board", "channel").rows()
                raise UsageError(f"hits of {', '.join(self.detectors.at(*key).name for key in keys)} {why}")
        return reasons

    @property
    def _without_energy(self) -> str:
        """What is wrong with hits that have no energy, and what to do."""
        advice = "or give its threshold in ADC channels (threshold_adc)"
        if self.min_energy_kev is not None:
            option = setting("--min-energy", "min_energy_kev")
            advice = f"or leave {option} out and give threshold_kev of the calibrated detectors in detectors.toml"
        return f"have no energy to compare with a threshold in keV: calibrate the detector, {advice}"

    @cached_property
    def _reason(self) -> pl.Expr:
        """The bit of the first reason for which a hit is removed."""
        reason = pl.lit(KEPT, pl.UInt32)
        for bit, condition in reversed([*self._unknown(), *self._limits(), *self._outside()]):
            reason = pl.when(condition).then(pl.lit(bit, pl.UInt32)).otherwise(reason)
        return reason.alias("reason")

    def _unknown(self) -> Iterator[tuple[int, pl.Expr]]:
        """Whether a hit that is to be judged by its energy, or its adc, has none."""
        if any(_are_limits(one.limits_adc) for one in self.detectors):
            of_adc = by_detector(self.detectors, lambda one: _are_limits(one.limits_adc), pl.Boolean)
            yield NO_ADC, of_adc & pl.col("adc").is_null()
        if not self.needs_energy:
            return
        limited = pl.lit(self.min_energy_kev is not None)
        if self.limited_kev:
            limited |= by_detector(self.detectors, lambda one: _are_limits(one.limits_kev), pl.Boolean).fill_null(False)
        for polygon in self.polygons:
            if ENERGY in (polygon.x, polygon.y):
                limited |= self._judges(polygon)
        yield UNKNOWN, limited & pl.col(ENERGY).is_null()

    def _limits(self) -> Iterator[tuple[int, pl.Expr]]:
        """Whether a hit lies below a threshold, and above a range."""
        if self.min_energy_kev is not None:
            yield REMOVED["below_threshold"], pl.col(ENERGY) < self.min_energy_kev
        quantities = (("adc", _of_adc), (ENERGY, _of_kev))
        for side, reason in enumerate(("below_threshold", "above_range")):
            for name, limits in quantities:
                if (limit := self._limit(limits, side)) is not None:
                    yield REMOVED[reason], pl.col(name) > limit if side else pl.col(name) < limit

    def _limit(self, limits: Callable[[Detector], tuple[float, float]], side: int) -> pl.Expr | None:
        """The lower or upper limit of a hit's detector, null where it has none; None: no detector has one."""
        known = {one.key: limits(one)[side] for one in self.detectors if math.isfinite(limits(one)[side])}
        return by_detector(self.detectors, lambda one: known.get(one.key), pl.Float64) if known else None

    def _outside(self) -> Iterator[tuple[int, pl.Expr]]:
        """Whether a hit lies in none of the polygons that judge it."""
        if self.polygons:
            judged = pl.any_horizontal(*(self._judges(one) for one in self.polygons))
            inside = pl.any_horizontal(*(self._judges(one) & one.inside() for one in self.polygons))
            yield REMOVED["outside_polygons"], judged & ~inside

    def _judges(self, polygon: PolygonGate) -> pl.Expr:
        keys = [self.detectors.named(name).key for name in polygon.detectors]
        return is_one_of(keys) if keys else pl.lit(value=True)


_WITHOUT_ADC = "have no adc value to compare with a threshold in ADC channels: leave these hits out"


def _polygons(given: PolygonGate | Sequence[PolygonGate] | None) -> tuple[PolygonGate, ...]:
    """Polygons of Python.

    Raises:
        UsageError: they are none.
    """
    polygons = (given,) if isinstance(given, PolygonGate) else given or ()
    if not isinstance(polygons, Sequence) or not all(isinstance(one, PolygonGate) for one in polygons):
        raise UsageError(f"keep takes the file of polygons, or PolygonGates, not {given!r}")
    return tuple(polygons)


def _of_adc(detector: Detector) -> tuple[float, float]:
    return detector.limits_adc


def _of_kev(detector: Detector) -> tuple[float, float]:
    return detector.limits_kev


def _are_limits(limits: tuple[float, float]) -> bool:
    return limits != (-math.inf, math.inf)


def _is_limited(detector: Detector) -> bool:
    return _are_limits(detector.limits_adc) or _are_limits(detector.limits_kev)
