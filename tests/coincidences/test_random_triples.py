"""Triples net of chance: the weights beside sums over all times, and beside simulated truth."""

import json
import math
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gammapolars as gp
from gammapolars.coincidences import triples
from gammapolars.coincidences.regions import Clock
from gammapolars.coincidences.triple_regions import NONE, ONE_RANDOM, PROMPT, RANDOM, Times, TripleRegions
from gammapolars.core.schema import TRIPLE_REGION
from gammapolars.core.units import Window
from gammapolars.detectors import Detector
from gammapolars.simulate import simulate
from gammapolars.simulate.response import SimulatedDetector
from gammapolars.simulate.sources import Source
from tests.commandline import REPOSITORY, gammapolars
from tests.drawing import examples
from tests.hits import BAD, SIZES, frame, runs, stream
from tests.validation.triples import KINDS, PAIRS_HZ, TRIPLES_HZ, pulls, run_of

Integers = npt.NDArray[np.int64]

REACH = st.integers(0, 6)
RANDOMS = st.sampled_from([((8, 40),), ((7, 36), (40, 43)), ((12, 55),)])
STEPS = st.sampled_from([1, 2, 3, 6])


def both_signs(windows: tuple[tuple[int, int], ...]) -> tuple[Window, ...]:
    return tuple(sorted([Window(-high, -low) for low, high in windows] + [Window(*window) for window in windows]))


def is_random(apart: int, windows: tuple[tuple[int, int], ...]) -> bool:
    return any(low <= abs(apart) <= high for low, high in windows)


def kind_of(times: list[int], reach: int, windows: tuple[tuple[int, int], ...]) -> int:
    apart = [abs(one - other) for one, other in combinations(times, 2)]
    prompt = [one <= reach for one in apart]
    random = [is_random(one, windows) for one in apart]
    if all(prompt):
        return PROMPT
    if sum(prompt) == 1 and sum(random) == 2:
        return ONE_RANDOM
    return RANDOM if all(random) else NONE


def weighed(regions: TripleRegions, times: list[list[int]]) -> tuple[list[int], list[float]]:
    """Kinds and weights of threes of hits of detectors 0, 1 and 2."""
    found = np.array(times, np.int64).reshape(-1, 3)
    order = np.argsort(found, axis=1, kind="stable")
    a, b, c = np.take_along_axis(found, order, axis=1).T
    kind, weight = regions.weigh(Times(a, b, c, order))
    return kind.tolist(), weight.tolist()


# Weights


@examples(40)
@given(REACH, RANDOMS, st.lists(st.tuples(STEPS, st.integers(0, 5)), min_size=3, max_size=3), st.integers(0, 50))
def test_what_random_triples_weigh_is_what_chance_makes_within_the_window(
    reach: int, windows: tuple[tuple[int, int], ...], clocks: list[tuple[int, int]], start: int
) -> None:
    known = {(0, place): Clock(step, phase % step) for place, (step, phase) in enumerate(clocks)}
    regions = TripleRegions(reach, both_signs(windows), known)
    most = max(high for _, high in windows)

    def ticks(place: int, low: int, high: int) -> list[int]:
        step, phase = known[0, place]
        return [time for time in range(low, high + 1) if (time - phase) % step == 0]

    anchor = max(range(3), key=lambda place: (clocks[place][0], -place))
    time = ticks(anchor, start, start + 5)[0]
    others = [place for place in range(3) if place != anchor]
    beside = [ticks(place, time - most, time + most) for place in others]

    # All threes that chance could make with one hit of the detector with the coarsest clock.
    threes = [[0, 0, 0] for _ in range(len(beside[0]) * len(beside[1]))]
    for row, (one, other) in zip(threes, product(*beside), strict=True):
        row[anchor], row[others[0]], row[others[1]] = time, one, other
    kinds, weights = weighed(regions, threes)
    expected = [kind_of(row, reach, windows) for row in threes]
    prompt = sum(kind == PROMPT for kind in expected)
    assert [kind for kind, weight in zip(expected, weights, strict=True) if weight] == [kind for kind in kinds if kind]
    assert all(weight == 1 for kind, weight in zip(kinds, weights, strict=True) if kind == PROMPT)
    random = sum(weight for kind, weight in zip(kinds, weights, strict=True) if kind == RANDOM)
    assert random == pytest.approx(2 * prompt)

    # All hits that chance could put beside each two that are prompt.
    for (low, high), third in zip(((1, 2), (0, 2), (0, 1)), range(3), strict=True):
        for early, late in product(ticks(low, start, start + 6), ticks(high, start, start + 6)):
            if abs(early - late) > reach:
                continue
            rows = [[0, 0, 0] for _ in ticks(third, start - most, start + most + 6)]
            for row, at in zip(rows, ticks(third, start - most, start + most + 6), strict=True):
                row[low], row[high], row[third] = early, late, at
            kinds, weights = weighed(regions, rows)
            of_pair = [
                weight
                for kind, weight in zip(kinds, weights, strict=True)
                if kind in (PROMPT, ONE_RANDOM) and weight < 0
            ]
            prompt = sum(kind == PROMPT for kind in kinds)
            both = [row for row in rows if is_random(row[third] - early, windows)]
            both = [row for row in both if is_random(row[third] - late, windows)]
            assert sum(of_pair) == pytest.approx(-prompt if both else 0)


def test_fine_clocks_give_areas() -> None:
    regions = TripleRegions(100_000, both_signs(((200_000, 1_000_000),)), {(0, 0): Clock(5, 2)})

    _, (prompt, pair, random) = weighed(regions, [[0, 50_000, 9], [0, 40_000, 700_000], [0, 500_000, 900_000]])

    assert prompt == 1
    assert pair == pytest.approx(-(200_000 - 40_000) / (2 * (800_000 - 40_000)), rel=1e-4)
    # Six orders of three hits, whose two distances are at least 0.2 and together at most 1: triangles of 0.6² / 2.
    assert random == pytest.approx(2 * 3 * 0.1**2 / (6 * 0.6**2 / 2), rel=1e-4)


@pytest.mark.parametrize("windows", [((300, 550),), ((300, 590),), ((1000, 1050), (1100, 1150))])
def test_windows_that_hold_no_three_random_hits_are_refused(windows: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(gp.UsageError, match=r"too narrow for triples.*such as random=\"400ps:1\.6ns\""):
        TripleRegions(200, both_signs(windows))


# Tables


def brute(table: pl.DataFrame, reach: int, windows: tuple[tuple[int, int], ...]) -> list[tuple[Any, ...]]:
    """All threes of hits that lie in a window, each with each; a, b, c and the region."""
    order = ["timestamp_ps", "board", "channel"]
    hits = [hit for hit in table.sort(order, maintain_order=True).iter_rows(named=True) if not hit["flags"] & BAD]
    found = []
    for three in combinations(hits, 3):
        kind = kind_of([hit["timestamp_ps"] for hit in three], reach, windows)
        if kind and len({(hit["board"], hit["channel"]) for hit in three}) == 3:
            found.append((*(hit["adc"] for hit in three), TRIPLE_REGION.categories[kind - PROMPT]))
    return found


@examples(40)
@given(runs(most=25), REACH, RANDOMS, SIZES, SIZES)
def test_triples_with_random_windows_are_those_of_every_three_hits(
    hits: pl.DataFrame, reach: int, windows: tuple[tuple[int, int], ...], rows: int, slice_hits: int
) -> None:
    found = triples(stream(hits, rows), reach, random=windows, slice_hits=slice_hits, reorder_ps=2000).collect()

    assert found.select("adc_a", "adc_b", "adc_c", "region").rows() == brute(hits, reach, windows)
    signs = found.select(region=pl.col("region").cast(pl.String), sign=pl.col("weight").sign()).unique()
    assert set(signs.rows()) <= {("prompt", 1.0), ("one_random", -1.0), ("random", 1.0)}


def test_random_windows_go_with_hits_alone() -> None:
    hits = stream(frame([(0, 0), (1, 1), (2, 2)]))

    assert triples(hits, 5, random=((8, 30),)).collect_schema().names()[-2:] == ["region", "weight"]
    with pytest.raises(gp.UsageError, match="random windows need single hits"):
        triples(gp.events(hits, 5), random=((8, 30),))
    with pytest.raises(gp.UsageError, match="too narrow for triples"):
        triples(hits, "250ns", random=("1us:1500ns",))
    with pytest.raises(gp.UsageError, match="overlaps the window"):
        triples(hits, "250ns", random=("200ns:3us",))


# Truth


@pytest.mark.parametrize(
    "made",
    [pytest.param(of, id=name, marks=[pytest.mark.slow] * (name != "true triples")) for name, of in KINDS.items()],
)
def test_net_triples_are_the_true_ones(made: dict[str, Any]) -> None:
    found, subtracted = pulls(made, range(10))

    assert subtracted > 14  # without subtraction, the sum would be off by as many standard deviations
    assert abs(found.mean()) * math.sqrt(len(found)) < 4
    assert np.abs(found).max() < 4.5


@pytest.mark.slow
@pytest.mark.parametrize("made", KINDS.values(), ids=KINDS.keys())
def test_pulls_of_net_triples_have_width_1(made: dict[str, Any]) -> None:
    found, _ = pulls(made, range(1000, 1120))

    assert abs(found.mean()) * math.sqrt(len(found)) < 4
    assert 0.75 < found.std() < 1.25


@pytest.mark.slow
def test_no_triples_are_left_of_simulated_cobalt_with_dead_time_and_pile_up() -> None:
    net = variance = chance = 0.0
    for seed in range(4):
        detectors = [Detector(0, channel, f"HPGe-{channel}", kind="HPGe") for channel in range(4)]
        made = [SimulatedDetector.from_detector(one, background_cps=3_000.0, solid_angle=0.12) for one in detectors]
        chunks = list(simulate([Source("Co-60", 2e5)], made, seed=100 + seed, hits=700_000))
        hits = pl.concat([chunk.hits for chunk in chunks])
        # Deposits within the trigger time add up to one hit, later ones spoil it: alike, where sums are left out.
        hits = hits.with_columns(deposits=pl.concat([chunk.truth for chunk in chunks])["deposits"])
        found = triples(hits.lazy(), "200ns", random=("500ns:1900ns",))
        found = found.filter(pl.all_horizontal(pl.col(f"deposits_{side}") == 1 for side in "abc"))
        table = found.select("region", "weight").collect()
        net += float(table["weight"].sum())
        variance += float((table["weight"] ** 2).sum())
        chance += table.filter(pl.col("region") == "prompt").height
    assert abs(net) < 4 * math.sqrt(variance) < 0.1 * chance


def test_doubly_gated_spectra_are_net_of_chance() -> None:
    hits, true = run_of(77, pairs_hz=PAIRS_HZ, triples_hz=TRIPLES_HZ)
    found = triples(hits, "250ns", random=("500ns:2us",))

    net = gp.cube_slice(found, gp.Gate(40, 60), gp.Gate(140, 160)).collect()
    nothing = gp.cube_slice(found, gp.Gate(40, 60), gp.Gate(300, 400)).collect()

    weight = net["weight"].to_numpy()
    assert set(net["energy_kev"]) == {250.0}
    assert abs(weight.sum() - true) < 4 * math.sqrt((weight**2).sum())
    assert nothing.height == 0


# The command


def test_the_command_subtracts_chance_from_triples(tmp_path: Path) -> None:
    run, detectors = tmp_path / "run.parquet", tmp_path / "detectors.toml"
    hits, true = run_of(5, pairs_hz=PAIRS_HZ, triples_hz=TRIPLES_HZ)
    gp.save(hits.with_columns(adc=(pl.col("channel") * 100 + 50).cast(pl.UInt16)).drop("energy_kev"), run)
    detectors.write_text(
        "".join(f"[[detector]]\nboard = 0\nchannel = {n}\nname = 'D{n}'\nenergy = [0.0, 1.0]\n" for n in range(3))
    )
    words: list[str | Path] = ["gate", run, "--detectors", detectors, "--on", "50", "--and", "150", "--window", "250ns"]

    done = gammapolars(*words, "--random", "500ns:2us", "-o", tmp_path / "net.csv", "--json")
    plain = gammapolars(*words, "-o", tmp_path / "plain.csv", "--json")

    assert (done.code, plain.code) == (0, 0), done.err + plain.err
    summary, without = json.loads(done.out), json.loads(plain.out)
    assert abs(summary["counts"] - true) < 4 * summary["counts_unc"]
    assert without["counts"] == without["triples"] == summary["triples"] > true + 10 * summary["counts_unc"]
    assert summary["net_triples"] == pytest.approx(summary["counts"])  # all third hits are in the one line
    assert summary["net_triples_unc"] == pytest.approx(summary["counts_unc"])
    assert summary["net_triples"] == summary["triples"] - summary["chance_triples"]
    assert summary["random_ps"] == [[-2_000_000, -500_000], [500_000, 2_000_000]]
    net = pl.read_csv(tmp_path / "net.csv")
    assert net["counts"].sum() == pytest.approx(summary["counts"])
    assert net["energy_kev"].is_between(249, 251).all()
    text = gammapolars(*words, "--random", "500ns:2us", "-o", tmp_path / "again.csv").out.splitlines()
    assert text[0].startswith(f"{summary['hits_read']:,} hits in 0.2")
    assert text[1].endswith(" triple coincidences within ±250 ns")
    assert [line.split(" ")[0] for line in text[3:7]] == ["gate", "", "and", f"{summary['counts']:,.0f}"]
    assert summary["hits_read"] == summary["hits_used"] == hits.select(pl.len()).collect().item()


@pytest.mark.slow
def test_auto_finds_random_windows_of_triples(tmp_path: Path) -> None:
    run, detectors = REPOSITORY / "data" / "co60-four-hpge.root", REPOSITORY / "data" / "detectors.toml"
    words: list[str | Path] = ["gate", run, "--detectors", detectors, "--on", "1173.2", "--and", "1332.5"]

    done = gammapolars(*words, "--random", "auto", "-o", tmp_path / "net.csv", "--json")

    assert done.code == 0, done.err
    summary = json.loads(done.out)
    assert summary["one_random_triples"] > 0
    assert abs(summary["counts"]) < 4 * max(summary["counts_unc"], 1)  # no third photon comes with the two
