"""Gates on stored matrices: the matrix' own rows, summed, in whole bins."""

import json
import math
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gammapolars as gp
from gammapolars.commands.gate.matrix import StoredMatrix, on_edges
from gammapolars.commands.gate.parse import GateOptions
from gammapolars.io.matrix_files import is_matrix
from tests.commandline import REPOSITORY, files_in, gammapolars

RUN, DETECTORS = REPOSITORY / "data" / "co60-four-hpge.root", REPOSITORY / "data" / "detectors.toml"

pytestmark = pytest.mark.usefixtures("fits_once")

LINE = ("--on", "1333", "--width", "6", "--background", "1346:1356")
"""A gate whose ends are edges of bins of 2 keV."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A matrix of the pairs, and one that is net of chance, in every format that can hold it."""
    path = tmp_path_factory.mktemp("matrices")
    known: list[str | Path] = ["--detectors", DETECTORS, "--overwrite"]
    for name in ("m.parquet", "m.csv", "m.root", "m.m4b"):
        made = gammapolars("coincidences", RUN, *known, "-o", path / "pairs.parquet", "--matrix", path / name)
        assert made.code == 0, made.err
    random = ["--random", "500ns:2us"]
    for name in ("net.parquet", "net.root", "net.csv"):
        assert gammapolars("matrix", RUN, *known, *random, "-o", path / name).code == 0
    some = ["--x", "HPGe-1", "--y", "HPGe-2", "--y", "HPGe-3", "--bin-kev", "4"]
    assert gammapolars("matrix", RUN, *known, *some, "-o", path / "some.parquet").code == 0
    assert gammapolars("matrix", RUN, "-o", path / "adc.parquet").code == 0
    assert gammapolars("matrix", RUN, *known, "--axes", "dt:energy", "-o", path / "dt.parquet").code == 0
    return path


def gated(path: Path, output: Path, *words: str) -> tuple[dict[str, Any], pl.DataFrame]:
    done = gammapolars("gate", path, *words, "-o", output, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out), pl.read_parquet(output)


@pytest.mark.parametrize(
    "name", ["m.parquet", "m.csv", "m.root", "net.parquet", pytest.param("net.root", marks=pytest.mark.slow), "net.csv"]
)
def test_a_gated_matrix_is_the_sum_of_its_rows(folder: Path, tmp_path: Path, name: str) -> None:
    summary, net = gated(folder / name, tmp_path / "g.parquet", *LINE)

    matrix = gp.scan_matrix(folder / name).collect()
    x = pl.col("energy_kev_x")
    inside, beside = (matrix.filter(x.is_between(*ends)) for ends in ((1330, 1336), (1346, 1356)))
    weighed = pl.concat(
        part.with_columns(counts=pl.col("counts") * w, variance=pl.col("variance") * w**2)
        for part, w in ((inside, 1.0), (beside, -0.6))
    )
    rows = weighed.group_by(energy_kev="energy_kev_y").agg(pl.col("counts", "variance").sum()).sort("energy_kev")
    for column in ("energy_kev", "counts", "variance"):
        assert net[column].to_list() == pytest.approx(rows[column].to_list())
    assert summary["counts"] == pytest.approx(net["counts"].sum())
    assert summary["net_of_chance"] == (None if name.endswith(".csv") else name.startswith("net"))
    assert summary["gate"] == {"low": 1330.0, "high": 1336.0, "background": [[1346.0, 1356.0]]}
    strongest = max(summary["peaks"], key=lambda peak: peak["area"])
    assert abs(strongest["centroid_kev"] - 1173.2) < 0.5
    assert strongest["area"] > 15 * strongest["area_unc"]


@pytest.mark.parametrize(
    "random", [pytest.param([], id="plain", marks=pytest.mark.slow), pytest.param(["--random", "500ns:2us"], id="net")]
)
def test_a_gated_matrix_is_what_the_run_gives(folder: Path, tmp_path: Path, random: list[str]) -> None:
    words = [*LINE, "--detectors", str(DETECTORS), "--bin", "2", *random]

    of_run, direct = gated(RUN, tmp_path / "run.parquet", *words)
    summary, net = gated(folder / ("net.parquet" if random else "m.parquet"), tmp_path / "matrix.parquet", *LINE)

    # A pair in one bin of the diagonal counts once in a matrix, and is two partners in a run.
    apart = ~pl.col("energy_kev").is_between(1330, 1356)
    both = direct.join(net, on="energy_kev", how="full", coalesce=True).filter(apart).fill_null(0.0)
    assert both.height > 300
    assert both["counts"].to_list() == pytest.approx(both["counts_right"].to_list(), abs=1e-9)
    assert both["variance"].to_list() == pytest.approx(both["variance_right"].to_list())
    assert summary["counts_unc"] == pytest.approx(of_run["counts_unc"], rel=0.01)


def test_channels_of_radware_are_gated_by_their_numbers(folder: Path, tmp_path: Path) -> None:
    words = ["--on", "666", "--unit", "adc", "--width", "3", "--background", "672.5:677.5"]  # of 2 keV each

    summary, net = gated(folder / "m.m4b", tmp_path / "g.parquet", *words)
    _, in_kev = gated(folder / "m.parquet", tmp_path / "k.parquet", *LINE)

    assert summary["unit"] == "adc"
    assert summary["gate"] == {"low": 664.5, "high": 667.5, "background": [[672.5, 677.5]]}
    assert net["counts"].to_list() == pytest.approx(in_kev["counts"].to_list())


def test_either_axis_of_a_matrix_can_be_gated(folder: Path, tmp_path: Path) -> None:
    matrix = pl.read_parquet(folder / "some.parquet")

    of_x, on_x = gated(folder / "some.parquet", tmp_path / "x.parquet", "--on", "1334", "--width", "12")
    of_y, on_y = gated(folder / "some.parquet", tmp_path / "y.parquet", "--on", "1334", "--width", "12", "--axis", "y")

    assert (of_x["bin_width"], of_y["matrix"]["gated_axis"]) == (4.0, "y")
    for summary, net, side in ((of_x, on_x, "x"), (of_y, on_y, "y")):
        rows = matrix.filter(pl.col(f"energy_kev_{side}").is_between(1328, 1340))
        assert net["counts"].sum() == summary["counts"] == rows["counts"].sum() > 50
        assert summary["counts_unc"] == pytest.approx(math.sqrt(rows["variance"].sum()))


def test_a_matrix_without_energies_says_so_whether_or_not_detectors_are_given(folder: Path, tmp_path: Path) -> None:
    table = pl.read_parquet(folder / "m.parquet").rename({"energy_kev_x": "adc_x", "energy_kev_y": "adc_y"})
    table.write_parquet(tmp_path / "adc.parquet")

    for words in ((), ("--detectors", DETECTORS)):
        done = gammapolars("gate", tmp_path / "adc.parquet", "--on", "1332.5", *words, "-o", tmp_path / "g.csv")

        assert done.code == 2
        assert "adc.parquet is a matrix without energies: gate on its channels with --unit adc" in done.error


def test_ends_within_bins_are_moved_and_said(folder: Path, tmp_path: Path) -> None:
    words = ["--on", "1332.5", "--width", "6", "--background", "1345.3:1355.2"]

    done = gammapolars("gate", folder / "m.parquet", *words, "-o", tmp_path / "g.csv", "--peaks", tmp_path / "p.csv")

    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].startswith("matrix of 19,0")
    assert lines[1:3] == [
        "gate 1330 to 1336, minus background 1346 to 1356 keV",
        "  moved to bin edges, from 1329.5 to 1335.5, minus background 1345.3 to 1355.2 keV",
    ]
    assert lines[3].endswith(
        "coincident counts, with the background under the line subtracted; random coincidences not subtracted"
    )
    assert files_in(tmp_path) == ["g.csv", "p.csv"]


def test_a_matrix_whose_file_says_nothing_of_random_coincidences_may_be_net_of_them(
    folder: Path, tmp_path: Path
) -> None:
    words = ["--on", "1332.5", "--width", "6", "--background", "1345:1355"]

    done = gammapolars("gate", folder / "m.csv", *words, "-o", tmp_path / "g.csv")

    assert done.code == 0, done.err
    assert (
        "with the background under the line subtracted; whether random coincidences were subtracted is not known\n"
        in done.out
    )


@given(st.floats(0, 50), st.floats(0.1, 20), st.floats(0, 9), st.floats(0.1, 20), st.sampled_from([0.5, 1.0, 2.0]))
def test_moved_gates_lie_on_edges_no_further_than_half_a_bin(
    low: float, wide: float, gap: float, beside: float, width: float
) -> None:
    gate = gp.Gate(low, low + wide, ((low + wide + gap, low + wide + gap + beside),))
    try:
        moved = on_edges(gate, 7.0, width)
    except gp.UsageError:
        assert min(wide, beside) < width
        return
    ends = zip((gate.low, gate.high, *gate.background[0]), (moved.low, moved.high, *moved.background[0]), strict=True)
    for asked, taken in ends:
        assert abs(asked - taken) <= width / 2 + 1e-9
        assert ((taken - 7.0) / width).is_integer()


def test_the_variance_of_all_counts_holds_pairs_that_stand_twice(tmp_path: Path) -> None:
    cells = [(10.5, 11.5, 4.0), (11.5, 10.5, 4.0), (10.5, 10.5, 3.0), (10.5, 30.5, 7.0), (30.5, 10.5, 7.0)]
    columns = ["energy_kev_x", "energy_kev_y", "counts", "variance"]
    pl.DataFrame([(*cell, cell[2]) for cell in cells], columns, orient="row").write_parquet(tmp_path / "m.parquet")

    options = GateOptions(names=["m.parquet"], on=11, width=2, output=tmp_path / "net.csv")
    summary = StoredMatrix(tmp_path / "m.parquet", options).count().summary

    assert summary.counts == 2 * 4 + 3 + 7
    assert summary.counts_unc**2 == pytest.approx(4 * 4 + 3 + 7)


def test_a_gate_that_reaches_beyond_the_matrix_says_so(tmp_path: Path) -> None:
    path, centres = tmp_path / "m.parquet", np.arange(1.0, 80.0, 2.0)
    x, y = (one.ravel() for one in np.meshgrid(centres, centres))
    counts = np.full(len(x), 9.0)
    pl.DataFrame({"energy_kev_x": x, "energy_kev_y": y, "counts": counts, "variance": counts}).write_parquet(path)
    backgrounds = ["--background", "64:68", "--background", "76:84"]

    inside, _ = gated(path, tmp_path / "a.parquet", "--on", "72", "--width", "4", *backgrounds[:2])
    cut, _ = gated(path, tmp_path / "b.parquet", "--on", "72", "--width", "4", *backgrounds)
    low, _ = gated(path, tmp_path / "c.parquet", "--on", "1", "--width", "6", "--background", "4:8")

    assert (inside["counts"], inside["warnings"]) == (0, [])
    assert cut["counts"] > 0
    assert [text[:47] for text in cut["warnings"]] == ["the background 76 to 84 keV extends beyond the "]
    assert low["warnings"][0] == (
        "the gate -2 to 4 keV extends beyond the counts of the matrix, 0 to 80 keV: the net counts are wrong if the "
        "matrix was truncated there"
    )


def test_matrices_are_told_from_runs_and_pairs(folder: Path) -> None:
    assert all(is_matrix(folder / name) for name in files_in(folder) if name != "pairs.parquet")
    assert not any(map(is_matrix, (RUN, DETECTORS, folder / "pairs.parquet", folder / "nothing.parquet")))


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        (
            "m.parquet",
            ["--on", "9", "--random", "1us:2us", "--and", "5"],
            "is a matrix, which no longer contains single hits or pairs",
        ),
        ("m.parquet", ["--on", "9", "--window", "50ns"], "leave --window out"),
        ("m.parquet", ["--on", "9", "--in", "HPGe-1", "--by-detector"], "leave --in and --by-detector out"),
        ("m.parquet", ["--on", "9", "--bin", "4"], "leave --bin out"),
        ("m.parquet", ["--on", "9", "--axis", "z"], "has the axes x and y, not 'z'"),
        (
            "m.parquet",
            ["--on", "8.5", "--width", "0.5"],
            "the gate from 8.25 to 8.75 contains no bin; the bin width is 2 keV",
        ),
        ("m.parquet", ["--on", "9", "--background", "20.1:20.3"], "background from 20.1 to 20.3 contains no bin"),
        ("dt.parquet", ["--on", "9"], "gates need a matrix of two energies or of two adc values"),
        ("pairs.parquet", ["--on", "9", "--axis", "x"], "is not a stored matrix: leave --axis out"),
        ("pairs.parquet", ["--on", "9", "--and", "5"], "contains saved pairs, not single hits"),
        ("pairs.parquet", ["--on", "9", "--window", "50ns"], "leave --window out"),
    ],
)
def test_what_does_not_go_with_a_matrix_is_refused(
    folder: Path, tmp_path: Path, name: str, words: list[str], message: str
) -> None:
    done = gammapolars("gate", folder / name, *words, "-o", tmp_path / "g.csv")

    assert done.code == 2
    assert message in done.error
    assert files_in(tmp_path) == []


def test_the_background_of_runs_in_two_dimensions_names_the_two_commands_that_give_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = ("--on", "1333", "--subtract-background")

    refused = gammapolars("gate", RUN, "--detectors", DETECTORS, "--random", "500ns:2us", *line, "-o", "g.parquet")

    assert refused.code == 2
    commands = [shlex.split(text) for text in refused.error.split("'")[1::2]]
    assert [words[:2] for words in commands] == [["gammapolars", "matrix"], ["gammapolars", "gate"]]
    assert commands[0][2:] == [str(RUN), "--detectors", str(DETECTORS), "--random", "500ns:2us", "-o", "matrix.parquet"]
    for words in commands:
        assert gammapolars(*words[1:]).code == 0
    net = pl.read_parquet("g.parquet").filter(pl.col("energy_kev") > 200)
    strongest = net.sort("counts")["energy_kev"][-1]
    assert strongest == pytest.approx(1173.2, abs=1.5)
    of_line = net.filter(pl.col("energy_kev").is_between(1169, 1178))
    assert float(of_line["counts"].sum()) > 0.8 * float(net["counts"].sum()) > 0


def test_matrices_that_no_gate_fits_are_refused(tmp_path: Path) -> None:
    columns = dict.fromkeys(("energy_kev_x", "energy_kev_y", "counts", "variance"), pl.Float64)
    pl.DataFrame(schema=columns).write_parquet(tmp_path / "empty.parquet")
    uneven = np.array([1.0, 2.0, 3.3, 7.77, 9.1])
    pl.DataFrame(dict.fromkeys(columns, uneven)).write_parquet(tmp_path / "uneven.parquet")

    for name, message in (("empty", "the matrix has no counts"), ("uneven", "bins of different widths")):
        done = gammapolars("gate", tmp_path / f"{name}.parquet", "--on", "5", "-o", tmp_path / "g.csv")
        assert done.code == 1
        assert message in done.error
