"""Weighted spectra and matrices, gates on pairs and triples, and matrices of chosen detectors, beside plain loops."""

import json
import math
from collections import defaultdict
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import uproot
from hypothesis import given
from hypothesis import strategies as st

import gammapolars as gp
from gammapolars import figures, simulate
from gammapolars.analysis.accumulators import Matrix
from gammapolars.analysis.accumulators.axes import Axis, Sides
from gammapolars.commands.matrix.choice import keys_of, sides_of
from gammapolars.core.quantities import ADC, ENERGY, TIME, TIME_DIFFERENCE
from gammapolars.corrections import dithered_pairs
from gammapolars.detectors import Detector, Detectors
from gammapolars.simulate.response import SimulatedDetector
from gammapolars.simulate.sources import Source
from gammapolars.spectra.weighted_tallies import sums
from tests.commandline import REPOSITORY, gammapolars

pytestmark = pytest.mark.usefixtures("fits_once")

RUN, DETECTORS = REPOSITORY / "data" / "co60-four-hpge.root", REPOSITORY / "data" / "detectors.toml"

ENERGIES = st.none() | st.integers(0, 80).map(lambda number: number / 4)
WEIGHT = st.sampled_from([1.0, -0.25, 0.0, 2.5, None])
CHANNEL = st.integers(0, 3)
ROWS = st.lists(st.tuples(CHANNEL, ENERGIES, CHANNEL, ENERGIES, st.integers(-3000, 3000), WEIGHT), max_size=40)

GATES = [gp.Gate(5, 8, ((9, 12),)), gp.Gate(11, 13, ((2, 3), (14, 16))), gp.Gate(0, 4)]


def pairs_of(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    kept = [(0, a, e, 1 if a == b else 0, b, f, 10**6, dt, w) for a, e, b, f, dt, w in rows]
    columns: dict[str, Any] = {
        "board_a": pl.UInt16, "channel_a": pl.UInt16, "energy_kev_a": pl.Float64,
        "board_b": pl.UInt16, "channel_b": pl.UInt16, "energy_kev_b": pl.Float64,
        "timestamp_ps": pl.Int64, "dt_ps": pl.Int64, "weight": pl.Float64,
    }  # fmt: skip
    return pl.DataFrame(kept, columns, orient="row")


def weight_of(gate: gp.Gate, energy: float | None) -> float:
    if energy is None:
        return 0.0
    if gate.low <= energy <= gate.high:
        return 1.0
    return -gate.scale if any(low <= energy <= high for low, high in gate.background) else 0.0


def summed(rows: Any) -> dict[Any, tuple[float, float]]:
    """Σ weight and Σ weight² by key; what weighs nothing is left out."""
    found: dict[Any, tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
    for key, weight in rows:
        if weight:
            found[key] = (found[key][0] + weight, found[key][1] + weight**2)
    return found


def agree(table: pl.DataFrame, expected: dict[Any, tuple[float, float]]) -> None:
    found = {tuple(key): (counts, variance) for *key, counts, variance in table.iter_rows()}
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        assert found[key] == pytest.approx(values, abs=1e-12)


@given(ROWS, st.sampled_from([1.0, 2.5]))
def test_spectra_and_matrices_sum_weights(rows: list[tuple[Any, ...]], width: float) -> None:
    table = pairs_of(rows).lazy()

    spectrum = gp.spectrum(table, energy="energy_kev_a", by=["channel_a"], bin_kev=width).collect()
    plain = gp.spectrum(table, energy="energy_kev_a", by=["channel_a"], bin_kev=width, weight=None).collect()
    matrix = gp.matrix(table, bin_kev=width).collect()
    mixed = gp.matrix(table, x="dt_ps", y="energy_kev_b", bin_x=500, bin_y=width).collect()

    def centre(value: float, of: float) -> float:
        return (math.floor(value / of) + 0.5) * of

    known = [row for row in rows if row[1] is not None]
    agree(spectrum, summed(((a, centre(e, width)), w) for a, e, _, _, _, w in known))
    agree(plain, summed(((a, centre(e, width)), 1.0) for a, e, *_ in known))
    both = [(centre(e, width), centre(f, width), w) for _, e, _, f, _, w in known if f is not None]
    agree(matrix, summed((key, w) for x, y, w in both for key in {(x, y), (y, x)}))
    agree(mixed, summed(((centre(dt, 500), centre(f, width)), w) for _, _, _, f, dt, w in rows if f is not None))


@given(ROWS, st.sampled_from(GATES), st.none() | st.just([(0, 1), (1, 2)]))
def test_gates_give_partners_with_the_product_of_weights(
    rows: list[tuple[Any, ...]], gate: gp.Gate, of: list[tuple[int, int]] | None
) -> None:
    table = pairs_of(rows)

    found = gp.gate(table.lazy(), gate, of=of).collect()

    expected = []
    for board_a, a, e, board_b, b, f, time, dt, own in table.iter_rows():
        ways = (((board_a, a), e, (board_b, b), f, time + dt, dt), ((board_b, b), f, (board_a, a), e, time, -dt))
        for gated, energy, partner, other, moment, difference in ways:
            weight = weight_of(gate, energy)
            if weight and (of is None or gated in of):
                expected.append((*partner, other, moment, difference, None if own is None else weight * own))
    assert found.columns == ["board", "channel", "energy_kev", "timestamp_ps", "dt_ps", "weight"]
    assert sorted(map(str, found.iter_rows())) == sorted(map(str, expected))


@given(
    st.lists(st.tuples(ENERGIES, ENERGIES, ENERGIES, WEIGHT), max_size=30),
    st.sampled_from(GATES),
    st.sampled_from(GATES),
)
def test_slices_of_cubes_take_all_assignments(rows: list[tuple[Any, ...]], first: gp.Gate, second: gp.Gate) -> None:
    names = [f"energy_kev_{side}" for side in "abc"]
    triples = pl.DataFrame(rows, dict.fromkeys((*names, "weight"), pl.Float64), orient="row")

    found = gp.cube_slice(triples.lazy(), first, second).collect()

    expected = []
    for *energies, own in rows:
        of_third = [0.0, 0.0, 0.0]
        for i, j, third in permutations(range(3)):
            if first != second or i < j:
                of_third[third] += weight_of(first, energies[i]) * weight_of(second, energies[j])
        expected += [(energies[k], w * own) for k, w in enumerate(of_third) if own and w]
    assert sorted(map(str, found.filter(pl.col("weight") != 0).iter_rows())) == sorted(map(str, expected))


SETS = st.none() | st.frozensets(st.tuples(st.just(0), CHANNEL), min_size=1)


@given(ROWS, SETS, SETS, st.booleans(), st.integers(1, 9))
def test_matrices_of_chosen_detectors_hold_each_pair_once(
    rows: list[tuple[Any, ...]], x: Any, y: Any, of_time: bool, size: int
) -> None:
    along = (Axis(TIME_DIFFERENCE, 500.0) if of_time else Axis(ENERGY, 2.0, 1.0, 18.0), Axis(ENERGY, 3.0))
    made = Matrix(*along, Detectors(), sides=Sides(x, y))
    table = pairs_of(rows)
    for part in table.iter_slices(size):
        made.add_pairs(part)

    expected = []
    for board_a, a, e, board_b, b, f, _, dt, own in table.iter_rows():
        ends = sorted([((board_a, a), e, -1), ((board_b, b), f, 1)])
        for here, there in (ends, ends[::-1]):
            if (x is None or here[0] in x) and (y is None or there[0] in y):
                signed = dt if there[2] == 1 else -dt
                first = signed if of_time else here[1]
                if first is not None and there[1] is not None and (of_time or 1 <= first < 18):
                    place = math.floor((first + 250) / 500) * 500 if of_time else (math.floor(first / 2) + 0.5) * 2
                    expected.append(((place, (math.floor(there[1] / 3) + 0.5) * 3), own))
                break
    agree(made.table(), summed(expected))


@given(st.lists(st.tuples(CHANNEL, st.integers(0, 10**13), st.integers(0, 400)), max_size=40), st.booleans())
def test_matrices_against_time_hold_each_used_hit(rows: list[tuple[int, int, int]], chosen: bool) -> None:
    columns: dict[str, Any] = {"channel": pl.UInt16, "timestamp_ps": pl.Int64, "adc": pl.UInt16}
    hits = pl.DataFrame(rows, columns, orient="row").with_columns(
        board=pl.lit(0, pl.UInt16), flags=pl.col("adc").cast(pl.UInt32) % 2
    )
    of = frozenset({(0, 1)}) if chosen else None
    made = Matrix(Axis(ADC, 1000.0, -10.0, 1000.0), Axis(TIME, 0.5), Detectors(), mask=1, sides=Sides(of))
    made.add_hits(hits)

    used = [time for channel, time, adc in rows if not adc % 2 and (channel == 1 or not chosen)]
    by_time = made.table().group_by("time_s_y").agg(pl.col("counts", "variance").sum())
    agree(by_time, summed(((math.floor(time / 1e12 / 0.5) * 0.5 + 0.25,), 1.0) for time in used))


# The commands.


def run(*words: str | Path | float) -> dict[str, Any]:
    done = gammapolars(*map(str, words), "--detectors", DETECTORS, "--json")
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".root", ".m4b"])
def test_axes_and_unequal_bins_come_out_of_every_format(tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"m{suffix}"

    summary = run("matrix", RUN, "--axes", "dt:energy", "--bin-x", "10ns", "--bin-kev", 20, "-o", output)

    found = gp.scan_matrix(output).collect()
    assert found["counts"].sum() == summary["counts"] == summary["pairs"]
    if suffix != ".m4b":
        assert found.columns == ["dt_ps_x", "energy_kev_y", "counts", "variance"]
        assert (found["dt_ps_x"] % 10_000 == 0).all()
        assert ((found["energy_kev_y"] - 10) % 20 == 0).all()


def test_the_net_matrix_opens_in_root_with_its_variances(tmp_path: Path) -> None:
    words: list[str | Path | float] = [
        "matrix",
        RUN,
        "--random",
        "500ns:2us",
        "--bin-kev",
        20,
        "--x",
        "HPGe-1",
        "--y",
        "HPGe-2,HPGe-3",
    ]
    for suffix in (".root", ".parquet"):
        run(*words, "-o", tmp_path / f"m{suffix}")
    table = pl.read_parquet(tmp_path / "m.parquet")

    with uproot.open(tmp_path / "m.root") as file:
        histogram = file["matrix"]

        assert histogram.classname == "TH2D"
        assert histogram.values().sum() == pytest.approx(float(table["counts"].sum()))
        assert histogram.variances().sum() == pytest.approx(float(table["variance"].sum()))
        assert histogram.values().min() < 0
        assert histogram.variances().min() == 0
    refused = gammapolars(*map(str, words), "--detectors", DETECTORS, "-o", tmp_path / "m.mat")
    assert refused.code == 1
    assert "stores only whole counts from 0 to 65535, but a bin has" in refused.error


def test_polygons_and_symmetry_of_matrices(tmp_path: Path) -> None:
    (tmp_path / "gates.toml").write_text(
        '[[gate]]\nname = "cascade"\nx = "energy_kev_a"\ny = "energy_kev_b"\n'
        "vertices = [[1100, 1100], [1400, 1100], [1400, 1400], [1100, 1400]]\n"
    )
    summary = run("matrix", RUN, "--polygon", tmp_path / "gates.toml", "-o", tmp_path / "m.csv")
    once = run("matrix", RUN, "--polygon", tmp_path / "gates.toml", "--no-symmetric", "-o", tmp_path / "n.csv")

    both, single = (pl.read_csv(tmp_path / name) for name in ("m.csv", "n.csv"))
    assert 0 < once["counts"] < summary["counts"] <= 2 * once["counts"]
    assert both["energy_kev_x"].min() > 1090  # type: ignore[operator]
    turned = single.select(energy_kev_x="energy_kev_y", energy_kev_y="energy_kev_x", counts="counts")
    diagonal = pl.col("energy_kev_x") == pl.col("energy_kev_y")
    rows = pl.concat([single.select(turned.columns), turned.filter(~diagonal)])
    mirrored = rows.group_by("energy_kev_x", "energy_kev_y").agg(pl.col("counts").sum())
    assert mirrored.sort(mirrored.columns).rows() == both.select(turned.columns).sort(turned.columns).rows()


@pytest.mark.usefixtures("built_figures")
@pytest.mark.parametrize("suffix", [".root", ".png"])
def test_gated_spectra_come_out_of_every_format_that_can_hold_them(tmp_path: Path, suffix: str) -> None:
    words: list[str | Path | float] = [
        "gate",
        RUN,
        "--on",
        1173.2,
        "--background",
        "1180:1200",
        "--random",
        "500ns:2us",
    ]
    summary = run(*words, "-o", tmp_path / f"net{suffix}")

    if suffix == ".root":
        found = gp.read_spectrum(tmp_path / f"net{suffix}").table
        assert found["counts"].sum() == pytest.approx(summary["counts"])
        assert found["variance"].sum() == pytest.approx(summary["counts_unc"] ** 2, rel=0.03)
        return
    refused = gammapolars(*map(str, words), "--detectors", DETECTORS, "-o", tmp_path / "net.spe")
    assert refused.code == 1
    assert "SPE stores only whole counts from 0" in refused.error
    assert "write .root, .csv or .parquet" in refused.error


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--axes", "energy"], "unknown axes"),
        (["--axes", "dt:dt"], "show the same quantity twice"),
        (["--axes", "dt:time"], "a time difference belongs to pairs, and time to single hits"),
        (["--axes", "time:energy", "--random", "1us:2us"], "a time axis needs single hits, not pairs"),
        (["--axes", "dt:energy", "--random", "1us:2us"], "leave --random out"),
        (["--axes", "dt:energy", "--symmetric"], "the same quantity, bins and range on both axes"),
        (["--bin-x", "0"], "wider than 0 keV"),
        (["--bin-x", "1ns"], "'1ns' is not a number of keV"),
        (["--range", "100:50"], "--range takes LOW:HIGH, such as 0:3000"),
        (["--range", "100"], "--range takes LOW:HIGH, such as 0:3000"),
        (["--x", "nowhere"], "unknown detector 'nowhere'"),
    ],
)
def test_matrices_that_cannot_be_are_refused(tmp_path: Path, words: list[str], reason: str) -> None:
    done = gammapolars("matrix", RUN, "--detectors", DETECTORS, "-o", tmp_path / "m.csv", *words)

    assert done.code == 2
    assert reason in done.error
    assert not list(tmp_path.iterdir())


def test_polygons_name_columns_that_pairs_have(tmp_path: Path) -> None:
    (tmp_path / "psd.csv").write_text("adc_a,adc_short_a\n0,0\n10,0\n10,10\n")

    done = gammapolars("matrix", RUN, "--polygon", tmp_path / "psd.csv", "--bin-adc", "8", "-o", tmp_path / "m.csv")

    assert "polygon 'psd' uses the column 'adc_short_a', which does not exist" in done.error


def test_names_stand_for_detectors_and_groups() -> None:
    known = Detectors((Detector(0, 1, "A", group="clover"), Detector(0, 2, "B", group="clover"), Detector(0, 3, "C,D")))

    assert keys_of(["clover"], known) == [(0, 1), (0, 2)]
    assert keys_of(["A,0/7", "C,D"], known) == [(0, 1), (0, 7), (0, 3)]
    assert sides_of(["clover"], [], known) == Sides(frozenset({(0, 1), (0, 2)}), None)


def test_maps_are_drawn_where_bins_are_net_and_where_there_are_none() -> None:
    empty = pl.DataFrame(schema={"dt_ps_x": pl.Float64, "adc_y": pl.Float64, "counts": pl.Float64})
    net = pl.DataFrame({"dt_ps_x": [0.0, 1000.0, 5000.0], "adc_y": [8.0, 24.0, 8.0], "counts": [5.0, -2.0, 1.0]})

    assert figures.matrix(empty).labels.title == "Pairs"
    plot = figures.matrix(net)
    assert plot.data["counts"].sum() == 6
    assert "(total −2)" in plot.labels.subtitle


# Physics.


def test_a_gate_on_nothing_is_net_of_nothing_however_its_channels_lie() -> None:
    random = np.random.default_rng(4)
    count = 400_000
    detectors = Detectors(tuple(Detector(0, channel, energy=(-0.8, 0.9478)) for channel in (0, 1)))
    flat = {f"adc_{side}": random.integers(500, 900, count).astype(np.uint16) for side in "ab"}
    keys = {"board_a": 0, "channel_a": 0, "board_b": 0, "channel_b": 1}
    pairs = pl.DataFrame(flat).select(
        pl.all(),
        *(pl.lit(value, pl.UInt16).alias(name) for name, value in keys.items()),
        timestamp_ps=pl.int_range(pl.len()) * 1_000_003,
        dt_ps=pl.lit(0, pl.Int64),
    )

    even = dithered_pairs(pairs.lazy().pipe(gp.calibrate, detectors), detectors)

    for on in np.linspace(600, 610, 7):
        gate = gp.Gate.on(float(on), 10, [(on + 20, on + 40)])
        weight = even.select(w=gate.weight("energy_kev_a")).collect()["w"].to_numpy()
        assert abs(weight.sum()) < 4.5 * math.sqrt((weight**2).sum())


def test_added_back_energies_of_files_are_kept() -> None:
    detectors = Detectors((Detector(0, 0, energy=(0.0, 1.0)), Detector(0, 3, energy=(0.0, 1.0))))
    rows = pairs_of([(0, 20.0, 3, 7.0, 5, 1.0)]).with_columns(adc_a=pl.lit(12, pl.UInt16), adc_b=pl.lit(7, pl.UInt16))

    found = dithered_pairs(rows.lazy(), detectors).collect()

    assert 19.5 <= found["energy_kev_a"][0] < 20.5
    assert 6.5 <= found["energy_kev_b"][0] < 7.5


def simulated(source: str, seed: int, activity_bq: float, hits: int = 150_000) -> tuple[pl.LazyFrame, pl.DataFrame]:
    """Pairs with random windows of simulated detectors, and the hits with their truth."""
    detectors = [Detector(0, channel, f"HPGe-{channel}", (0.1, 0.11), kind="HPGe") for channel in range(3)]
    made = [SimulatedDetector.from_detector(one, background_cps=2_000.0) for one in detectors]
    chunks = list(simulate.simulate([Source(source, activity_bq)], made, seed=seed, hits=hits))
    known = Detectors(tuple(detectors))
    pairs = pl.concat([chunk.hits for chunk in chunks]).lazy().pipe(gp.pairs, "200ns", random=("1us:3us",))
    told = [pl.concat([chunk.hits, chunk.truth], how="horizontal") for chunk in chunks]
    return dithered_pairs(pairs.pipe(gp.calibrate, known), known), pl.concat(told)


def true_cascades(hits: pl.DataFrame) -> int:
    """How often one decay left all of 1173 keV in one detector and all of 1332 keV in another, in good hits."""
    good = hits.filter(pl.col("full_energy") & ((pl.col("flags") & 0x8480) == 0))
    first, second = (good.filter((pl.col("deposit_kev") - line).abs() < 0.5) for line in (1173.2, 1332.5))
    both = first.join(second, on="decay").filter(pl.col("channel") != pl.col("channel_right"))
    return both.height


@pytest.mark.parametrize("seeds", [range(2), pytest.param(range(2, 8), marks=pytest.mark.slow)])
def test_net_counts_of_both_lines_of_simulated_cobalt_are_the_true_cascades(seeds: range) -> None:
    gates = gp.Gate.on(1173.2, 9, [(1180, 1200)]), gp.Gate.on(1332.5, 9, [(1340, 1360)])
    pulls, total = [], 0
    for seed in seeds:
        pairs, hits = simulated("Co-60", 500 + seed, 4e5)
        true = true_cascades(hits)
        total += true
        rows = gp.gate(pairs, gates[0])
        weight = rows.select(w=pl.col("weight") * gates[1].weight("energy_kev")).collect()["w"].to_numpy()
        rest = float((weight**2).sum()) - true  # what is there beside the true ones
        pulls.append((float(weight.sum()) - true) / math.sqrt(max(rest, 4.0)))
    assert total > 50 * len(seeds)
    assert np.abs(pulls).max() < 4.5
    assert abs(np.mean(pulls)) < 1.5


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [range(2), pytest.param(range(2, 8), marks=pytest.mark.slow)])
def test_nothing_is_in_coincidence_with_a_line_of_uncorrelated_hits(seeds: range) -> None:
    pulls = []
    for seed in seeds:
        pairs, _ = simulated("Cs-137", 300 + seed, 1.5e6)
        for on, background in ((661.7, (680, 700)), (450.0, (470, 490))):
            net = gp.gate(pairs, gp.Gate.on(on, 20, [background])).pipe(gp.spectrum, by=(), bin_kev=200).collect()
            wide = net.filter(pl.col("variance") > 20)
            pulls += (wide["counts"] / wide["variance"].sqrt()).to_list()
    found = np.array(pulls)
    assert len(found) > 3 * len(seeds)
    assert abs(found.mean()) < 4.5 / math.sqrt(len(found))
    assert abs(found.std() - 1) < 2.2 / math.sqrt(len(found))


def test_polygons_are_in_the_axes_of_a_matrix_too(tmp_path: Path) -> None:
    inside = '[[gate]]\nx = "dt_ps_x"\ny = "energy_kev_y"\n'
    (tmp_path / "gates.toml").write_text(
        inside + "vertices = [[-60e3, 1100], [-5e3, 1100], [-5e3, 1400], [-60e3, 1400]]"
    )
    sides = ["--x", "HPGe-1", "--y", "HPGe-2", "--axes", "dt:energy"]

    cut = run("matrix", RUN, *sides, "--polygon", tmp_path / "gates.toml", "-o", tmp_path / "cut.csv")
    run("matrix", RUN, *sides, "-o", tmp_path / "all.csv")

    dt, energy = pl.col("dt_ps_x"), pl.col("energy_kev_y")
    whole = pl.read_csv(tmp_path / "all.csv").filter(dt.is_between(-60e3, -5500), energy.is_between(1100, 1400))
    assert pl.read_csv(tmp_path / "cut.csv").rows() == whole.rows()
    assert cut["counts"] == whole["counts"].sum() > 20


def test_files_of_channels_come_with_where_their_channels_lie(tmp_path: Path) -> None:
    words: list[str | Path] = [RUN, "--detectors", DETECTORS, "--axes", "dt:energy", "-o", tmp_path / "m.m4b"]

    summary = json.loads(gammapolars("matrix", *words, "--json").out)
    text = gammapolars("matrix", *words, "--overwrite").out

    assert "dt:energy on x:y; bin n on x is at -2" in text
    run("matrix", RUN, "--axes", "dt:energy", "-o", tmp_path / "m.csv")
    written = gp.scan_matrix(tmp_path / "m.m4b").collect()
    first_ps, first_kev = (axis["channel_0"] for axis in summary["bins"])
    placed = written.select(
        dt_ps_x=first_ps + pl.col("adc_x") * 1000.0, energy_kev_y=first_kev + pl.col("adc_y") * 2.0, counts="counts"
    )
    assert (
        placed.sort(placed.columns).rows()
        == pl.read_csv(tmp_path / "m.csv").select(placed.columns).sort(placed.columns).rows()
    )


@pytest.mark.usefixtures("built_figures")
def test_a_figure_of_one_bin_of_time_shows_its_width_and_is_warned_of(tmp_path: Path) -> None:
    one = pl.DataFrame({"time_s_x": [5.0, 5.0], "adc_y": [8.0, 24.0], "counts": [3.0, 4.0], "variance": [3.0, 4.0]})
    colours = figures.matrix(one, widths=(10.0, 16.0)).scales.get_scales("fill")
    assert "(10 s × 16 ADC channels)" in str(colours.name)

    summary = run("matrix", RUN, "--axes", "time:adc", "--bin-x", "20s", "-o", tmp_path / "m.png")

    assert "time bins are 20 s wide: use narrower bins, such as --bin-x 0.6" in " ".join(summary["warnings"])


def test_runs_that_lie_over_each_other_in_time_are_warned_of(tmp_path: Path) -> None:
    gp.save(gp.scan(RUN).head(20_000), tmp_path / "first.parquet")
    gp.save(gp.scan(RUN).slice(20_000, 20_000), tmp_path / "second.parquet")
    both: list[str | Path] = [tmp_path / "first.parquet", tmp_path / "second.parquet", "--apart"]

    done = gammapolars("matrix", *both, "--axes", "time:adc", "--bin-x", "100ms", "-o", tmp_path / "m.csv")

    assert done.code == 0, done.err
    assert "Warning: hits of 2 runs are superimposed, each in its own time since the start" in done.out


def test_the_variance_of_weights_is_the_sum_of_their_squares() -> None:
    row = pl.DataFrame({"weight": [1.0, 1.0, -0.5]}).select(**sums("weight")).row(0)

    assert row == (1.5, 2.25)


@pytest.mark.slow
@pytest.mark.usefixtures("built_figures")
def test_a_figure_shows_pulse_heights_of_two_detectors_against_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one gain each, they have nothing in common: 511 keV is at channel 692 in one and at 540 in the other."""
    plots: list[Any] = []
    monkeypatch.setattr("gammapolars.commands.matrix.run.save_figure", lambda plot, *_, **__: plots.append(plot))
    two = Path(RUN).with_name("na22-two-nai.root")

    asked: list[tuple[str | Path, ...]] = [(two,), (two, "--symmetric"), (RUN,), (two, "-o", tmp_path / "m.csv")]
    outcomes = [gammapolars("matrix", "-o", tmp_path / "m.png", *words, "--json") for words in asked]
    assert [json.loads(done.out)["symmetric"] for done in outcomes] == [False, True, True, False]

    labels = [(plot.labels.x, plot.labels.y) for plot in plots]
    assert labels[0] == ("ADC channel, 0/4", "ADC channel, 0/5")
    assert labels[1] == labels[2] == ("ADC channel of one detector", "ADC channel of the other")
    top = plots[0].data.filter(pl.col("counts") == pl.col("counts").max())
    assert top.select("x", "y").row(0) == pytest.approx((692, 540), abs=24)
