"""The options of queries: from the function's signature, in the help, completed, and never replaced as outputs."""

from pathlib import Path

import polars as pl
import pytest

from tests.commandline import gammapolars
from tests.commands.test_completion import completion
from tests.rootfiles import made_hits, write_hits

ALL = '''"""Of every type."""

from pathlib import Path
from typing import Annotated, Literal

import polars as pl


def query(hits: pl.LazyFrame, *, gate_kev: Annotated[float, "Centre of the gate, in keV."],
          sides: Literal["left", "right"] = "left", most: int | None = None, file: Path | None = None,
          net: bool = True) -> pl.LazyFrame:
    """Do it.

    Args:
        gate_kev: something that the type says better.
        sides: on which side,
            of two.
        net: whether counts are net.
    """
    values = {"gate_kev": gate_kev, "sides": sides, "most": most, "file": file and file.name, "net": net}
    return hits.head(1).select(**{name: pl.lit(value) for name, value in values.items()})
'''


@pytest.fixture(autouse=True)
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("q.py").write_text(ALL)
    return write_hits(Path("run.root"), made_hits(100))


def test_the_help_of_a_query_has_its_options_and_those_of_the_command() -> None:
    text = gammapolars("query", "q.py", "--help").out

    assert "  Of every type.\n" in text
    for line in (
        "  --gate-kev NUMBER    Centre of the gate, in keV.  [required]",
        "  --sides left|right   on which side, of two.  [default: left]",
        "  --most N",
        "  --file FILE",
        "  --net / --no-net     whether counts are net.  [default: net]",
        "  --window WINDOW      Coincidence window",
    ):
        assert line in text
    assert "--gate-kev FLOAT  (needed)  Centre of the gate, in keV." in gammapolars("query", "q.py").out


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["run.root", "--gate-kev", "511"], (511.0, "left", None, None, True)),
        (["--gate-kev=5", "--no-net", "--sides", "right", "run.root"], (5.0, "right", None, None, False)),
        (["--gate-kev", "-1", "--net", "run.root", "--most", "3", "--file", "x.csv"], (-1.0, "left", 3, "x.csv", True)),
    ],
)
def test_options_and_runs_come_in_any_order(words: list[str], values: tuple[object, ...]) -> None:
    done = gammapolars("query", "q.py", *words, "-o", "out.parquet")

    assert done.code == 0, done.err
    assert pl.read_parquet("out.parquet").row(0) == values


def test_a_word_that_is_none_of_the_choices() -> None:
    done = gammapolars("query", "q.py", "run.root", "--gate-kev", "1", "--sides", "up", "-o", "out.csv")

    assert done.code == 2
    assert "Invalid value for '--sides'" in done.err


def test_a_file_that_an_option_names_is_not_replaced() -> None:
    Path("list.csv").write_text("precious")

    words = ("q.py", "run.root", "--gate-kev", "1", "--file", "list.csv", "-o", "list.csv", "--overwrite")
    done = gammapolars("query", *words)

    assert done.code == 1
    assert done.error.startswith("Error: list.csv: is read by this command")
    assert Path("list.csv").read_text() == "precious"


@pytest.mark.parametrize("name", ["output", "random", "tree", "overwrite", "help", "json"])
def test_a_parameter_cannot_have_the_name_of_another_option(name: str) -> None:
    Path("q.py").write_text(f"def query(hits, *, {name}: int = 1):\n    return hits\n")

    done = gammapolars("query", "q.py", "run.root", "-o", "out.csv")

    assert done.code == 1
    assert done.error == f"Error: q.py: parameter '{name}' has the name of an option of this command: rename it"


def test_options_of_a_query_are_completed() -> None:
    assert completion("gammapolars query q.py --gate").split() == ["--gate-kev"]
    assert completion("gammapolars query q.py run.root --sides r").split() == ["right"]
    assert completion("gammapolars query nowhere.py --win").split() == ["--window"]
