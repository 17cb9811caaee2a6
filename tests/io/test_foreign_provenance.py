"""Provenance that another program wrote under our key."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from gammapolars.commands.app import app, load
from gammapolars.io import provenance

HITS = pl.DataFrame({"board": [0, 0], "channel": [0, 1], "timestamp_ps": [0, 10], "adc": [5, 6], "flags": [0, 0]}).cast(
    {"board": pl.UInt16, "channel": pl.UInt16, "adc": pl.UInt16, "flags": pl.UInt32}
)


@pytest.mark.parametrize(
    "entry",
    [
        {"versions": ["a"], "inputs": 7, "summary": [1]},
        {"versions": {"x": [1]}, "inputs": [3, {"name": 5}, {"name": "a", "bytes": "b"}], "summary": {"x": {}}},
        {"simulation": [1]},
        {"simulation": {"sources": {"Co-60": "many"}}},
        {"simulation": {"sources": [1]}, "recorded": 5},
        {"summary": {"runs": [{"run": float("inf")}], "bins": [{"column": []}]}},
    ],
)
def test_what_is_not_as_we_write_it_is_passed_over(tmp_path: Path, entry: dict[str, Any]) -> None:
    path = tmp_path / "hits.parquet"
    HITS.write_parquet(path, metadata={"gammapolars": json.dumps(entry)})
    load()
    result = CliRunner().invoke(app, ["info", str(path)])
    assert result.exit_code == 0, result.exception
    assert "2 hits in" in result.output
    assert provenance.of_file(path) is not None


def test_escapes_do_not_reach_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "hits.parquet"
    entry = {"inputs": [{"name": "\x1b[31m", "bytes": 1}], "versions": {"\u202e": "\x9b"}, "summary": {"a\n": "b"}}
    HITS.write_parquet(path, metadata={"gammapolars": json.dumps(entry)})
    load()
    output = CliRunner().invoke(app, ["info", str(path)]).output
    assert "made from \\x1b[31m (1 bytes) with \\u202e \\x9b" in output
    assert all(line.isprintable() for line in output.splitlines())


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_json_has_not_are_nulls(tmp_path: Path, number: str) -> None:
    path = tmp_path / "hits.parquet"
    HITS.write_parquet(path, metadata={"gammapolars": f'{{"summary": {{"hits_read": {number}, "pairs": 2.5}}}}'})
    load()
    result = CliRunner().invoke(app, ["info", str(path), "--json"])
    assert result.exit_code == 0, result.exception
    assert json.loads(result.output)["files"][0]["provenance"]["summary"] == {"hits_read": None, "pairs": 2.5}
