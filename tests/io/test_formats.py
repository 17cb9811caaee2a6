"""Formats are rows of one table."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import gammapolars as gp
from gammapolars.core.schema import HITS
from gammapolars.io import open_runs, provenance
from gammapolars.io.formats import FORMATS, Format
from gammapolars.io.reading import Reading
from tests.commandline import gammapolars
from tests.rootfiles import made_hits


def scan_npz(path: Path, _: Reading) -> pl.LazyFrame:
    """Hits as numpy keeps arrays."""
    with np.load(path) as arrays:
        return pl.LazyFrame({name: arrays[name] for name in arrays}, schema_overrides=dict(HITS.columns))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A file of a format that has nothing but a row."""
    form = Format(scan_npz, count=lambda path, *_: 50, text=lambda path, key: json.dumps({"key": key}))
    monkeypatch.setitem(FORMATS, ".npz", form)
    arrays: dict[str, Any] = {column.name: column.to_numpy() for column in made_hits(50)}
    np.savez(tmp_path / "run.npz", **arrays)
    return tmp_path / "run.npz"


def test_a_row_is_all_that_a_format_needs(run: Path) -> None:
    assert_frame_equal(gp.scan(run).collect(), made_hits(50))
    assert_frame_equal(gp.scan(run.parent).collect(), made_hits(50))
    assert open_runs(run).count() == 50
    assert provenance.of_file(run) == {"key": "gammapolars"}
    assert json.loads(gammapolars("info", run, "--json").out)["hits"] == 50


def test_a_format_without_a_writer_is_not_written(run: Path) -> None:
    with pytest.raises(gp.UsageError, match=r"tables are written to \.parquet, \.arrow, \.csv, \.root$"):
        gp.save(gp.scan(run), run.with_name("out.npz"))
