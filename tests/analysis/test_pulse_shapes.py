"""Pulse shapes along axes: matrices and distributions of them, next to the same counted hit by hit."""

import math
from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gammapolars as gp
from gammapolars.analysis.accumulators import Matrix, PulseShapes
from gammapolars.analysis.accumulators.axes import Axis, Sides
from gammapolars.core.quantities import ADC, PSD, TIME_DIFFERENCE
from gammapolars.core.units import Window
from gammapolars.corrections import dithered_psd
from gammapolars.detectors import Detector, Detectors
from tests.hits import BAD, SATURATION, SIZES, in_batches

CHARGE = st.integers(0, 60) | st.sampled_from([0, 1, 2**16 - 1])
KEY = st.sampled_from([(0, 0), (0, 3), (2, 1)])
HITS = st.lists(
    st.tuples(KEY, CHARGE, st.none() | CHARGE, st.sampled_from([0, SATURATION]), st.integers(0, 3000)), max_size=30
)
COLUMNS = {"board": pl.UInt16, "channel": pl.UInt16, "adc": pl.UInt16, "adc_short": pl.UInt16, "flags": pl.UInt32}
DETECTORS = Detectors((Detector(0, 0, "left"), Detector(0, 3, "middle"), Detector(2, 1, "right")))
MASK64 = 2**64 - 1


def table(rows: list[tuple[tuple[int, int], int, int | None, int, int]]) -> pl.DataFrame:
    """Hits in order of time, each of a board and channel, with long and short charge, flags and the time since the
    one before.
    """
    times = np.cumsum([step for *_, step in rows], dtype=np.int64) if rows else np.empty(0, np.int64)
    flat = [(*key, *rest) for key, *rest, _ in rows]
    return pl.DataFrame(flat, COLUMNS, orient="row").with_columns(timestamp_ps=pl.Series(times, dtype=pl.Int64))


def noise(time: int, board: int, channel: int, *, second: bool) -> float:
    """The noise of a hit's charge, in whole numbers."""
    detector = channel + board * 2**16 + (2**32 if second else 0)
    mixed = (time + detector * 0xD1B54A32D192ED03) * 0x9E3779B97F4A7C15 & MASK64
    mixed = (mixed ^ mixed >> 32) * 0xBF58476D1CE4E5B9 & MASK64
    return (mixed >> 40) / 2**24 - 0.5


def shape(hit: dict[str, int]) -> float | None:
    """The dithered pulse shape of a hit."""
    if not hit["adc"] or hit["adc_short"] is None:
        return None
    of = hit["timestamp_ps"], hit["board"], hit["channel"]
    long, short = hit["adc"] + noise(*of, second=False), hit["adc_short"] + noise(*of, second=True)
    return (long - short) / long


@given(HITS, SIZES)
def test_distributions_and_matrices_are_those_of_every_single_hit(
    rows: list[tuple[tuple[int, int], int, int | None, int, int]], size: int
) -> None:
    hits, axis = table(rows), Axis(PSD, 0.05, -0.2, 1.2)
    shapes = PulseShapes(axis, SATURATION)
    counts = Matrix(Axis(ADC, 4.0), axis, Detectors(), mask=SATURATION, sides=Sides(frozenset({(0, 0), (2, 1)})))

    for part in in_batches(hits, size):
        shapes.add_hits(part)
        counts.add_hits(part)
        counts.add_pairs(part.rename(lambda name: f"{name}_a"))  # which is not one of pairs

    spectra: Counter[tuple[int, int, float]] = Counter()
    cells: Counter[tuple[float, float]] = Counter()
    lost: Counter[str] = Counter()
    used = [hit for hit in hits.to_dicts() if not hit["flags"]]
    for hit in used:
        value = shape(hit)
        if value is None or not -0.2 <= value < 1.2:
            lost["have no pulse shape" if value is None else "outside of -0.2 to 1.2"] += 1
            continue
        centre = (math.floor(value / 0.05) + 0.5) * 0.05
        spectra[hit["board"], hit["channel"], centre] += 1
        if hit["channel"] != 3:
            adc = hit["adc"] + noise(hit["timestamp_ps"], hit["board"], hit["channel"], second=False)
            cells[(math.floor(adc / 4) + 0.5) * 4, centre] += 1
    assert shapes.table().drop("variance").rows() == [(*key, n) for key, n in sorted(spectra.items())]
    assert counts.table().drop("variance").rows() == [(*cell, n) for cell, n in sorted(cells.items())]
    said = " ".join(shapes.warnings(DETECTORS))
    for words, number in lost.items():
        assert f"{number:,} of {len(used):,} hits" in said
        assert words in said
    silent = {key for key in ((0, 0), (0, 3), (2, 1)) if (of := [h for h in used if (h["board"], h["channel"]) == key])
              and not any(hit["adc_short"] for hit in of)}  # fmt: skip
    assert all((name in said) == ((board, channel) in silent) for board, channel, name in
               ((d.board, d.channel, d.name) for d in DETECTORS))  # fmt: skip


@given(HITS)
def test_hits_of_pairs_have_the_same_pulse_shape_as_on_their_own(
    rows: list[tuple[tuple[int, int], int, int | None, int, int]],
) -> None:
    hits = table(rows)
    pairs = hits.lazy().pipe(gp.pairs, window="2ns").collect()
    window, axis = Window(-2000, 2000), Axis(PSD, 0.05, -0.2, 1.2)
    both = Matrix(axis, axis, DETECTORS, window=window, symmetric=False)
    in_time = Matrix(Axis(TIME_DIFFERENCE, 100.0), axis, DETECTORS, window=window)

    for counts in (both, in_time):
        counts.add_pairs(pairs)

    good = [hit for hit in hits.to_dicts() if not hit["flags"] & BAD]
    found: Counter[tuple[float, float]] = Counter()
    over_time: Counter[tuple[float, float]] = Counter()
    for place, hit in enumerate(good):
        for other in good[place + 1 :]:
            keys = [(one["board"], one["channel"]) for one in (hit, other)]
            if other["timestamp_ps"] - hit["timestamp_ps"] > 2000 or keys[0] == keys[1]:
                continue
            x, y = (hit, other) if keys[0] < keys[1] else (other, hit)
            bins = [None if (value := shape(one)) is None or not -0.2 <= value < 1.2 else math.floor(value / 0.05)
                    for one in (x, y)]  # fmt: skip
            if bins[1] is not None:
                dt = math.floor((y["timestamp_ps"] - x["timestamp_ps"] + 50) / 100) * 100.0
                over_time[dt, (bins[1] + 0.5) * 0.05] += 1
                if bins[0] is not None:
                    found[(bins[0] + 0.5) * 0.05, (bins[1] + 0.5) * 0.05] += 1
    assert both.table().drop("variance").rows() == [(*cell, n) for cell, n in sorted(found.items())]
    assert in_time.table().drop("variance").rows() == [(*cell, n) for cell, n in sorted(over_time.items())]


def test_distributions_show_no_comb() -> None:
    rng, number = np.random.default_rng(1), 400_000
    long = rng.uniform(100.0, 140.0, number)
    short = long * (1 - rng.uniform(0.25, 0.35, number))
    charges = {"adc": np.rint(long).astype(np.uint16), "adc_short": np.rint(short).astype(np.uint16)}
    hits = pl.DataFrame({"timestamp_ps": np.arange(number) * 977, "board": 0, "channel": 0} | charges)

    bins = np.linspace(0.275, 0.325, 51)
    shapes = (hits.select(value).to_series().to_numpy() for value in (gp.psd(), dithered_psd(hits.columns)))
    comb, smooth = (np.histogram(values, bins)[0] for values in shapes)
    expected = number * 0.001 / 0.1
    assert ((comb - expected) ** 2 / expected).mean() > 100
    assert ((smooth - expected) ** 2 / expected).mean() == pytest.approx(1, abs=0.6)
