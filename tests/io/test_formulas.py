"""Text cells of CSV that spreadsheets would take for formulas."""

from pathlib import Path

import polars as pl
import pytest

from gammapolars.io import save
from gammapolars.io.columnar import read_table

NAMES = ["=1+2", "+A", "-A", "@sum", "'=x", "'plain", "A-1", "", None, "''@"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_text_comes_back_as_it_was_and_numbers_are_untouched(tmp_path: Path, suffix: str) -> None:
    table = pl.DataFrame({"name": NAMES, "value": [-1.5 * place for place in range(len(NAMES))]})
    save(table.lazy(), tmp_path / f"t{suffix}")
    read = read_table(tmp_path / f"t{suffix}", "peaks")
    assert read.with_columns(pl.col("name").fill_null("")).equals(table.with_columns(pl.col("name").fill_null("")))


def test_no_cell_begins_like_a_formula(tmp_path: Path) -> None:
    save(pl.LazyFrame({"name": NAMES, "value": [-1.5] * len(NAMES)}), tmp_path / "t.csv")
    cells = [line.rsplit(",", 1) for line in (tmp_path / "t.csv").read_text().splitlines()[1:]]
    assert [cell for cell, _ in cells] == ["'=1+2", "'+A", "'-A", "'@sum", "''=x", "'plain", "A-1", '""', "", "'''@"]
    assert {number for _, number in cells} == {"-1.5"}
