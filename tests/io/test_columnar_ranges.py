"""Ranges of the rows of Parquet and Arrow files: together they are the whole, wherever it is cut."""

from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from gammapolars.core.errors import InputError
from gammapolars.io import untrusted
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
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
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


def test_borders_of_a_damaged_file_are_an_error(tmp_path: Path) -> None:
    for suffix, borders in ((".parquet", untrusted.borders_of_parquet), (".arrow", untrusted.borders_of_arrow)):
        path, _ = written(tmp_path, suffix, 250)
        path.write_bytes(path.read_bytes()[:-1])

        with pytest.raises(InputError, match=f"run-250{suffix}: cannot be read as"):
            borders(path)
