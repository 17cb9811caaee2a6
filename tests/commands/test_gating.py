"""Gates on lines: net spectra with all four terms, projections, polygons, slices of cubes, and the command."""

import json
import math
import os
from fractions import Fraction
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gammapolars as gp
from gammapolars.analysis.accumulators.gated import CubeSpectra, GatedSpectra
from tests.commandline import REPOSITORY, files_in, gammapolars
from tests.drawing import daily

FOLDER = os.environ.get("GAMMAPOLARS_REAL_DATA", "")
pytestmark = pytest.mark.usefixtures("fits_once")
recorded = pytest.mark.skipif(not FOLDER, reason="GAMMAPOLARS_REAL_DATA does not name the folder of recorded runs")

RUN, DETECTORS = REPOSITORY / "data" / "co60-four-hpge.root", REPOSITORY / "data" / "detectors.toml"

GATE = gp.Gate(10, 14, ((16, 18), (4, 6)))

PAIR = st.tuples(st.integers(0, 20), st.integers(0, 20), st.sampled_from([1.0, -0.25]), st.integers(0, 2))


def pairs_of(rows: list[tuple[int, int, float, int]]) -> pl.DataFrame:
    """Pairs from (energy of a, energy of b, weight, channel of a); b is always channel 3."""
    columns: dict[str, Any] = {
        "board_a": pl.UInt16, "channel_a": pl.UInt16, "board_b": pl.UInt16, "channel_b": pl.UInt16,
        "energy_kev_a": pl.Float64, "energy_kev_b": pl.Float64, "timestamp_ps": pl.Int64, "dt_ps": pl.Int64,
        "weight": pl.Float64,
    }  # fmt: skip
    made = [(0, channel, 0, 3, a + 0.5, b + 0.5, 0, 0, weight) for a, b, weight, channel in rows]
    return pl.DataFrame(made, columns, orient="row")


def weight_of(energy: float) -> float:
    return 1.0 if 10 <= energy <= 14 else -1.0 if 16 <= energy <= 18 or 4 <= energy <= 6 else 0.0


@given(st.lists(PAIR, max_size=40), st.integers(1, 7))
def test_gated_spectra_are_sums_over_pairs(rows: list[tuple[int, int, float, int]], size: int) -> None:
    found = GatedSpectra(GATE, None, calibrated=True, width=5.0)
    table = pairs_of(rows)
    for part in table.iter_slices(size):
        found.add_pairs(part)

    counts: dict[int, float] = {}
    variance: dict[int, float] = {}
    for a, b, weight, _ in rows:
        of_pair: dict[int, float] = {}
        for mine, other in ((a, b), (b, a)):
            if weighs := weight_of(mine + 0.5):
                of_pair[other // 5] = of_pair.get(other // 5, 0.0) + weight * weighs
        for place, value in of_pair.items():
            counts[place] = counts.get(place, 0.0) + value
            variance[place] = variance.get(place, 0.0) + value**2
    spectrum = found.summed()
    assert spectrum["energy_kev"].to_list() == [5 * place + 2.5 for place in sorted(counts)]
    assert spectrum["counts"].to_list() == pytest.approx([counts[place] for place in sorted(counts)])
    assert spectrum["variance"].to_list() == pytest.approx([variance[place] for place in sorted(counts)])
    assert found.by_detector()["counts"].sum() == pytest.approx(sum(counts.values()))
    whole = [weight * (weight_of(a + 0.5) + weight_of(b + 0.5)) for a, b, weight, _ in rows]
    net, unc = found.net()
    assert net == pytest.approx(sum(whole))
    assert unc == pytest.approx(math.sqrt(sum(weight**2 for weight in whole)))


TRIPLE = st.tuples(
    st.integers(0, 20), st.integers(0, 20), st.none() | st.integers(0, 20), st.sampled_from([1.0, -0.25])
)


@given(st.lists(TRIPLE, max_size=30), st.integers(1, 7))
def test_doubly_gated_spectra_are_sums_over_triples(rows: list[tuple[int, int, int | None, float]], size: int) -> None:
    second = gp.Gate(14, 20, ((8, 10),))
    found = CubeSpectra(GATE, second, width=5.0)
    columns: dict[str, Any] = {f"{name}_{side}": pl.UInt16 for side in "abc" for name in ("board", "channel")}
    columns |= {f"energy_kev_{side}": pl.Float64 for side in "abc"} | {"weight": pl.Float64}
    energies = [tuple(None if e is None else e + 0.5 for e in row[:3]) for row in rows]
    table = pl.DataFrame(
        [(0, 0, 0, 1, 0, 2, *of, row[3]) for of, row in zip(energies, rows, strict=True)], columns, orient="row"
    )
    for part in table.iter_slices(size):
        found.add_triples(part)

    def by_second(energy: float) -> float:
        return 1.0 if 14 <= energy <= 20 else -3.0 if 8 <= energy <= 10 else 0.0

    counts: dict[int, float] = {}
    variance: dict[int, float] = {}
    by_channel: dict[tuple[int, int], float] = {}
    total = 0.0
    for of, row in zip(energies, rows, strict=True):
        of_triple: dict[int, float] = {}
        for i, j, third in permutations(range(3)):
            one, other, partner = of[i], of[j], of[third]
            if one is None or other is None or partner is None:
                continue
            if weight := weight_of(one) * by_second(other) * row[3]:
                place = int(partner // 5)
                of_triple[place] = of_triple.get(place, 0.0) + weight
                by_channel[third, place] = by_channel.get((third, place), 0.0) + weight
        for place, weight in of_triple.items():
            counts[place] = counts.get(place, 0.0) + weight
            variance[place] = variance.get(place, 0.0) + weight**2
        total += sum(of_triple.values()) ** 2
    spectrum = found.summed()
    told = {(energy - 2.5) / 5: (count, var) for energy, count, var in spectrum.iter_rows()}
    for place, count in counts.items():
        assert told.get(place, (0.0, 0.0)) == pytest.approx((count, variance[place]))
    assert found.net() == pytest.approx((sum(counts.values()), math.sqrt(total)))
    apart = {(row[1], (row[2] - 2.5) / 5): row[3] for row in found.by_detector().iter_rows()}
    assert apart == pytest.approx({key: value for key, value in by_channel.items() if key in apart})
    assert all(abs(value) < 1e-9 for key, value in by_channel.items() if key not in apart)


@pytest.mark.slow
def test_variances_of_gated_spectra_are_those_of_many_runs() -> None:
    random = np.random.default_rng(8)
    runs = 300
    seen: dict[tuple[float, ...], list[tuple[float, float]]] = {}
    for _ in range(runs):
        count = random.poisson(60)
        energies = random.integers(10, 20, (count, 2)).tolist()
        weights = np.where(random.random(count) < 0.7, 1.0, -0.25).tolist()
        found = GatedSpectra(GATE, None, calibrated=True, width=5.0)
        found.add_pairs(pairs_of([(a, b, weight, 0) for (a, b), weight in zip(energies, weights, strict=True)]))
        net, unc = found.net()
        for *key, counts, variance in (*found.by_detector().iter_rows(), *found.summed().iter_rows(), (net, unc**2)):
            seen.setdefault(tuple(key), []).append((counts, variance))
    assert sorted(map(len, seen)) == [0, 1, 1, 3, 3, 3, 3]  # all counts; bins of the sum; bins of two detectors
    for bins in seen.values():
        assert len(bins) == runs
        counts_, variances = np.array(bins).T
        # The variance of so many is known to 8 %. Counted apart, pairs with both hits in the gate would make it half.
        assert counts_.var() == pytest.approx(variances.mean(), rel=0.25)


@given(st.lists(PAIR, min_size=1, max_size=40))
def test_a_projection_is_the_sum_of_rows_and_the_gated_spectrum(rows: list[tuple[int, int, float, int]]) -> None:
    table = pairs_of(rows).lazy()
    matrix = table.pipe(gp.matrix, bin_kev=1, symmetric=False).collect()

    plain = gp.project(matrix, gp.Gate(10, 14), width=1).collect()
    net = gp.project(matrix, GATE, width=1).collect()

    inside = matrix.filter(pl.col("energy_kev_x").is_between(10, 14))
    summed = inside.group_by("energy_kev_y").agg(pl.col("counts", "variance").sum()).sort("energy_kev_y")
    assert plain.rows() == [pytest.approx(row) for row in summed.rows()]
    of_a = table.with_columns(weight=pl.col("weight") * GATE.weight("energy_kev_a"))
    direct = of_a.pipe(gp.spectrum, energy="energy_kev_b", by=()).collect().sort("energy_kev")
    both = net.join(direct, on="energy_kev", how="full", coalesce=True).fill_null(0.0)
    assert both["counts"].to_list() == pytest.approx(both["counts_right"].to_list())


@given(st.lists(PAIR, min_size=1, max_size=60))
def test_a_projection_adds_in_the_order_of_the_bins_to_the_last_bit(rows: list[tuple[int, int, float, int]]) -> None:
    thirds = pairs_of(rows).lazy().with_columns(weight=pl.col("weight") / 3)
    matrix = thirds.pipe(gp.matrix, bin_kev=1, symmetric=False).collect()
    sums: dict[float, list[float]] = {}
    for x, y, counts, variance in matrix.sort("energy_kev_x").iter_rows():
        inside = 10 < x < 14
        if inside or any(low < x < high for low, high in GATE.background):
            of_bin = sums.setdefault(y, [0.0] * 4)
            of_bin[0 if inside else 1] += counts
            of_bin[2 if inside else 3] += variance
    beta = 4 / sum(high - low for low, high in GATE.background)

    net = gp.project(matrix, GATE, width=1).collect()

    expected = [(y, g - beta * b, v + beta * beta * w) for y, (g, b, v, w) in sorted(sums.items())]
    assert net.rows() == expected


def crosses(vertices: list[tuple[int, int]]) -> bool:
    """Whether any two edges of a polygon cross, by the points that they share."""
    edges = list(zip(vertices, [*vertices[1:], vertices[0]], strict=True))
    for ((ax, ay), (bx, by)), ((cx, cy), (dx, dy)) in combinations(edges, 2):
        across = (bx - ax) * (dy - cy) - (by - ay) * (dx - cx)
        if across:
            s = Fraction((cx - ax) * (dy - cy) - (cy - ay) * (dx - cx), across)
            t = Fraction((cx - ax) * (by - ay) - (cy - ay) * (bx - ax), across)
            if 0 < s < 1 and 0 < t < 1:
                return True
    return False


@given(
    st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=3, max_size=7, unique=True),
    st.lists(st.tuples(st.integers(-10, 10), st.integers(-10, 10)), min_size=1, max_size=30),
    st.booleans(),
)
def test_points_in_polygons_are_those_of_exact_arithmetic(
    vertices: list[tuple[int, int]], points: list[tuple[int, int]], in_order: bool
) -> None:
    centre = [sum(values) / len(vertices) for values in zip(*vertices, strict=True)]
    if in_order:  # around their middle, so that few polygons cross themselves
        vertices.sort(key=lambda vertex: math.atan2(vertex[1] - centre[1], vertex[0] - centre[0]))
    if crosses(vertices):
        with pytest.raises(gp.UsageError, match="crosses itself"):
            gp.PolygonGate("x", "y", tuple(vertices))
        return
    (x, y), (u, v), *others = vertices
    if all((u - x) * (b - y) == (a - x) * (v - y) for a, b in others):
        with pytest.raises(gp.UsageError, match="collinear"):
            gp.PolygonGate("x", "y", tuple(vertices))
        return
    polygon = gp.PolygonGate("x", "y", tuple(vertices))
    frame = pl.DataFrame(points, {"x": pl.Int64, "y": pl.Int64}, orient="row")

    found = frame.select(polygon.inside())["inside"].to_list()

    def crossings(x: int, y: int) -> int:
        crossed = 0
        for (x0, y0), (x1, y1) in zip(vertices, [*vertices[1:], vertices[0]], strict=True):
            if (y0 <= y) != (y1 <= y):
                crossed += Fraction(x) < x0 + Fraction((y - y0) * (x1 - x0), y1 - y0)
        return crossed

    assert found == [crossings(x, y) % 2 == 1 for x, y in points]


def test_polygons_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "g.toml").write_text(
        '[[gate]]\nname = "box"\nx = "energy_kev_a"\ny = "energy_kev_b"\n'
        "vertices = [[0, 0], [10, 0], [10, 10], [0, 10]]\n"
    )
    (tmp_path / "box.csv").write_text("energy_kev_a,energy_kev_b\n0,0\n10,0\n10,10\n0,10\n")
    table = pairs_of([(5, 5, 1.0, 0), (5, 15, 1.0, 0)]).lazy()

    for path in ("g.toml", "box.csv"):
        (gate,) = gp.load_gates(tmp_path / path)
        assert gate.name == "box"
        assert gate.select(table).collect()["energy_kev_b"].to_list() == [5.5]


IN_TOML = '[[gate]]\nname = "n"\nx = "adc_a"\ny = "adc_b"\n'


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("g.csv", "a,b\n0,0\n1,1\n2,2\n", "polygon 'g' encloses no area: its vertices are collinear"),
        ("g.csv", "a,b\n0,0\n1,1\n", "polygon 'g' needs 3 or more vertices, but has 2"),
        ("g.csv", "a,b\n0,0\nnan,1\n2,0\n", "polygon 'g' has a vertex that is not a pair of finite numbers: number 2"),
        ("g.csv", "a,b\n0,0,3\n1,1\n2,0\n", "line 2 must hold two numbers, the x and y of a vertex, not '0,0,3'"),
        ("g.csv", "a,b,c\n0,0,3\n", "its first line must give two column names separated by a comma"),
        ("g.csv", "0,0\n1,1\n2,0\n", "not '0,0'"),
        ("g.csv", "", "and the file is empty"),
        ("g.csv", "a,a\n0,0\n1,1\n2,0\n", "needs two columns, one for x and one for y, not 'a' and 'a'"),
        ("g.csv", "a,b\n0,0\n10,10\n10,0\n0,10\n", "crosses itself: its edge from (0, 0) to (10, 10) crosses that"),
        ("g.toml", IN_TOML, "gate 'n' has no vertices"),
        ("g.toml", "[[gate]]\nvertices = [[0, 0], [1, 1], [2, 0]]", "gate 'gate 1' has no x and no y"),
        ("g.toml", IN_TOML + "vertices = [[0, 0, 1], [1, 1, 1]]", "vertices must be pairs of numbers, such as"),
        (
            "g.toml",
            IN_TOML + f"vertices = [[0, 0], [1{400 * '0'}, 1], [2, 0]]",
            "not a pair of finite numbers: number 2",
        ),
        ("g.toml", IN_TOML + "colour = 1", "unknown key 'colour'"),
        ("g.toml", "", "write [[gate]] tables"),
        ("g.txt", "", "unknown suffix '.txt'"),
    ],
)
def test_polygons_that_cannot_be_are_refused_in_a_line(tmp_path: Path, name: str, text: str, reason: str) -> None:
    (tmp_path / name).write_text(text)

    with pytest.raises(gp.GammapolarsError) as raised:
        gp.load_gates(tmp_path / name)

    assert str(raised.value).startswith(f"{tmp_path / name}: ")
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_cube_slice_counts_the_third_hit(tmp_path: Path) -> None:
    rows = [(12.0, 32.0, 55.0), (32.0, 55.0, 12.0), (12.0, 12.0, 32.0), (36.0, 12.0, 60.0), (1.0, 2.0, 3.0)]
    triples = pl.DataFrame(rows, ["energy_kev_a", "energy_kev_b", "energy_kev_c"], orient="row").lazy()

    found = gp.cube_slice(triples, gp.Gate(10, 14), gp.Gate(30, 34, ((35, 39),))).collect()

    assert sorted(found.rows()) == [(12.0, 1.0), (12.0, 1.0), (55.0, 1.0), (55.0, 1.0), (60.0, -1.0)]


def summary_of(*words: str | Path | float) -> dict[str, Any]:
    done = gammapolars("gate", *map(str, words), "--detectors", DETECTORS, "--json")
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


@pytest.mark.usefixtures("built_figures")
@pytest.mark.parametrize(
    ("on", "background", "partner"), daily(1, [(1332.5, "1345:1355", 1173.2), (1173.2, "1180:1200", 1332.5)])
)
def test_each_line_of_cobalt_gives_the_other(tmp_path: Path, on: float, background: str, partner: float) -> None:
    outputs: list[str | Path] = [
        "-o",
        tmp_path / "net.parquet",
        "--peaks",
        tmp_path / "peaks.csv",
        "--figure",
        tmp_path / "net.png",
    ]

    summary = summary_of(RUN, "--on", on, "--background", background, "--random", "500ns:2us", *outputs)

    strongest = max(summary["peaks"], key=lambda peak: peak["area"])
    assert abs(strongest["centroid_kev"] - partner) < 0.5
    assert strongest["area"] > 15 * strongest["area_unc"]
    own = [peak for peak in summary["peaks"] if abs(peak["centroid_kev"] - on) < 2]
    assert sum(peak["area"] for peak in own) < 0.1 * strongest["area"]
    net = pl.read_parquet(tmp_path / "net.parquet")
    assert net["counts"].sum() == pytest.approx(summary["counts"])
    # Pairs with both hits in the gate or its background stand in two bins: errors of these are correlated.
    assert summary["counts_unc"] == pytest.approx(math.sqrt(net["variance"].sum()), rel=0.03)
    assert net["counts"].min() < 0  # type: ignore[operator]
    assert pl.read_csv(tmp_path / "peaks.csv").height == len(summary["peaks"])


def test_a_file_of_pairs_gives_what_the_run_gives(tmp_path: Path) -> None:
    words: list[str | float] = ["--on", 1332.5, "--background", "1345:1355"]
    made = gammapolars(
        "coincidences", RUN, "--detectors", DETECTORS, "-o", tmp_path / "p.parquet", "--random", "500ns:2us"
    )
    assert made.code == 0

    of_pairs = summary_of(tmp_path / "p.parquet", *words, "-o", tmp_path / "a.parquet")
    of_run = summary_of(RUN, *words, "--random", "500ns:2us", "-o", tmp_path / "b.parquet")

    one, other = (pl.read_parquet(tmp_path / name) for name in ("a.parquet", "b.parquet"))
    assert one["energy_kev"].equals(other["energy_kev"])
    assert one["counts"].to_list() == pytest.approx(other["counts"].to_list())
    assert one["variance"].to_list() == pytest.approx(other["variance"].to_list())
    assert of_pairs["counts"] == pytest.approx(of_run["counts"])
    assert of_pairs["net_of_chance"]


def test_the_text_tells_what_is_subtracted_and_what_is_not(tmp_path: Path) -> None:
    words: list[str | Path] = ["gate", RUN, "--detectors", DETECTORS, "--on", "1332.5", "-o", tmp_path / "n.csv"]
    words += ["--width", "6"]

    plain = gammapolars(*words).out.splitlines()
    net = gammapolars(*words, "--background", "1345:1355", "--random", "500ns:2us", "--overwrite").out.splitlines()

    assert plain[3:5] == ["9,522 pairs within ±250 ns", "gate 1329.5 to 1335.5 keV"]
    assert plain[5].endswith(" coincident counts; the background under the line and random coincidences not subtracted")
    assert "pairs in the random windows -2 us to -500 ns, 500 ns to 2 us" in net[4]
    assert net[5] == "gate 1329.5 to 1335.5, minus background 1345 to 1355 keV"
    assert net[6].endswith(" coincident counts, with the background under the line and random coincidences subtracted")


def test_two_gates_are_on_triples(tmp_path: Path) -> None:
    lines: list[str | float] = ["--on", 1173.2, "--and", 1332.5, "--width", 6]
    summary = summary_of(RUN, *lines, "--window", "1us", "-o", tmp_path / "cube.csv")

    net = pl.read_csv(tmp_path / "cube.csv")
    assert summary["counts"] == net["counts"].sum() >= 0
    assert summary["and_gate"]["low"] == 1329.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--background", "1330:1340"], "overlap"),
        (["--background", "7"], "--background takes LOW:HIGH"),
        (["--width", "0"], "from a lower to a higher"),
        (["--in", "nowhere"], "unknown detector"),
        (["--bin", "-1"], "at least 0.001 keV wide, not -1"),
        (["--bin", "1e-5"], "at least 0.001 keV wide, not 1e-05"),
        (["--bin", "nan"], "at least 0.001 keV wide, not nan"),
        (["--peaks", "peaks.root"], "a ROOT tree stores only numbers"),
        (["--figure", "net.jpg"], "figures are written to .png, .pdf, .svg"),
    ],
)
def test_gates_that_cannot_be_are_refused(tmp_path: Path, options: list[str], message: str) -> None:
    words: list[str | Path] = ["--on", "1332.5", "-o", tmp_path / "net.csv"]

    done = gammapolars("gate", RUN, "--detectors", DETECTORS, *words, *options)

    assert done.code == 2
    assert message in done.error
    assert files_in(tmp_path) == []


def test_spectra_by_detector_name_each_one_and_show_the_line_in_all(tmp_path: Path) -> None:
    words = ["--on", "1173.2", "--background", "1185:1195", "--random", "auto", "--by-detector"]
    outputs: list[str | Path] = ["-o", tmp_path / "net.csv", "--peaks", tmp_path / "peaks.csv", "--overwrite"]

    done = gammapolars("gate", RUN, "--detectors", DETECTORS, *words, *outputs)

    assert done.code == 0, done.err
    peaks = pl.read_csv(tmp_path / "peaks.csv").filter((pl.col("centroid_kev") - 1332.5).abs() < 1)
    names = [f"HPGe-{number}" for number in range(1, 5)]
    assert peaks["name"].to_list() == names  # the line is the last of each spectrum
    assert sorted(pl.read_csv(tmp_path / "net.csv")["name"].unique()) == names
    assert all(any(line.startswith(f"  {name} ") for line in done.out.splitlines()) for name in names)


def test_a_line_with_nothing_beside_it_is_fitted(tmp_path: Path) -> None:
    summary = summary_of(RUN, "--on", 1173.2, "--background", "1185:1195", "-o", tmp_path / "net.csv")

    (line,) = (peak for peak in summary["peaks"] if abs(peak["centroid_kev"] - 1332.5) < 1)
    assert line["status"] == "ok"
    assert 290 < line["area"] < 345


def test_outputs_of_one_name_are_refused(tmp_path: Path) -> None:
    words: list[str | Path] = ["--on", "1332.5", "-o", tmp_path / "net.csv", "--peaks", tmp_path / "net.csv"]

    done = gammapolars("gate", RUN, "--detectors", DETECTORS, *words, "--overwrite")

    assert done.code == 2
    assert "two outputs have this name" in done.error
    assert files_in(tmp_path) == []


@recorded
def test_pairs_of_recorded_na22_in_the_511_511_gate() -> None:
    run = Path(FOLDER) / "na22-two-nai" / "SDataR_na22_two_nai.root"
    box = gp.PolygonGate("adc_a", "adc_b", ((620, 480), (781, 480), (781, 641), (620, 641)))

    pairs = gp.scan(run).pipe(gp.pairs, "-50ns:50ns", reject="none", start=(0, 4), stop=(0, 5)).pipe(box.select)

    dt = pairs.collect()["dt_ps"].to_numpy()
    assert len(dt) == 20_668
    # FWHM by the half maximum of a histogram.
    counts, edges = np.histogram(dt, np.arange(-20_000, 20_001, 400))
    above = edges[:-1][counts > counts.max() / 2]
    assert above[-1] + 400 - above[0] == pytest.approx(5_800, abs=500)


@pytest.mark.slow
@recorded
def test_recorded_cobalt_pairs_gate_to_each_other(tmp_path: Path) -> None:
    folder = Path(FOLDER) / "co60-four-hpge"
    pairs = next(folder.glob("*.root"))
    calibrations = sorted(folder.glob("*.CALp"))
    assignments = [f"{number}={path}" for number, path in enumerate(calibrations, 1)]
    made = gammapolars("detectors", "import", *assignments, "-o", tmp_path / "d.toml")
    assert made.code == 0, made.err

    for on, background, partner in ((1173.2, "1180:1200", 1332.5), (1332.5, "1345:1365", 1173.2)):
        words: list[str | Path] = ["--on", str(on), "--background", background, "-o", tmp_path / f"{on}.parquet"]
        done = gammapolars("gate", pairs, "--detectors", tmp_path / "d.toml", *words, "--json")
        assert done.code == 0, done.err
        strongest = max(json.loads(done.out)["peaks"], key=lambda peak: peak["area"])
        assert abs(strongest["centroid_kev"] - partner) < 2
        assert strongest["significance"] > 10
        assert strongest["area"] > 5 * strongest["area_unc"]  # calibrations differ: χ²/ndf is 2.5


def test_matrices_of_chosen_detectors_and_of_times_hold_their_pairs(tmp_path: Path) -> None:
    made = gammapolars("coincidences", RUN, "--detectors", DETECTORS, "-o", tmp_path / "p.parquet")
    assert made.code == 0
    known_ones = gp.load_detectors(DETECTORS)
    pairs = pl.scan_parquet(tmp_path / "p.parquet").pipe(gp.calibrate, known_ones, dither=True).collect()
    a, b = pl.col("channel_a"), pl.col("channel_b")
    between = pairs.filter(((a == 1) & (b > 1)) | ((b == 1) & (a > 1)))
    known: list[str | Path] = ["--detectors", DETECTORS, "--json", "--x", "0/1"]
    y = [word for channel in (2, 3, 4) for word in ("--y", f"0/{channel}")]

    energies = gammapolars("matrix", RUN, *known, *y, "--bin-kev", "50", "-o", tmp_path / "e.parquet")
    times = gammapolars("matrix", RUN, *known, "--axes", "dt:energy", "--bin-x", "20000", "-o", tmp_path / "t.csv")

    assert (energies.code, times.code) == (0, 0), energies.err + times.err
    table = pl.read_parquet(tmp_path / "e.parquet")
    assert table["counts"].sum() == between.height
    first = between.select(x=pl.when(a == 1).then("energy_kev_a").otherwise("energy_kev_b"))["x"]
    by_x = table.group_by("energy_kev_x").agg(pl.col("counts").sum()).sort("energy_kev_x")
    counted = first.to_frame().group_by(energy_kev_x=((pl.col("x") / 50).floor() + 0.5) * 50).len()
    assert by_x["counts"].to_list() == counted.sort("energy_kev_x")["len"].to_list()
    of_times = pl.read_csv(tmp_path / "t.csv")
    assert of_times["counts"].sum() == between.height
    signed = between.select(dt=pl.when(a == 1).then("dt_ps").otherwise(-pl.col("dt_ps")))["dt"]
    late = of_times.filter(pl.col("dt_ps_x") > 0)["counts"].sum()
    assert late == (signed >= 10_000).sum()
