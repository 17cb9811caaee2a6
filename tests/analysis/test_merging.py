"""Whatever stretches hits and pairs are counted in, and however their states are merged: the whole is the same."""

import importlib
import pickle
import re
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gammapolars as gp
from gammapolars.analysis.accumulators import (
    Accumulator,
    AdcSpectra,
    ClockSteps,
    CloseHits,
    Ends,
    EnergySpectra,
    HitTally,
    InRegions,
    Matrix,
    PairTally,
    PulseShapes,
    Rates,
    RecordedTime,
    RunSpectra,
    StopCover,
    TimeDifferences,
)
from gammapolars.analysis.accumulators import rates as rates_module
from gammapolars.analysis.accumulators.accumulator import State
from gammapolars.analysis.accumulators.axes import Axis, Sides
from gammapolars.analysis.accumulators.cascades import CascadeCounts
from gammapolars.analysis.accumulators.drift import AdcRange, DriftSpectra
from gammapolars.analysis.accumulators.gated import CubeSpectra, GatedPairs, GatedSpectra, NetSpectra
from gammapolars.analysis.accumulators.intervals import Intervals
from gammapolars.analysis.accumulators.paired_spectra import PairedSpectra
from gammapolars.analysis.accumulators.repeats import Repeats
from gammapolars.analysis.accumulators.time_spectrum import TimeSpectrum
from gammapolars.calibration.timing import reading
from gammapolars.calibration.timing.reading import Histograms
from gammapolars.coincidences import PairRule
from gammapolars.coincidences.regions import regions_of
from gammapolars.core.quantities import ADC, PSD, TIME, TIME_DIFFERENCE
from gammapolars.core.schema import REGION
from gammapolars.core.units import Window
from gammapolars.corrections import calibrate
from gammapolars.detectors import Detector, Detectors
from gammapolars.spectra.coincidence_peaks import CoincidencePeakTally
from tests.drawing import examples
from tests.hits import BAD, SIZES, frame, in_batches, runs

DETECTORS = Detectors((Detector(0, 0, energy=(0.3, 1.7)), Detector(0, 1, energy=(-2.0, 0.9)), Detector(1, 1)))
GATES = gp.Gate(2, 9, ((10, 17),)), gp.Gate(20, 31, ((32, 38),))
REGIONS = regions_of(Window(-5, 5), [Window(8, 30)], signed=False, clock={})
SIDES = Sides(frozenset({(0, 0), (1, 1)}), None)
FROM_0_TO_1 = PairRule((-7, 20), start=(0, 0), stop=(0, 1))


class Kind(NamedTuple):
    """An accumulator, and what is read from it.

    Attributes:
        make: one for the hits of all runs.
        results: what it has counted.
        step_ps: of the clock.
        is_final: whether nothing can be counted any more when results have been read.
    """

    make: Callable[[pl.DataFrame], Accumulator]
    results: Callable[[Any], Iterable[Any]]
    step_ps: int = 1
    is_final: bool = False


def firsts(hits: pl.DataFrame) -> dict[int, tuple[int, int]]:
    """The first and last time of each run."""
    times = pl.col("timestamp_ps")
    spans = hits.group_by("run", maintain_order=True).agg(first=times.min(), last=times.max())
    return {run: (first, last) for run, first, last in spans.iter_rows()}


def drift_spectra(hits: pl.DataFrame) -> DriftSpectra:
    ranges = {(0, 0): [AdcRange(3, 2), AdcRange(4, 4)], (1, 0): [AdcRange(0, 2, 8)]}
    begins = {run: first for run, (first, _) in firsts(hits).items()}
    return DriftSpectra(BAD, ranges, first_width_ps=1, most_slices=16, most_cells=128, firsts_ps=begins)


def drift_results(spectra: DriftSpectra) -> list[Any]:
    return [(*(getattr(run, name) for name in ("run", "first_ps", "last_ps", "width_ps")), run.counts.tolist())
            for run in spectra.runs]  # fmt: skip


def intervals(found: Intervals) -> tuple[Any, ...]:
    return (*({key: array.tolist() for key, array in of.items()} for of in (found.counts, found.sums_ps)),
            found.shortest_ps, found.spans)  # fmt: skip


def recorded_time(found: RecordedTime) -> list[Any]:
    return [
        (run, times.first_ps, times.edges_ps.tolist(), {key: gaps.tolist() for key, gaps in times.gaps.items()},
         {key: counts.tolist() for key, counts in times.counts.items()}, found.longest_ps(run))
        for run, times in found.of_runs().items()
    ]  # fmt: skip


def close_hits(found: CloseHits) -> Any:
    sample = found.whole()
    arrays = (sample.hits, sample.intervals)
    return *({key: np.asarray(counts).tolist() for key, counts in of.items()} for of in arrays), sample.pairs


def histograms(found: Histograms) -> dict[Any, list[int]]:
    return {pair: counts.tolist() for pair, counts in found.all()}


def net_spectra(found: NetSpectra) -> tuple[Any, ...]:
    return found.net(), found.total(), found.by_detector(), found.summed()


KINDS = {
    "hits": Kind(lambda _: HitTally(), lambda a: (a.by_flags(), a.spans, a.in_runs(BAD), a.by_detector(BAD))),
    "repeats": Kind(lambda _: Repeats(), lambda a: (a.hits, a.most)),
    "pairs": Kind(lambda _: PairTally(Window(-5, 9)), lambda a: (a.counts(), a.random_counts())),
    "spectra": Kind(lambda _: AdcSpectra(BAD), lambda a: [a.spectra(DETECTORS, None)]),
    "slices": Kind(lambda _: AdcSpectra(BAD, 50), lambda a: [a.spectra(DETECTORS, None)]),
    "spectra of runs": Kind(lambda _: RunSpectra(BAD), lambda a: [a.table()]),
    "summed spectra": Kind(lambda _: EnergySpectra(BAD, DETECTORS, bin_kev=2.0, sums=True), lambda a: [a.table()]),
    "rates": Kind(lambda hits: Rates(Rates.origins(firsts(hits))), lambda a: [a.table()]),
    "time differences": Kind(lambda _: TimeDifferences(2000), lambda a: [a.table(DETECTORS)]),
    "steps": Kind(lambda _: TimeDifferences(10**7, bins=90), lambda a: [a.table(DETECTORS)], step_ps=4000),
    "stops": Kind(lambda _: StopCover(FROM_0_TO_1), lambda a: [a.part(run, 1e-9) for run in (1, 2, 3)]),
    "ends": Kind(
        lambda _: Ends(FROM_0_TO_1, (pl.col("adc") > 3, None), 4),
        lambda a: (a.counts, a.starts, a.longer.tolist(), *intervals(a.intervals)),
    ),
    "intervals": Kind(lambda _: Intervals(), intervals),
    "recorded time": Kind(lambda _: RecordedTime(BAD), recorded_time, step_ps=2**21),
    "recorded for long": Kind(lambda _: RecordedTime(BAD), recorded_time, step_ps=2**31),
    "clock steps": Kind(lambda _: ClockSteps(least_hits=2), lambda a: [a.steps_ps()], step_ps=2**17),
    "close hits": Kind(lambda _: CloseHits(BAD), close_hits, step_ps=2**17),
    "close hits for long": Kind(lambda _: CloseHits(BAD), close_hits, step_ps=2**27),
    "in regions": Kind(
        lambda _: InRegions(PairTally(Window(-5, 5)), REGIONS),
        lambda a: (a.parts()["in_regions"].counts(), a.parts()["in_regions"].random_counts()),
    ),
    "cascades": Kind(
        lambda _: CascadeCounts(*GATES, DETECTORS, BAD, width_ps=7, most_rows=6), lambda a: (*a.tables(), a.width_ps)
    ),
    "gated": Kind(lambda _: GatedSpectra(GATES[0], None, calibrated=True, width=3.0), net_spectra),
    "gated pairs": Kind(
        lambda _: GatedPairs(
            GatedSpectra(GATES[0], None, calibrated=True, width=3.0), CoincidencePeakTally(*GATES[:2]), Detectors()
        ),
        lambda gated: [*net_spectra(gated.spectra), gated.peak.total()],
    ),
    "gated adc": Kind(lambda _: GatedSpectra(GATES[0], [(0, 0), (1, 1)], calibrated=False, width=2), net_spectra),
    "paired spectra": Kind(lambda _: PairedSpectra(3.0), lambda a: [a.table()]),
    "paired adc": Kind(lambda _: PairedSpectra(None), lambda a: [a.table()]),
    "time spectrum": Kind(lambda _: TimeSpectrum((GATES[0], None), "energy_kev", bin_ps=3), lambda a: [a.table()]),
    "cube": Kind(lambda _: CubeSpectra(*GATES, width=4.0), net_spectra),
    "matrix": Kind(lambda _: Matrix.of_energies(Window(-5, 9), DETECTORS, bin_kev=3.0), lambda a: [a.table()]),
    "matrix of sides": Kind(
        lambda _: Matrix(Axis(TIME_DIFFERENCE, 7.0), Axis(ADC, 4.0, 0.0, 18.0), DETECTORS, sides=SIDES),
        lambda a: [a.table()],
    ),
    "matrix of hits": Kind(
        lambda _: Matrix(Axis(ADC, 4.0), Axis(TIME, 1e-10), DETECTORS, mask=BAD), lambda a: [a.table()]
    ),
    "pulse shapes": Kind(
        lambda _: PulseShapes(Axis(PSD, 0.05, 0.0, 0.5), BAD), lambda a: (a.table(), a.warnings(DETECTORS))
    ),
    "matrix of pulse shapes": Kind(
        lambda _: Matrix(Axis(PSD, 0.05, 0.0, 0.5), Axis(ADC, 4.0), DETECTORS, mask=BAD),
        lambda a: (a.table(), a.shapes.warnings(DETECTORS)),
    ),
    "drift": Kind(drift_spectra, drift_results, is_final=True),
    "histograms": Kind(lambda _: Histograms(2500, bins=900), lambda a: (a.width_ps, histograms(a))),
}


@st.composite
def recorded(draw: st.DrawFn) -> pl.DataFrame:
    """Calibrated hits of four detectors in one to three runs, each in time order."""
    drawn = draw(st.lists(runs(most=20), min_size=1, max_size=3))
    hits = pl.concat(of.with_columns(run=pl.lit(number, pl.UInt16)) for number, of in enumerate(drawn, 1))
    hits = hits.with_columns(pl.col("channel").clip(0, 1), adc_short=(pl.col("adc") * 2 // 3).cast(pl.UInt16))
    return calibrate(hits.lazy(), DETECTORS).collect()


def paired(hits: pl.DataFrame) -> pl.DataFrame:
    """Each hit of the other detector next to one, and the next but one: pairs of any time difference."""
    names = [name for name in hits.columns if name not in ("run", "timestamp_ps")]
    time = pl.col("timestamp_ps")
    each = [
        hits.select(
            "run",
            "timestamp_ps",
            *(pl.col(name).alias(f"{name}_a") for name in names),
            *(pl.col(name).shift(-step).over("run").alias(f"{name}_b") for name in names),
            dt_ps=(time.shift(-step) - time).over("run"),
        )
        for step in (1, 2)
    ]
    pairs = pl.concat(each).filter(
        (pl.col("board_a") != pl.col("board_b")) | (pl.col("channel_a") != pl.col("channel_b"))
    )
    prompt = pl.col("dt_ps") <= 5
    region = pl.when(prompt).then(pl.lit("prompt", REGION)).otherwise(pl.lit("random", REGION))
    scale = 0.1 + 0.7 * pl.col("channel_a").cast(pl.Float64)
    return pairs.sort("run", maintain_order=True).with_columns(
        region=region, weight=pl.when(prompt).then(1.0).otherwise(-scale)
    )


def with_third_hits(pairs: pl.DataFrame) -> pl.DataFrame:
    """Triples of which the third hit is between the two others in energy."""
    energy = (pl.col("energy_kev_a") + pl.col("energy_kev_b")) / 2
    return pairs.with_columns(energy_kev_c=energy, board_c="board_b", channel_c="channel_a")


def feed(counted: Accumulator, hits: pl.DataFrame, pairs: pl.DataFrame, rows: int = 10**9) -> None:
    """Let it count a stretch, run by run."""
    for of_run in hits.partition_by("run", maintain_order=True):
        for part in in_batches(of_run, rows):
            counted.add_hits(part)
    for part in in_batches(pairs, rows):
        if isinstance(counted, CubeSpectra):
            counted.add_triples(with_third_hits(part))
        else:
            counted.add_pairs(part)


def state_of(kind: Kind, all_hits: pl.DataFrame, hits: pl.DataFrame, pairs: pl.DataFrame, *, is_read: bool) -> State:
    """The state in which a stretch leaves it, as it comes from another process."""
    counted = kind.make(all_hits)
    feed(counted, hits, pairs)
    if is_read and not kind.is_final:
        kind.results(counted)
    state: State = pickle.loads(pickle.dumps(counted.state()))
    return state


@examples(25)
@given(recorded(), SIZES, st.data())
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_the_whole_is_what_its_stretches_merge_to(
    kind: Kind, hits: pl.DataFrame, rows: int, data: st.DataObject
) -> None:
    check_merging(kind, hits, rows, data)


@examples(60)
@given(st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=3).map(sorted), max_size=7), st.data())
def test_slices_of_many_runs_are_as_wide_in_stretches_as_in_the_whole(
    times: list[list[int]], data: st.DataObject
) -> None:
    """Runs share the memory: which of them gets wider slices is for all together to say."""
    hits = pl.concat(frame((time,) for time in of).with_columns(run=pl.lit(number, pl.UInt16))
                     for number, of in enumerate([[0], *times], 1))  # fmt: skip

    def spectra(hits: pl.DataFrame) -> DriftSpectra:
        ranges, begins = {(0, 0): [AdcRange(0, 1)]}, {run: first for run, (first, _) in firsts(hits).items()}
        return DriftSpectra(0, ranges, first_width_ps=1, most_slices=16, most_cells=20, firsts_ps=begins)

    check_merging(Kind(spectra, drift_results, is_final=True), hits, 10, data, most_cuts=8)


def check_merging(kind: Kind, hits: pl.DataFrame, rows: int, data: st.DataObject, most_cuts: int = 4) -> None:
    """Count in drawn stretches, merge in a drawn order, and compare with the whole."""
    hits = hits.with_columns(pl.col("timestamp_ps") * kind.step_ps)
    pairs = paired(hits)
    cuts = data.draw(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=most_cuts))
    edges = [sorted(round(cut[of] * table.height) for cut in cuts) for of, table in enumerate((hits, pairs))]
    hit_edges, pair_edges = ([0, *inner, table.height] for inner, table in zip(edges, (hits, pairs), strict=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rates_module, "PS_PER_S", 1024)
        patch.setattr(rates_module, "MAX_TIME_BINS", 64)
        patch.setattr(rates_module, "SHOWN_TIME_BINS", 32)
        patch.setattr(reading, "MOST_BINS", 5)
        whole = kind.make(hits)
        feed(whole, hits, pairs, rows)
        states = [
            state_of(kind, hits, hits[begin:end], pairs[first:last], is_read=data.draw(st.booleans()))
            for (begin, end), (first, last) in zip(pairwise(hit_edges), pairwise(pair_edges), strict=True)
        ]

        while len(states) > 1:
            place = data.draw(st.integers(0, len(states) - 2))
            both = kind.make(hits)
            both.merge(states[place])
            both.merge(states[place + 1])
            states[place : place + 2] = [both.state()]
        merged = kind.make(hits)
        merged.merge(states[0])

        assert_same(kind.results(merged), kind.results(whole))


def assert_same(found: Iterable[Any], expected: Iterable[Any]) -> None:
    for one, other in zip(found, expected, strict=True):
        if isinstance(other, pl.DataFrame):
            assert one.schema == other.schema
            assert one.equals(other), (one, other)
        else:
            assert one == other


def test_every_accumulator_is_among_them() -> None:
    package = Path(gp.__file__).parent
    counting: set[type] = set()
    for path in package.rglob("*.py"):
        if re.search(r"def add_(hits|pairs)\b|\(Accumulator\)", path.read_text(encoding="utf-8")):
            name = ".".join(("gammapolars", *path.relative_to(package).with_suffix("").parts))
            classes = [of for of in vars(importlib.import_module(name)).values() if isinstance(of, type)]
            counting |= {of for of in classes if hasattr(of, "add_hits") or hasattr(of, "add_pairs")}

    tested = {
        type(kind.make(pl.DataFrame(schema={"run": pl.UInt16, "timestamp_ps": pl.Int64}))) for kind in KINDS.values()
    }

    assert all(issubclass(of, Accumulator) for of in counting)
    in_use = {of for of in counting if not any(of in other.__mro__[1:] for other in counting)}
    assert {of.__name__ for of in in_use} == {of.__name__ for of in tested}
