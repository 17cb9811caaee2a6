"""What compares the outputs of two checkouts: nothing that differs is missed, and nothing else is told."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.ipc
import pytest
import uproot
from matplotlib.image import imsave

from tests.outputs import __main__ as main
from tests.outputs import command_line, errors, inputs, recorded
from tests.outputs.__main__ import all_lines
from tests.outputs.changes import Changes, TextChange
from tests.outputs.command_line import CommandLine, selection
from tests.outputs.command_lines import COMMANDS
from tests.outputs.comparing import Comparison
from tests.outputs.keys import NONE
from tests.outputs.masks import without_times
from tests.outputs.running import Outcome, Side
from tests.outputs.values import json_differences, text_differences

TEXT = CommandLine("pairs", "coincidences run.root -o pairs.parquet")
JSON = CommandLine("pairs-json", f"{TEXT.text} --json")

TABLE = pl.DataFrame({"channel": [1, 2, 3], "energy": [1.5, float("nan"), None], "name": ["a", "b", "c"]})

SUMMARY: dict[str, Any] = {
    "pairs": 12,
    "rows": [{"name_a": "left", "pairs": 5}, {"name_a": "right", "pairs": 7}],
    "rejected": {"pile_up": {"hits": 3}},
    "elapsed_s": 0.25,
}


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """The files of both sides: none."""
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    return tmp_path / "here", tmp_path / "there"


def of_files(folders: tuple[Path, Path], changes: Changes = NONE, line: CommandLine = TEXT) -> list[str]:
    """What differs in the files of both sides."""
    return Comparison(line, changes).differences(Outcome(0, "", ""), Outcome(0, "", ""), *folders)


def of_stdout(here: object, there: object, changes: Changes = NONE) -> list[str]:
    """What differs in two summaries that are printed as JSON."""
    return list(Comparison(JSON, changes).of_stdout(json.dumps(here), json.dumps(there)))


def provenance(summary: dict[str, Any], **others: Any) -> str:
    return json.dumps({"inputs": [{"name": "run.root", "hash": "abc"}], "summary": summary} | others)


def save(path: Path, table: pl.DataFrame, text: str | None = "{}") -> None:
    """A Parquet or Arrow file, which carries provenance if there is a text."""
    metadata = {} if text is None else {"gammapolars": text}
    if path.suffix == ".parquet":
        table.write_parquet(path, metadata=metadata)
        return
    arrow = table.to_arrow().replace_schema_metadata(metadata)
    with pyarrow.ipc.new_file(path, arrow.schema) as file:
        file.write_table(arrow)


# Texts and exit codes


def test_times_and_dates_are_no_differences() -> None:
    comparison = Comparison(TEXT, NONE)
    here, there = (f"12 pairs\np.csv: written in {time} s (1.{time[-1]} million hits/s)" for time in ("0.12", "3.4"))

    assert not list(comparison.of_stdout(here, there))
    assert without_times("Report of 2026-11-30 01:57 UTC<p>") == "Report of …<p>"
    assert without_times("<dt>Written</dt><dd>2026-11-30</dd>") == "<dt>Written</dt><dd>…</dd>"
    assert [*comparison.of_stdout(here, there.replace("12 pairs", "13 pairs"))] == [
        ", line 1: '12 pairs' here, '13 pairs' there"
    ]


def test_long_lines_are_cut_around_the_place_where_they_differ() -> None:
    (difference,) = text_differences(500 * "a" + "b", 500 * "a" + "c")
    assert len(difference) < 200
    assert "b' here" in difference


def test_missing_lines_are_told() -> None:
    assert list(text_differences("a\nb", "a")) == [", line 2: 'b' here, nothing there"]


def test_other_exit_codes_are_told(folders: tuple[Path, Path]) -> None:
    bad, good = Outcome(1, "", "Error: no"), Outcome(0, "", "")
    comparison = Comparison(TEXT, NONE)

    assert comparison.differences(bad, good, *folders)[0] == "exit code: 1 here, 0 there"
    assert comparison.differences(bad, good, *folders)[1].startswith("stderr, line 1: 'Error: no' here")
    assert "not meant to have: Error: no" in comparison.differences(bad, bad, *folders)[0]
    assert not Comparison(CommandLine("e", "info x", fails=True), NONE).differences(bad, bad, *folders)


def test_only_a_few_differences_of_one_thing_are_told(folders: tuple[Path, Path]) -> None:
    for folder, text in zip(folders, ("a\n", "b\n"), strict=True):
        (folder / "x.csv").write_text(30 * text)

    differences = of_files(folders)

    assert len(differences) == 5
    assert differences[-1] == "x.csv: and more"


# JSON


@pytest.mark.parametrize(
    ("here", "there", "difference"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, " a.b: 1 here, 2 there"),
        ({"a": [1, 2]}, {"a": [1]}, " a: 2 items here, 1 there"),
        ({"a": [1, {"b": "x"}]}, {"a": [1, {"b": "y"}]}, ' a[1].b: "x" here, "y" there'),
        ({"a": 1}, {}, " a: only here"),
        ({}, {"a": 1}, " a: only there"),
        ({"a": 1}, {"a": 1.0}, " a: 1 here, 1.0 there"),
        ({"a": True}, {"a": 1}, " a: true here, 1 there"),
        ({"a": None}, {"a": 0}, " a: null here, 0 there"),
    ],
)
def test_differences_of_values_are_told(here: object, there: object, difference: str) -> None:
    assert list(json_differences(here, there)) == [difference]
    assert not list(json_differences(there, there))


def test_a_clock_is_no_difference() -> None:
    assert not of_stdout(SUMMARY, SUMMARY | {"elapsed_s": 7.5})
    assert of_stdout(SUMMARY, {**SUMMARY, "elapsed_s": None}) == [' elapsed_s: "…" here, null there']
    assert of_stdout({"a": 1}, {"a": 1, "elapsed_s": 7.5}) == [" elapsed_s: only there"]


def test_renamed_keys_are_no_differences() -> None:
    changes = Changes(
        renamed={
            "*": {"pairs": "counts.pairs"},
            "coincidences": {"rows": "detector_pairs", "detector_pairs[].name_a": "detector_pairs[].a"},
            "rates": {"rejected": "gone"},
        },
        added={"coincidences": ["unit", "detector_pairs[].share"]},
    )
    rows = [{"a": "left", "pairs": 5, "share": 0.4}, {"a": "right", "pairs": 7, "share": 0.6}]
    new = {"counts": {"pairs": 12}, "detector_pairs": rows, "rejected": SUMMARY["rejected"], "elapsed_s": 1}

    assert not of_stdout({**new, "unit": "keV"}, SUMMARY, changes)
    assert of_stdout({**new, "counts": {"pairs": 13}}, SUMMARY, changes) == [" counts.pairs: 13 here, 12 there"]
    assert of_stdout({**new, "other": 1}, SUMMARY, changes) == [" other: only here"]
    assert of_stdout(new, SUMMARY) != []


def test_keys_that_go_or_move_and_summaries_made_anew() -> None:
    changes = Changes(
        renamed={"x": {"rejected.*.hits": None, "elapsed_s": "time.elapsed_s", "nothing.here": "something"}},
        rewritten={"x": lambda summary: summary | {"pairs": str(summary["pairs"])}},
    )
    new = {"pairs": "12", "rows": SUMMARY["rows"], "rejected": {"pile_up": {}}, "time": {"elapsed_s": 0.25}}

    assert changes.new_form("x", SUMMARY) == new
    assert changes.new_form("y", SUMMARY) == SUMMARY
    moved = Changes(renamed={"x": {"a.b": "c"}}).new_form("x", {"a": {"b": 1}})
    assert moved == {"c": 1}


def test_an_added_key_is_compared_where_both_have_it() -> None:
    changes = Changes(added={"*": ["unit"]})

    assert not of_stdout({"unit": "keV"}, {}, changes)
    assert of_stdout({"unit": "keV"}, {"unit": "adc"}, changes) == [' unit: "keV" here, "adc" there']


def test_a_change_of_text_on_purpose_is_no_difference() -> None:
    change = TextChange("coincidences", r"(\d+) pairs", r"\1 coincidences", "one word for one thing")
    comparison = Comparison(TEXT, Changes(texts=[change]))

    assert not list(comparison.of_stdout("12 coincidences", "12 pairs"))
    assert list(comparison.of_stdout("12 coincidences", "13 pairs"))
    assert list(Comparison(CommandLine("r", "rates x"), comparison.changes).of_stdout("12 coincidences", "12 pairs"))


# Files


def test_a_missing_file_is_told(folders: tuple[Path, Path]) -> None:
    (folders[0] / ".left.part").touch()
    (folders[1] / "report").mkdir()
    (folders[1] / "report" / "index.html").touch()

    assert of_files(folders) == [".left.part: only here", "report/index.html: only there"]


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
@pytest.mark.parametrize(
    ("table", "difference"),
    [
        (TABLE.with_columns(energy=pl.Series([1.5, 2.0, None])), ", row 1: energy nan here, 2.0 there"),
        (TABLE.with_columns(energy=pl.Series([1.5, float("nan"), 0.0])), ", row 2: energy None here, 0.0 there"),
        (TABLE.head(2), ": 3 rows here, 2 there"),
        (TABLE[[0, 2, 1]], ": the same rows in another order, from row 1 on"),
        (TABLE.rename({"name": "names"}), ", schema: "),
        (TABLE.cast({"channel": pl.Int32}), ", schema: "),
    ],
)
def test_differences_of_tables_are_told(
    folders: tuple[Path, Path], suffix: str, table: pl.DataFrame, difference: str
) -> None:
    for folder, rows in zip(folders, (TABLE, table), strict=True):
        save(folder / f"x{suffix}", rows)

    (difference_,) = of_files(folders)

    assert difference_.startswith(f"x{suffix}{difference}")


@pytest.mark.parametrize("name", ["x.parquet", "x.arrow"])
def test_provenance_is_compared_without_clock_and_versions(folders: tuple[Path, Path], name: str) -> None:
    here, there = folders[0] / name, folders[1] / name
    old = {"versions": {"gammapolars": "0.1"}}
    save(here, TABLE, provenance(SUMMARY, versions={"gammapolars": "0.2"}))
    save(there, TABLE, provenance(SUMMARY | {"elapsed_s": 9}, **old))
    assert not of_files(folders)

    save(there, TABLE, provenance(SUMMARY | {"pairs": 13}, **old))
    assert of_files(folders) == [f"{name}, metadata 'gammapolars' summary pairs: 12 here, 13 there"]

    save(there, TABLE, provenance(SUMMARY, **old).replace("abc", "abd"))
    assert of_files(folders) == [f'{name}, metadata \'gammapolars\' inputs[0].hash: "abc" here, "abd" there']
    assert not of_files(folders, line=CommandLine("gate", "gate ../pairs/pairs.parquet --on 5 -o x.csv"))


def test_renamed_keys_hold_in_provenance(folders: tuple[Path, Path]) -> None:
    save(folders[0] / "x.parquet", TABLE, provenance({"net": 1}, software={}))
    save(folders[1] / "x.parquet", TABLE, provenance({"pairs": 1}, versions={}))
    changes = Changes(renamed={"coincidences": {"pairs": "net"}, "provenance": {"versions": "software"}})

    assert [text.split(":")[0] for text in of_files(folders)] == [
        "x.parquet, metadata 'gammapolars' summary net",
        "x.parquet, metadata 'gammapolars' summary pairs",
        "x.parquet, metadata 'gammapolars' software",
        "x.parquet, metadata 'gammapolars' versions",
    ]
    assert of_files(folders, changes) == ["x.parquet, metadata 'gammapolars' software: {} here, \"…\" there"]


def test_missing_metadata_is_told(folders: tuple[Path, Path]) -> None:
    save(folders[0] / "x.parquet", TABLE)
    save(folders[1] / "x.parquet", TABLE, None)

    assert of_files(folders) == ["x.parquet, metadata 'gammapolars': only here"]


def write_root(path: Path, *, time: int = 3, count: float = 2.0, text: str = "{}", edge: float = 3.0) -> None:
    with uproot.recreate(path) as file:
        file.mktree("hits", {"channel": "u2", "time": "i8"})
        file["hits"].extend({"channel": np.array([0, 1], "u2"), "time": np.array([1, time])})
        file["spectrum"] = (np.array([1.0, count]), np.array([0.0, 1.0, edge]))
        file["gammapolars"] = text


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"time": 4}, ", hits, row 1: time 3 here, 4 there"),
        ({"count": 2.5}, ", spectrum, counts at (2,): 2.0 here, 2.5 there"),
        ({"edge": 3.5}, ", spectrum, edges of axis 0 at (2,): 3.0 here, 3.5 there"),
        ({"text": '{"summary": {"a": 1}}'}, ", metadata 'gammapolars' summary: null here, {\"a\": 1} there"),
    ],
)
def test_differences_of_root_files_are_told(
    folders: tuple[Path, Path], change: dict[str, Any], difference: str
) -> None:
    write_root(folders[0] / "x.root")
    write_root(folders[1] / "x.root")
    assert (folders[0] / "x.root").read_bytes() != (folders[1] / "x.root").read_bytes()  # each has a number of its own
    assert not of_files(folders)

    write_root(folders[1] / "x.root", **change)
    assert of_files(folders)[0] == f"x.root{difference}"


def test_differences_of_pictures_are_told(folders: tuple[Path, Path]) -> None:
    picture = np.zeros((4, 5, 3))
    imsave(folders[0] / "x.png", picture)
    imsave(folders[1] / "x.png", picture, metadata={"Software": "another version"})
    assert not of_files(folders)

    picture[2, 3] = 1
    imsave(folders[1] / "x.png", picture)
    assert of_files(folders) == ["x.png: 1 of 20 pixels differ, the first in row 2, column 3"]


def test_differences_of_bytes_are_told(folders: tuple[Path, Path]) -> None:
    (folders[0] / "x.mat").write_bytes(b"\xff\x00\x01\x02")
    (folders[1] / "x.mat").write_bytes(b"\xff\x00\x01")

    assert of_files(folders) == ["x.mat, from byte 3 on: 02 here, the end there (4 and 3 bytes)"]


def test_files_that_cannot_be_read_are_told(folders: tuple[Path, Path]) -> None:
    TABLE.write_parquet(folders[0] / "x.parquet")
    (folders[1] / "x.parquet").write_bytes(b"PAR1")

    assert of_files(folders)[0].startswith("x.parquet: cannot be read here or there: ")


# Command lines


def test_every_command_is_compared_with_text_and_json() -> None:
    lines = all_lines(Path("recorded"))
    counts = Counter((line.command, line.prints_json) for line in lines if not line.name.startswith("help"))

    assert len(lines) > 150
    assert {command for command, _ in counts} >= set(COMMANDS) - {"detectors"}
    assert {command for command, is_json in counts if is_json} >= set(COMMANDS) - {"detectors", "detectors import"}
    assert sum(line.fails for line in errors.with_errors()) > 20


def test_lines_have_names_of_their_own_and_follow_what_they_read() -> None:
    lines = all_lines(Path("recorded"))
    names = [line.name for line in lines]

    assert len(set(names)) == len(names)
    for place, line in enumerate(lines):
        assert set(line.sources) <= set(names[:place])
    assert not set(all_lines(None)) & set(recorded.on_recorded_runs())


def test_a_selection_brings_what_they_read() -> None:
    lines = [CommandLine("a", "matrix x"), CommandLine("b", "info y"), CommandLine("c", "gate ../a/m.root --on 5")]

    assert [line.name for line in selection(lines, "gate")] == ["a", "c"]
    assert [line.name for line in selection(lines, "")] == ["a", "b", "c"]


def test_only_inputs_that_are_needed_are_made() -> None:
    every = {*inputs.RUNS, *inputs.PRODUCTS, *inputs.LAST}

    assert inputs.needed_steps(all_lines(None)) == every
    assert inputs.needed_steps([CommandLine("r", "rates @nai.root -o peaks.csv")]) == set()
    chain = inputs.needed_steps([CommandLine("a", "activity x.csv --detectors @efficient.toml")])
    assert sorted(text.split()[0] for text in chain) == ["efficiency", "peaks", "simulate"]


def test_inputs_are_found_from_the_folder_of_a_line() -> None:
    line = CommandLine("import", "detectors import 1=@ch1.CALp '@a b.toml' --note me@home -o d.toml")

    assert line.inputs == ["ch1.CALp", "a"]
    assert line.words[2:4] == [f"1={command_line.INPUTS}/ch1.CALp", f"{command_line.INPUTS}/a b.toml"]
    assert "me@home" in line.words
    assert line.command == "detectors import"


def test_lines_run_again_beside_the_files_that_they_read(tmp_path: Path) -> None:
    side = Side(tmp_path / "code", tmp_path / "here", tmp_path / "inputs")
    for name in ("pairs", "gate"):
        (side.folder / name).mkdir(parents=True)

    again = side.again([CommandLine("gate", "gate ../pairs/pairs.parquet --on 5 -o x.csv")])

    assert (again.folder.name, again.inputs) == ("here-again", side.inputs)
    assert [path.name for path in again.folder.iterdir()] == ["pairs"]


@pytest.mark.parametrize(("answers", "code"), [([[]], 0), ([["x"], []], 0), ([["x"], ["x"]], 1)])
def test_what_differs_runs_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], answers: Any, code: int
) -> None:
    rest = iter(answers)
    monkeypatch.setattr(main, "comparisons", lambda lines, sides, changes: [(TEXT, next(rest))])
    side = Side(tmp_path / "code", tmp_path / "here", tmp_path / "inputs")

    assert main.report([TEXT], (side, side), NONE) == code
    printed = capsys.readouterr().out
    assert printed.endswith(f"1 command lines, {code} differ\n")
    assert ("from one call to the next: pairs" in printed) == (answers[-1] == [] and len(answers) == 2)


def test_folders_of_one_side_alone_are_left_out_of_texts(tmp_path: Path) -> None:
    side = Side(tmp_path / "code", tmp_path / "here", tmp_path / "inputs")

    assert side.without_paths(f"Error: {tmp_path}/here/x/y.csv") == "Error: <folder>/x/y.csv"
