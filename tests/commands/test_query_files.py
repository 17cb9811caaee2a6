"""Where queries are found: in the user's folder first, then those that come with the package; and their list."""

import json
import os
from pathlib import Path

import pytest

from gammapolars.commands import query_files
from gammapolars.commands.query.queries import load
from tests.commandline import REPOSITORY, gammapolars
from tests.rootfiles import made_hits, write_hits

MINE = '"""My own rates.\n\nAnd more."""\ndef query(hits):\n    return hits.select(mine="adc")\n'


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests work in an empty folder."""
    monkeypatch.chdir(tmp_path)


def own(name: str, text: str = MINE) -> Path:
    path = Path("queries") / f"{name}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def listed() -> dict[str, dict[str, object]]:
    return {row["name"]: row for row in json.loads(gammapolars("query", "--json").out)["queries"]}


def test_without_a_name_all_queries_are_listed_with_their_first_lines() -> None:
    own("anything")
    own("_helper")
    own("broken", "def query(:\n")

    text, rows = gammapolars("query").out, listed()

    shipped = {path.stem for path in (REPOSITORY / "queries").glob("[!_]*.py")}
    assert set(rows) == {"anything", "broken", *shipped}
    assert [name for name, row in rows.items() if row["is_shipped"]] == sorted(shipped)
    assert rows["anything"]["description"] == "My own rates."
    assert rows["broken"]["description"] == ""
    assert rows["rates_by_minute"]["path"] == str(REPOSITORY / "queries" / "rates_by_minute.py")
    first, last = text.index("In the folder queries/:\n  anything"), text.index("With gammapolars:\n")
    assert first < last < text.index("Counts and rate of each detector, minute by minute.")


def test_a_query_of_the_package_runs_from_any_folder() -> None:
    run = write_hits(Path("run.root"), made_hits(300))

    done = gammapolars("query", "rates_by_minute", run, "-o", "rates.csv")

    assert done.code == 0, done.err
    assert Path("rates.csv").read_text().startswith("board,channel,minute,counts,rate_cps\n")


def test_a_query_of_the_users_comes_first_and_it_is_said() -> None:
    run = write_hits(Path("run.root"), made_hits(300))
    path = own("rates_by_minute")

    done = gammapolars("query", "rates_by_minute", run, "-o", "out.csv")

    said = f"Warning: {path} is used in place of the query of gammapolars with this name"
    assert done.out.splitlines() == ["query 'rates_by_minute' written to out.csv", said]
    assert Path("out.csv").read_text().startswith("mine\n")
    assert said in gammapolars("query").out
    assert not listed()["rates_by_minute"]["is_shipped"]


def test_a_copy_of_a_query_of_the_package_is_the_same_query() -> None:
    own("rates_by_minute", (REPOSITORY / "queries" / "rates_by_minute.py").read_text())

    assert "in place" not in gammapolars("query", "rates_by_minute").out


def test_an_unknown_name_lists_both_and_what_is_near() -> None:
    own("of_mine")

    unknown, near = gammapolars("query", "xyz", "run.root"), gammapolars("query", "rate_by_minute", "run.root")

    assert (unknown.code, near.code) == (1, 1)
    assert unknown.error.startswith("Error: no query 'xyz' (in queries/: of_mine; of gammapolars: ")
    assert unknown.error.endswith("name one of them or a .py file")
    assert near.error.endswith("did you mean rates_by_minute?")


def test_an_installed_package_has_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "site" / "gammapolars" / "queries"
    inside.mkdir(parents=True)
    (inside / "shipped.py").write_text(MINE)
    monkeypatch.setattr(query_files, "__file__", str(inside.parent / "commands" / "query_files.py"))

    assert query_files.query_path("shipped") == inside / "shipped.py"
    assert [one.name for one in query_files.query_files()] == ["shipped"]


def test_a_query_is_read_as_it_is_written_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    path = tmp_path / "own.py"
    for text in ("first", "other"):  # of one length, and with one time, by which Python knows its cached files
        path.write_text(f'"""The {text}."""\ndef query(hits): return hits\n')
        os.utime(path, (1e9, 1e9))
        assert load(path).description == f"The {text}."

    assert [one.name for one in tmp_path.iterdir()] == ["own.py"]
