"""The outputs of queries: figures as `plot` draws them, next to a table, all of them or none."""

from pathlib import Path

import polars as pl
import pytest

import gammapolars as gp
from gammapolars.commands.query.figures import drawn_by, figure
from gammapolars.core.errors import UsageError
from gammapolars.detectors import Detectors
from tests.commandline import REPOSITORY, files_in, gammapolars

CO60 = REPOSITORY / "data" / "co60-four-hpge.root"
DETECTORS = str(REPOSITORY / "data" / "detectors.toml")
SPECTRA = "import gammapolars as gp\ndef query(hits):\n    return gp.spectrum(hits, bin_kev=2)\n"
SUMS = "import polars as pl\ndef query(hits):\n    return hits.group_by('channel').agg(pl.len())\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    gp.save(gp.scan(CO60).head(500), "run.parquet")


@pytest.mark.slow
def test_a_figure_is_that_of_plot_and_comes_with_the_table() -> None:
    Path("q.py").write_text(SPECTRA)
    words = ("q.py", "run.parquet", "--detectors", DETECTORS)

    done = gammapolars("query", *words, "-o", "q.svg", "-o", "q.parquet")
    plotted = gammapolars("plot", "q.parquet", "-o", "plot.svg")

    assert done.out.startswith("query 'q' written to q.svg and q.parquet\n")
    assert (done.code, plotted.code) == (0, 0), done.err + plotted.err
    assert Path("q.svg").read_text() == Path("plot.svg").read_text()
    assert pl.read_parquet("q.parquet").height > 50


def test_what_cannot_be_drawn_is_an_error_with_its_columns() -> None:
    Path("q.py").write_text(SUMS)

    done = gammapolars("query", "q.py", "run.parquet", "-o", "q.csv", "-o", "q.png")

    assert done.code == 2
    assert "query 'q' has no figure: there is none with the columns channel, len: write it to .parquet" in done.error
    assert not {"q.csv", "q.png"} & {*files_in(Path())}


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        (["q.csv", "q.parquet"], "q.parquet: a query writes one table, and figures next to it"),
        (
            ["q.html"],
            "unknown suffix '.html': tables are written to .parquet, .arrow, .csv, .root, and figures to .png",
        ),
        (["q.png", "q.png"], "two outputs have this name"),
        (["q.csv", "there.png"], "there.png: already exists"),
    ],
)
def test_outputs_that_cannot_be(outputs: list[str], reason: str) -> None:
    Path("q.py").write_text(SPECTRA)
    Path("there.png").write_text("precious")

    done = gammapolars("query", "q.py", "run.parquet", *(word for one in outputs for word in ("-o", one)))

    assert done.code in (1, 2)
    assert reason in done.error
    assert not {"q.csv", "q.png", "q.html", "q.parquet"} & {*files_in(Path())}
    assert Path("there.png").read_text() == "precious"


def test_tables_are_drawn_by_their_columns() -> None:
    def drawn(*columns: str) -> str:
        return drawn_by(pl.Schema({name: pl.Float64() for name in columns}), "q")

    assert drawn("energy_kev", "counts", "variance") == "spectrum"
    assert drawn("board", "channel", "adc", "counts") == "spectrum"
    assert drawn("energy_kev_x", "energy_kev_y", "counts") == "matrix"
    assert drawn("time_s", "width_s", "counts", "rate_cps") == "rates"
    assert drawn("name_a", "name_b", "dt_ns", "width_ns", "counts") == "time_differences"
    with pytest.raises(UsageError, match=r"there is none of pairs .*: draw its \.parquet with gammapolars plot"):
        drawn("channel_a", "channel_b", "dt_ps")


def test_spectra_of_one_further_column_are_drawn_over_each_other() -> None:
    bins = pl.DataFrame({"energy_kev": [1.0, 2.0, 3.0], "counts": [4.0, 5.0, 6.0]})
    both = pl.concat([bins.with_columns(which=pl.lit("all")), bins.with_columns(which=pl.lit("suppressed"))])

    assert {*figure("spectrum", both, Detectors()).data["overlay"]} == {"all", "suppressed"}
    folds = both.with_columns(multiplicity=pl.Series([1, 1, 1, 2, 2, 2])).drop("which")
    assert {*figure("spectrum", folds, Detectors()).data["overlay"]} == {"multiplicity 1", "multiplicity 2"}
    with pytest.raises(UsageError, match="several spectra, by which, more"):
        figure("spectrum", both.with_columns(more=pl.int_range(6)), Detectors())
