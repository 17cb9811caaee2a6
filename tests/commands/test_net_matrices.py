"""Matrices net of their background in two dimensions, and coincidence peaks, as the commands make them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import gammapolars as gp
from tests.commandline import REPOSITORY, gammapolars
from tests.drawing import daily

RUN, DETECTORS = REPOSITORY / "data" / "co60-four-hpge.root", REPOSITORY / "data" / "detectors.toml"
KNOWN: list[str | Path] = ["--detectors", DETECTORS]

pytestmark = pytest.mark.usefixtures("fits_once")

LINES = "1168:1178,1327:1338"
GATE, PARTNER = gp.Gate(1330, 1336, ((1346, 1356),)), gp.Gate(1170, 1176, ((1160, 1166), (1180, 1186)))
FOUR = ["--on", "1333", "--width", "6", "--background", "1346:1356"]
FOUR += ["--partner", "1173", "--partner-background", "1160:1166,1180:1186"]


def done(*words: str | Path) -> dict[str, Any]:
    ended = gammapolars(*words, "--json")
    assert ended.code == 0, ended.err
    return dict(json.loads(ended.out))


def refused(*words: str | Path) -> str:
    ended = gammapolars(*words)
    assert ended.code != 0
    return ended.err


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A matrix as counted, and one of two sides."""
    path = tmp_path_factory.mktemp("matrices")
    done("coincidences", RUN, *KNOWN, "-o", path / "pairs.parquet", "--matrix", path / "m.parquet")
    done("matrix", RUN, *KNOWN, "--x", "HPGe-1", "--y", "HPGe-2,HPGe-3", "-o", path / "sides.parquet")
    return path


def test_a_matrix_is_written_net_of_its_background(folder: Path, tmp_path: Path) -> None:
    words = ["--subtract-background", "--peak-region", LINES]

    summary = done("matrix", RUN, *KNOWN, *words, "-o", tmp_path / "net.parquet")

    net = gp.NetMatrix(gp.scan_matrix(folder / "m.parquet"), regions=[(1168, 1178), (1327, 1338)], width=2)
    stored = pl.read_parquet(tmp_path / "net.parquet")
    np.testing.assert_allclose(stored["counts"], net.table()["counts"], atol=1e-9)
    np.testing.assert_allclose(stored["variance"], net.table()["variance"], atol=1e-9)
    counts, unc, background = net.sum()
    assert (summary["counts"], summary["counts_unc"]) == pytest.approx((counts, unc))
    assert summary["background_counts"] == pytest.approx(background)
    assert summary["peak_regions_x"] == [[1168, 1178], [1328, 1338]]


@pytest.mark.parametrize("name", daily(1, ["net.parquet", "net.csv", "net.root"]))
def test_a_net_matrix_is_not_gated_as_if_its_cells_were_independent(tmp_path: Path, name: str) -> None:
    done("matrix", RUN, *KNOWN, "--subtract-background", "--peak-region", LINES, "-o", tmp_path / name)

    said = refused("gate", tmp_path / name, "--on", "1333", "-o", tmp_path / "g.csv")

    assert f"{name}: its background was subtracted, so neighbouring cells are correlated" in said
    assert "--subtract-background" in said
    with pytest.raises(gp.TableError, match="neighbouring cells are correlated"):
        gp.project(gp.scan_matrix(tmp_path / name), GATE)


@pytest.mark.parametrize(("name", "axis"), [("m.parquet", "x"), ("sides.parquet", "x"), ("sides.parquet", "y")])
def test_a_gate_on_a_matrix_is_net_of_its_background(folder: Path, tmp_path: Path, name: str, axis: str) -> None:
    words = ["--subtract-background", "--peak-region", LINES, "--axis", axis]

    summary = done("gate", folder / name, *FOUR, *words, "-o", tmp_path / "g.parquet")

    matrix = gp.scan_matrix(folder / name).collect()
    net = gp.NetMatrix(matrix, regions=[(1168, 1178), (1327, 1338)], width=2)
    spectrum = net.project(GATE, on="x" if axis == "x" else "y")
    stored = pl.read_parquet(tmp_path / "g.parquet")
    for column in ("energy_kev", "counts", "variance"):
        assert stored[column].to_numpy() == pytest.approx(spectrum[column].to_numpy())
    whole = net.sum(GATE) if axis == "x" else net.sum(None, GATE)
    assert (summary["counts"], summary["counts_unc"]) == pytest.approx((whole.counts, whole.unc))
    peak, lines = (
        gp.coincidence_peak(matrix, *((GATE, PARTNER) if axis == "x" else (PARTNER, GATE)), width=2),
        (
            gp.Gate(1330, 1336),
            gp.Gate(1170, 1176),
        ),
    )
    of_peak = net.sum(*(lines if axis == "x" else lines[::-1]))
    found = summary["coincidence"]
    assert (found["net"], found["net_unc"]) == pytest.approx((peak.net, peak.net_unc))
    assert found["peak_background"] == (peak.peak_background if axis == "x" else peak.background_peak)
    assert (found["net_of_projections"], found["net_of_projections_unc"]) == pytest.approx(tuple(of_peak)[:2])


@pytest.mark.slow
@pytest.mark.parametrize("random", [[], ["--random", "500ns:2us"]], ids=["plain", "net"])
def test_the_coincidences_of_two_lines_are_counted_with_the_gate(tmp_path: Path, random: list[str]) -> None:
    done("coincidences", RUN, *KNOWN, *random, "-o", tmp_path / "p.parquet")

    of_run = done("gate", RUN, *KNOWN, *FOUR, *random, "-o", tmp_path / "g.csv")
    of_file = done("gate", tmp_path / "p.parquet", *KNOWN, *FOUR, "-o", tmp_path / "f.csv")

    assert of_run["coincidence"] == of_file["coincidence"]
    found = of_run["coincidence"]
    assert 300 < found["net"] < 420  # as many as the peak that `gate` fits has
    assert 17 < found["net_unc"] < 22
    four = (found[name] for name in ("peak_peak", "peak_background", "background_peak", "background_background"))
    peak, second, first, both = four
    assert found["net"] == pytest.approx(peak - second - first + both)
    assert found["gate"] == {"low": 1170, "high": 1176, "background": [[1160, 1166], [1180, 1186]]}


def test_the_text_names_the_components(folder: Path, tmp_path: Path) -> None:
    ended = gammapolars("gate", folder / "m.parquet", *FOUR, "--subtract-background", "-o", tmp_path / "g.csv")

    assert ended.code == 0, ended.err
    assert "coincidences with the line in 1170 to 1176, minus background 1160 to 1166, 1180 to 1186 keV" in ended.out
    assert "peak–peak" in ended.out
    assert "with the background from the projections subtracted" in ended.out


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (
            ["gate", "RUN", "--on", "1333", "--subtract-background", "-o", "g.csv"],
            "takes the background from the projections of a stored matrix",
        ),
        (
            ["gate", "RUN", "--on", "1333", "--partner-background", "auto", "-o", "g.csv"],
            "give that line with --partner",
        ),
        (["gate", "RUN", "--on", "1333", "--and", "1173", "--partner", "511", "-o", "g.csv"], "leave --partner out"),
        (
            ["gate", "RUN", "--on", "1333", "--peak-region", "5:6", "-o", "g.csv"],
            "--peak-region belongs to --subtract-background: add that option",
        ),
        (
            ["matrix", "RUN", "--peak-region", "5:6", "-o", "m.csv"],
            "--peak-region belongs to --subtract-background: add that option",
        ),
        (["matrix", "RUN", "--subtract-background", "-o", "m.mat"], "unknown suffix '.mat'"),
        (["matrix", "RUN", "--subtract-background", "--axes", "dt:energy", "-o", "m.csv"], "two energies or of two"),
        (["matrix", "RUN", "--subtract-background", "--peak-region", "x", "-o", "m.csv"], "--peak-region"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, words: list[str], problem: str) -> None:
    command, *others = (str(RUN) if word == "RUN" else word for word in words)
    output = tmp_path / others.pop()

    assert problem in refused(command, *others, output, *KNOWN)
    assert not output.exists()
