"""The external sort against a plain stable sort, and what it leaves behind."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gammapolars.core.errors import OutputError
from gammapolars.io import scan
from gammapolars.io.order import Source
from gammapolars.io.sort import scratch_beside, sorted_by_time, sorted_sources
from gammapolars.streaming.time_order import Repair
from tests.commandline import files_in, gammapolars
from tests.drawing import examples
from tests.hits import SIZES, frame, in_batches, numbered, times

S = 10**12
RESET = 0x4

TIMES = st.lists(st.integers(-5, 5) | st.integers(-1000, 1000), max_size=120)


@examples(60)
@given(TIMES, SIZES, st.integers(1, 30), st.integers(1, 12), st.integers(2, 5))
def test_any_order_is_sorted_and_equal_times_keep_their_order(
    tmp_path_factory: pytest.TempPathFactory, at: list[int], rows: int, sorted_hits: int, chunk_hits: int, most: int
) -> None:
    scratch = tmp_path_factory.mktemp("scratch")
    hits = numbered((time, place % 3) for place, time in enumerate(at))

    parts = list(
        sorted_by_time(in_batches(hits, rows), scratch, sorted_hits=sorted_hits, chunk_hits=chunk_hits, most_open=most)
    )

    assert pl.concat([hits.clear(), *parts]).equals(hits.sort("timestamp_ps", maintain_order=True))
    assert files_in(scratch) == []


@examples(40)
@given(st.lists(st.tuples(st.integers(-5, 50), st.sampled_from([1, 2, 7])), max_size=120), SIZES, st.integers(1, 30))
def test_runs_follow_one_another_however_they_are_mixed(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[int, int]], rows: int, sorted_hits: int
) -> None:
    scratch = tmp_path_factory.mktemp("scratch")
    run = pl.Series("run", [run for _, run in drawn], pl.UInt16)
    hits = numbered((time, place % 3) for place, (time, _) in enumerate(drawn)).with_columns(run)

    parts = list(sorted_by_time(in_batches(hits, rows), scratch, sorted_hits=sorted_hits, chunk_hits=3, most_open=2))

    assert pl.concat([hits.clear(), *parts]).equals(hits.sort("run", "timestamp_ps", maintain_order=True))
    assert files_in(scratch) == []


def test_a_table_whose_runs_are_mixed_is_sorted_by_run(tmp_path: Path) -> None:
    """Its runs overlap in time, as those of folders do; sorted by time alone, they would be mixed again."""
    run = pl.Series("run", [4, 8, 4, 8], pl.UInt16)
    frame([(3, 0), (2, 1), (1, 1), (4, 0)]).with_columns(run).write_parquet(tmp_path / "mixed.parquet")

    said = gammapolars("coincidences", tmp_path / "mixed.parquet", "-o", tmp_path / "pairs.parquet").error
    assert "run 4 appears again after run 8: sort the hits by run with 'gammapolars convert RUN... --sort" in said
    assert gammapolars("convert", tmp_path / "mixed.parquet", "--sort", "-o", tmp_path / "sorted.parquet").code == 0
    found = pl.read_parquet(tmp_path / "sorted.parquet").select("run", "timestamp_ps").rows()
    assert found == [(4, 1), (4, 3), (8, 2), (8, 4)]
    assert gammapolars("coincidences", tmp_path / "sorted.parquet", "-o", tmp_path / "pairs.parquet").code == 0
    assert pl.read_parquet(tmp_path / "pairs.parquet").select("run", "dt_ps").rows() == [(4, 2), (8, 2)]


def test_every_column_keeps_its_dtype_and_its_nulls(tmp_path: Path) -> None:
    hits = frame((-time,) for time in range(100)).with_columns(
        energy_kev=pl.when(pl.col("timestamp_ps") % 3 == 0).then(pl.lit(1.5)), run=pl.lit(1, pl.UInt16)
    )

    found = pl.concat(sorted_by_time(in_batches(hits, 7), tmp_path, sorted_hits=10, chunk_hits=4))

    assert found.schema == hits.schema
    assert found.equals(hits.reverse())


def test_what_fits_into_memory_is_not_written_to_disk(tmp_path: Path) -> None:
    parts = sorted_by_time(in_batches(frame([(3,), (1,), (2,)]), 1), tmp_path / "missing", sorted_hits=4)

    assert times(list(parts)) == [1, 2, 3]
    assert list(sorted_by_time([], tmp_path / "missing")) == []


def test_memory_holds_some_runs_and_chunks_and_the_disk_holds_each_hit_once(tmp_path: Path) -> None:
    hits = frame((time * 7919 % 10_000,) for time in range(10_000))
    taken, sizes = 0, []

    for part in sorted_by_time(in_batches(hits, 100), tmp_path, sorted_hits=500, chunk_hits=50):
        taken += part.height
        sizes.append(part.height)
        assert len(files_in(tmp_path)) == 20

    assert taken == 10_000
    assert max(sizes) <= 20 * 2 * 50, "of each of 20 runs, at most two chunks are held"


@pytest.mark.parametrize("how", ["closed", "error", "interrupt"])
def test_temporary_files_are_gone_however_it_ends(tmp_path: Path, how: str) -> None:
    hits = in_batches(frame((-time,) for time in range(100)), 10)

    def batches() -> Iterator[pl.DataFrame]:
        yield from hits
        if how != "closed":
            assert files_in(tmp_path), "some are there by now"
            raise KeyboardInterrupt if how == "interrupt" else ValueError

    parts = sorted_by_time(batches(), tmp_path, sorted_hits=10, chunk_hits=2)
    if how == "closed":
        next(parts)
        assert files_in(tmp_path)
        parts.close()  # type: ignore[attr-defined]
    else:
        with pytest.raises((KeyboardInterrupt, ValueError)):
            list(parts)

    assert files_in(tmp_path) == []


def test_a_full_disk_is_one_clear_error(tmp_path: Path) -> None:
    hits = in_batches(frame((-time,) for time in range(100)), 10)
    full = tmp_path / "scratch"
    full.mkdir()
    full_device = Path("/dev/full")
    if not full_device.exists():
        pytest.skip("this system has no /dev/full")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gammapolars.io.sort.secrets.token_hex", lambda _: "full")
        (full / "full-0.arrow").symlink_to(full_device)
        with pytest.raises(
            OutputError, match=r"temporary files for the sort cannot be written.*No space left.*enough space"
        ):
            list(sorted_by_time(hits, full, sorted_hits=10))

    assert files_in(full) == []


def test_a_scratch_folder_is_hidden_and_removed_with_all_in_it(tmp_path: Path) -> None:
    def interrupted() -> None:
        with scratch_beside(tmp_path / "out.parquet") as scratch:
            (scratch / "left.arrow").write_bytes(b"some")
            assert scratch.name.startswith(".out.parquet.")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert files_in(tmp_path) == []


def test_hits_are_sorted_within_the_epochs_that_flags_tell_of(tmp_path: Path) -> None:
    before = [(90 * S, 0), (10 * S, 0), (80 * S, 0), (70 * S, 0)]
    after = [(1 * S, 0, 0, 0, RESET), (9 * S, 0), (3 * S, 0), (12 * S, 0)]
    repairs: list[Repair] = []
    source = Source(90 * S, lambda: iter(in_batches(frame(before + after), 3)))

    found = pl.concat(sorted_sources([source], tmp_path, on_repair=repairs.append))

    assert times(found) == [10 * S, 70 * S, 80 * S, 90 * S, 92 * S, 94 * S, 100 * S, 103 * S]
    assert [(repair.kind, repair.hit, repair.offset_ps) for repair in repairs] == [("reset", 5, 91 * S)]


def test_files_are_sorted_together(tmp_path: Path) -> None:
    frame([(9,), (3,), (5,)]).write_parquet(tmp_path / "a.parquet")
    frame([(4, 1), (9, 1), (1, 1)]).write_parquet(tmp_path / "b.parquet")

    assert gammapolars("convert", tmp_path / "[ab].parquet", "--sort", "-o", tmp_path / "out.parquet").code == 0

    found = pl.read_parquet(tmp_path / "out.parquet")
    assert found.select("timestamp_ps", "channel").rows() == [(1, 1), (3, 0), (4, 1), (5, 0), (9, 0), (9, 1)]
    assert files_in(tmp_path) == ["a.parquet", "b.parquet", "out.parquet"]


def test_the_command_sorts_what_the_reorder_buffer_cannot(tmp_path: Path) -> None:
    frame((time * 7 % 100 * S,) for time in range(100)).write_parquet(tmp_path / "in.parquet")

    refused = gammapolars("convert", tmp_path / "in.parquet", "-o", tmp_path / "out.parquet")
    done = gammapolars("convert", tmp_path / "in.parquet", "--sort", "-o", tmp_path / "out.parquet")

    assert refused.code == 1
    assert "gammapolars convert RUN... --sort -o sorted.parquet" in refused.error
    assert done.code == 0, done.err
    assert scan(tmp_path / "out.parquet").collect()["timestamp_ps"].to_list() == [time * S for time in range(100)]
    assert files_in(tmp_path) == ["in.parquet", "out.parquet"]
    again = gammapolars("convert", tmp_path / "in.parquet", "--sort", "-o", tmp_path / "out.parquet")
    assert "already exists" in again.error
