"""Ranges of the rows of Parquet and Arrow files: together they are the whole, wherever it is cut."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from gammapolars.core.errors import InputError
from gammapolars.io import arrow_numbers, untrusted
from gammapolars.io.foreign import as_hits
from gammapolars.io.formats import FORMATS
from gammapolars.io.reading import READING, Reading
from tests.drawing import examples
from tests.rootfiles import made_hits

ROWS = 1000

SCANS = {".parquet": untrusted.scan_parquet, ".arrow": untrusted.scan_arrow}


def written(folder: Path, suffix: str, size: int) -> tuple[Path, pl.DataFrame]:
    """A file of hits and texts in batches of some rows, and its table."""
    table = made_hits(ROWS).with_columns(note=pl.Series([None, "a", "γγ", ""] * (ROWS // 4)))
    path = folder / f"run-{size}{suffix}"
    if not path.exists():
        if suffix == ".parquet":
            table.write_parquet(path, row_group_size=size)
        else:
            table.write_ipc(path, record_batch_size=size, compression="lz4")
    return path, table


@pytest.mark.parametrize("suffix", SCANS)
@examples(50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.sampled_from([1000, 250, 128]),
    cuts=st.lists(st.one_of(st.sampled_from([0, 1, 250, 256, 999, 1000]), st.integers(0, ROWS)), max_size=4),
)
def test_ranges_make_up_the_whole(tmp_path: Path, suffix: str, size: int, cuts: list[int]) -> None:
    path, table = written(tmp_path, suffix, size)

    parts = [SCANS[suffix](path, rows).collect() for rows in pairwise(sorted([0, *cuts, ROWS]))]

    assert_frame_equal(pl.concat(parts), table)
    assert [part.height for part in parts] == [end - begin for begin, end in pairwise(sorted([0, *cuts, ROWS]))]
    assert_frame_equal(SCANS[suffix](path, (100, 10 * ROWS)).select("adc").collect(), table[100:].select("adc"))


@pytest.mark.parametrize("size", [1000, 250, 128])
def test_borders_are_those_of_row_groups_and_batches(tmp_path: Path, size: int) -> None:
    for suffix, borders in ((".parquet", untrusted.borders_of_parquet), (".arrow", untrusted.borders_of_arrow)):
        found = borders(written(tmp_path, suffix, size)[0])

        assert found is not None
        assert found.tolist() == sorted({*range(0, ROWS, size), ROWS})


PLAIN = made_hits(ROWS).with_columns(energy_kev=pl.col("adc") * 0.5)


@examples(50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.sampled_from([1000, 250, 128]),
    at_once=st.sampled_from([60, 100, 250, 300, 2000]),
    cuts=st.lists(st.integers(0, ROWS), max_size=3),
    columns=st.sets(st.sampled_from(PLAIN.columns), min_size=1),
)
def test_plain_numbers_of_arrow_files_come_as_they_are(
    tmp_path: Path, size: int, at_once: int, cuts: list[int], columns: set[str]
) -> None:
    path = tmp_path / f"plain-{size}.arrow"
    PLAIN.write_ipc(path, record_batch_size=size, compression="uncompressed")
    names = [name for name in PLAIN.columns if name in columns]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrow_numbers, "AT_ONCE", at_once)
        patch.setattr(untrusted, "_arrow_batches", None)  # pyarrow is not asked
        parts = [
            untrusted.scan_arrow(path, rows).select(names).collect() for rows in pairwise(sorted([0, *cuts, ROWS]))
        ]

    assert_frame_equal(pl.concat(parts), PLAIN.select(names))


@pytest.mark.parametrize(
    "table",
    [
        PLAIN.with_columns(energy_kev=pl.when(pl.col("adc") > 5).then("energy_kev")),
        PLAIN.with_columns(note=pl.lit("n")),
        PLAIN.with_columns(is_good=pl.lit(value=True)),
        PLAIN.clear(),
    ],
    ids=["missing values", "text", "bits", "no rows"],
)
def test_other_columns_of_arrow_files_come_as_they_are(tmp_path: Path, table: pl.DataFrame) -> None:
    table.write_ipc(tmp_path / "run.arrow", compression="uncompressed")

    assert_frame_equal(untrusted.scan_arrow(tmp_path / "run.arrow").collect(), table)


def test_an_arrow_file_that_becomes_shorter_as_it_is_read_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "run.arrow"
    PLAIN.write_ipc(path, compression="uncompressed")
    batches = arrow_numbers.plain_batches(path, [column.to_numpy().dtype for column in PLAIN])
    assert batches

    path.write_bytes(path.read_bytes()[:5000])

    with pytest.raises(ValueError, match="it ends within a batch"):
        list(arrow_numbers.read_plain(path, batches, [2], [np.dtype(np.int64)] * PLAIN.width, None))


def test_borders_of_a_damaged_file_are_an_error(tmp_path: Path) -> None:
    for suffix, borders in ((".parquet", untrusted.borders_of_parquet), (".arrow", untrusted.borders_of_arrow)):
        path, _ = written(tmp_path, suffix, 250)
        path.write_bytes(path.read_bytes()[:-1])

        with pytest.raises(InputError, match=f"run-250{suffix}: cannot be read as"):
            borders(path)


@pytest.mark.parametrize("suffix", SCANS)
def test_hits_of_a_range_are_those_of_the_whole_file(tmp_path: Path, suffix: str) -> None:
    path, table = written(tmp_path, suffix, 250)
    form = FORMATS[suffix]

    hits = as_hits(form.scan, path, Reading(rows=(240, 600)), unchecked=True).collect()

    assert_frame_equal(hits, table[240:600])
    borders = form.borders(path, READING)
    assert borders is not None
    assert borders.tolist() == [0, 250, 500, 750, 1000]
