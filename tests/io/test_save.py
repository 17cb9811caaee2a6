"""Saving tables: what was saved is read back, nothing is replaced unasked, and a failure leaves nothing behind."""

import errno
import json
import os
import resource
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
import uproot
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import gammapolars as gp
from gammapolars import io
from gammapolars.core.errors import InputError, OutputError, UsageError
from gammapolars.core.system import IS_WINDOWS
from gammapolars.detectors import Detector, Detectors
from gammapolars.io import columnar, hits_parquet, provenance, untrusted
from gammapolars.io.arrow_footer import add_metadata, with_metadata
from gammapolars.io.output import complete_or_nothing
from gammapolars.streaming.slices import lazy_frame
from tests.commandline import files_in, gammapolars
from tests.rootfiles import made_hits, write_hits

SUFFIXES = [".parquet", ".arrow", ".csv", ".root"]
HALF_CALIBRATED = Detectors((Detector(0, 0, "a", energy=(0.5, 0.25)), Detector(0, 1, "b", energy=(-1.0, 0.1, 1e-6))))


@pytest.fixture(scope="module")
def hits() -> pl.DataFrame:
    return made_hits(4000, gap_ps=300_000)


@pytest.fixture(scope="module")
def pairs(hits: pl.DataFrame) -> pl.DataFrame:
    found = gp.pairs(hits.lazy(), "1us").collect()
    assert found.height > 1000
    return found


# What was saved is read back.


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_hits_come_back(tmp_path: Path, hits: pl.DataFrame, suffix: str) -> None:
    gp.save(hits.lazy(), tmp_path / f"hits{suffix}")

    assert_frame_equal(gp.scan(tmp_path / f"hits{suffix}").collect(), hits)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_pairs_come_back(tmp_path: Path, pairs: pl.DataFrame, suffix: str) -> None:
    gp.save(pairs.lazy(), tmp_path / f"pairs{suffix}")

    assert_frame_equal(gp.scan_pairs(tmp_path / f"pairs{suffix}").collect(), pairs)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_pairs_come_back_as_no_pairs(tmp_path: Path, pairs: pl.DataFrame, suffix: str) -> None:
    gp.save(pairs.clear().lazy(), tmp_path / f"pairs{suffix}")

    assert_frame_equal(gp.scan_pairs(tmp_path / f"pairs{suffix}").collect(), pairs.clear())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_energies_come_back_and_unknown_ones_stay_unknown(tmp_path: Path, pairs: pl.DataFrame, suffix: str) -> None:
    calibrated = gp.calibrate(pairs.lazy(), HALF_CALIBRATED).collect()
    assert 0 < calibrated["energy_kev_a"].null_count() < calibrated.height

    gp.save(calibrated.lazy(), tmp_path / f"pairs{suffix}")
    found = gp.scan_pairs(tmp_path / f"pairs{suffix}").collect()

    # A ROOT branch has no nulls: there an unknown energy is NaN.
    energies = pl.col("energy_kev_a", "energy_kev_b")
    assert_frame_equal(found.with_columns(energies.fill_nan(None)), calibrated, check_column_order=False)


def test_hits_saved_as_root_are_a_compass_file(tmp_path: Path, hits: pl.DataFrame) -> None:
    gp.save(hits.lazy(), tmp_path / "hits.root")

    with uproot.open(tmp_path / "hits.root") as file:
        found = file["Data_R"].arrays(library="np")
    types = {name: values.dtype.name for name, values in found.items()}
    assert types == {
        "Board": "uint16",
        "Channel": "uint16",
        "Timestamp": "int64",
        "Energy": "uint16",
        "Flags": "uint32",
    }
    np.testing.assert_array_equal(found["Timestamp"], hits["timestamp_ps"])
    np.testing.assert_array_equal(found["Energy"], hits["adc"])


def test_pairs_saved_as_root_are_read_by_uproot(tmp_path: Path, pairs: pl.DataFrame) -> None:
    gp.save(pairs.lazy(), tmp_path / "pairs.root")

    with uproot.open(tmp_path / "pairs.root") as file:
        found = file["pairs"].arrays(library="np")
    assert set(found) == set(pairs.columns)
    for column in pairs:
        np.testing.assert_array_equal(found[column.name], column)


def test_other_programs_read_parquet_arrow_and_csv(tmp_path: Path, pairs: pl.DataFrame) -> None:
    for suffix in SUFFIXES[:3]:
        gp.save(pairs.lazy(), tmp_path / f"pairs{suffix}")

    assert pyarrow.parquet.read_table(tmp_path / "pairs.parquet")["dt_ps"].to_pylist() == pairs["dt_ps"].to_list()
    with pyarrow.ipc.open_file(tmp_path / "pairs.arrow") as file:
        assert file.read_all()["dt_ps"].to_pylist() == pairs["dt_ps"].to_list()
    lines = (tmp_path / "pairs.csv").read_text().splitlines()
    assert lines[0] == ",".join(pairs.columns)
    assert lines[1] == ",".join(map(str, pairs.row(0)))
    assert len(lines) == pairs.height + 1


def test_each_pair_of_foreign_files_is_taken_once(tmp_path: Path, pairs: pl.DataFrame) -> None:
    ordered = pairs.select("channel_a", "adc_a", "channel_b", "adc_b", "dt_ps")
    turned = ordered.select(
        channel_a="channel_b", adc_a="adc_b", channel_b="channel_a", adc_b="adc_a", dt_ps=-pl.col("dt_ps")
    )
    both = pl.concat([ordered, turned]).sample(fraction=1, shuffle=True, seed=1)
    names = {"channel": "Channel", "adc": "Energy"}
    arrays = {f"{names[c[:-2]]}_{c[-1]}" if c != "dt_ps" else "Time_difference": both[c] for c in both.columns}
    with uproot.recreate(tmp_path / "foreign.root") as file:
        tree = file.mktree("Data_C", dict.fromkeys(arrays, np.int64))
        tree.extend({name: values.cast(pl.Int64).to_numpy() for name, values in arrays.items()})

    found = gp.scan_pairs(tmp_path / "foreign.root").collect()

    assert dict(found.schema) == gp.PAIRS.columns
    assert_frame_equal(found.select(ordered.columns).sort(pl.all()), ordered.sort(pl.all()))
    assert found["timestamp_ps"].null_count() == found.height


COMPASS_BRANCHES = ["Channel_a", "Energy_a", "Channel_b", "Energy_b", "Time_difference"]


def test_each_pair_is_saved_in_both_orders_for_other_programs(tmp_path: Path, pairs: pl.DataFrame) -> None:
    gp.save(pairs.lazy(), tmp_path / "pairs.root", layout="compass-pairs")

    with uproot.open(tmp_path / "pairs.root") as file:
        tree = file["Data_C"]
        types = {name: branch.interpretation.numpy_dtype.name for name, branch in tree.items()}
        found = tree.arrays(library="np")
    assert types == dict.fromkeys(COMPASS_BRANCHES, "int64")
    as_found, turned = ([found[name][order::2] for name in COMPASS_BRANCHES] for order in (0, 1))
    for values, name in zip(as_found, ("channel_a", "adc_a", "channel_b", "adc_b", "dt_ps"), strict=True):
        np.testing.assert_array_equal(values, pairs[name])
    for values, name in zip(turned, ("channel_b", "adc_b", "channel_a", "adc_a"), strict=False):
        np.testing.assert_array_equal(values, pairs[name])
    np.testing.assert_array_equal(turned[-1], -pairs["dt_ps"])


def test_pairs_in_both_orders_come_back_once(tmp_path: Path, pairs: pl.DataFrame) -> None:
    ties = pairs.head(1).with_columns(dt_ps=pl.lit(0, pl.Int64), channel_a=pl.lit(0, pl.UInt16))
    known = pl.concat([pairs, ties.with_columns(channel_b=pl.lit(1, pl.UInt16))])

    gp.save(known.lazy(), tmp_path / "pairs.root", layout="compass-pairs")

    lost = known.with_columns(timestamp_ps=pl.lit(None, pl.Int64))
    assert_frame_equal(gp.scan_pairs(tmp_path / "pairs.root").collect(), lost)


def test_no_pairs_in_both_orders(tmp_path: Path, pairs: pl.DataFrame) -> None:
    gp.save(pairs.clear().lazy(), tmp_path / "pairs.root", layout="compass-pairs")

    assert gp.scan_pairs(tmp_path / "pairs.root").collect().is_empty()


def test_pairs_of_other_boards_have_no_place_in_both_orders(tmp_path: Path, pairs: pl.DataFrame) -> None:
    for column in ("board_a", "board_b"):
        several = pairs.with_columns(pl.when(pl.col("dt_ps") > 0).then(7).otherwise(0).cast(pl.UInt16).alias(column))
        with pytest.raises(
            OutputError, match=r"/out\.root: layout compass-pairs .* with board 7: leave the layout out"
        ):
            gp.save(several.lazy(), tmp_path / "out.root", layout="compass-pairs")

    assert files_in(tmp_path) == []


def test_layouts_that_do_not_fit(tmp_path: Path, hits: pl.DataFrame, pairs: pl.DataFrame) -> None:
    with pytest.raises(OutputError, match=r"out\.root: layout compass-pairs is for pairs, .* no column 'channel_a'"):
        gp.save(hits.lazy(), tmp_path / "out.root", layout="compass-pairs")
    with pytest.raises(OutputError, match=r"out\.root: column 'adc_b' has nulls"):
        gp.save(pairs.lazy().with_columns(adc_b=pl.lit(None, pl.UInt16)), tmp_path / "out.root", layout="compass-pairs")
    with pytest.raises(UsageError, match=r"out\.csv: the layout compass-pairs exists only for \.root files"):
        gp.save(pairs.lazy(), tmp_path / "out.csv", layout="compass-pairs")
    with pytest.raises(UsageError, match=r"unknown layout 'sideways': choose from compass-pairs"):
        gp.save(pairs.lazy(), tmp_path / "out.root", layout="sideways")

    assert files_in(tmp_path) == []


def test_the_command_saves_pairs_in_both_orders(tmp_path: Path, hits: pl.DataFrame, pairs: pl.DataFrame) -> None:
    run, out = write_hits(tmp_path / "run.root", hits), tmp_path / "pairs.root"
    words = ("coincidences", run, "-o", out, "--window", "1us", "--layout", "compass-pairs")

    summary = json.loads(gammapolars(*words, "--json").out)

    assert summary["pairs"] == pairs.height
    found = gp.scan_pairs(out).select("channel_a", "adc_a", "channel_b", "adc_b", "dt_ps").collect()
    assert_frame_equal(found, pairs.select(found.columns))
    assert "made from run.root" in gammapolars("info", out).out
    assert gammapolars(*words[:3], tmp_path / "out.csv", *words[4:]).code == 2


def test_a_frame_of_anything_is_saved(tmp_path: Path) -> None:
    counts = pl.DataFrame({"minute": [0.5, 1.5], "counts": [3, 4]})

    for suffix in SUFFIXES:
        gp.save(counts.lazy(), tmp_path / f"counts{suffix}")

    assert_frame_equal(pl.read_parquet(tmp_path / "counts.parquet"), counts)
    with uproot.open(tmp_path / "counts.root") as file:
        assert file["pairs"]["counts"].array(library="np").tolist() == [3, 4]


@given(
    st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1) | st.none(), st.integers(0, 9), st.floats() | st.none())),
    st.integers(1, 9),
    st.integers(1, 5),
)
def test_any_times_of_hits_come_back_from_parquet(rows: list[tuple[Any, int, Any]], size: int, group: int) -> None:
    """By their differences, which may be longer than 64 bits, in row groups of any size."""
    schema = {"timestamp_ps": pl.Int64, "adc": pl.UInt16, "energy_kev": pl.Float64}
    hits = pl.DataFrame(rows, schema, orient="row").with_row_index("event").cast({"event": pl.UInt64})
    lazily = lazy_frame(hits.schema, lambda names: (part.select(names) for part in hits.iter_slices(size)))
    with NamedTemporaryFile(suffix=".parquet") as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr(hits_parquet, "GROUP_ROWS", group)
        hits_parquet.sink(lazily, Path(file.name), lambda: {"made": "here"})

        assert_frame_equal(pl.read_parquet(file.name), hits)
        assert_frame_equal(untrusted.scan_parquet(Path(file.name)).collect(), hits)
        texts: dict[bytes, bytes] = pyarrow.parquet.read_metadata(file.name).metadata
        assert texts[b"made"] == b"here"


def test_hits_in_parquet_are_short(tmp_path: Path) -> None:
    """Times by their differences: random ones, 100 us apart on average, in less than 32 bits instead of 64."""
    times = np.random.default_rng(1).exponential(1e8, 20_000).cumsum().astype(np.int64)
    hits = pl.DataFrame({"timestamp_ps": times, "event": np.arange(20_000)})

    gp.save(hits.lazy(), tmp_path / "hits.parquet")

    group = pyarrow.parquet.read_metadata(tmp_path / "hits.parquet").row_group(0)
    sizes = [group.column(place).total_compressed_size for place in range(2)]
    assert all("DELTA_BINARY_PACKED" in group.column(place).encodings for place in range(2))
    assert sizes[0] < 20_000 * 4
    assert sizes[1] < 2000


NOT_ON_WINDOWS = pytest.mark.skipif(IS_WINDOWS, reason="Windows has no such names")


@pytest.mark.parametrize(
    "name",
    [
        "pairs [1].parquet",
        pytest.param("pairs [1]*?.parquet", marks=NOT_ON_WINDOWS),
        "100%20 µs.root",
        "{a}.csv",
        "UPPER.ARROW",
    ],
)
def test_names_are_taken_as_they_are(tmp_path: Path, pairs: pl.DataFrame, name: str) -> None:
    gp.save(pairs.lazy(), tmp_path / name)

    assert files_in(tmp_path) == [name]
    assert_frame_equal(gp.scan_pairs(tmp_path / name).collect(), pairs)


# What a file format cannot hold.


def test_texts_do_not_fit_a_root_branch(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"out\.root: column 'name' \(String\) cannot be a numeric branch"):
        gp.save(pl.LazyFrame({"name": ["a"]}), tmp_path / "out.root")

    assert files_in(tmp_path) == []


def test_missing_integers_do_not_fit_a_root_branch(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"/out\.root: column 'n' has nulls.*use \.parquet"):
        gp.save(pl.LazyFrame({"n": [1, None]}), tmp_path / "out.root")

    assert files_in(tmp_path) == []


@pytest.mark.parametrize("suffix", ["", ".txt", ".feather"])
def test_an_unknown_suffix_names_the_known_ones(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(UsageError, match=r"unknown suffix.*\.parquet, \.arrow, \.csv, \.root"):
        gp.save(pl.LazyFrame({"a": [1]}), tmp_path / f"out{suffix}")
    with pytest.raises(UsageError, match=r"unknown suffix.*\.root, .*\.csv, \.parquet, \.arrow"):
        gp.scan_pairs(tmp_path / f"out{suffix}")


def test_a_file_without_pairs_is_no_file_of_pairs(tmp_path: Path, hits: pl.DataFrame) -> None:
    gp.save(hits.lazy(), tmp_path / "hits.parquet")

    with pytest.raises(InputError, match=r"hits\.parquet: contains no pairs \(it has no column 'channel_a'\)"):
        gp.scan_pairs(tmp_path / "hits.parquet")


# Nothing is replaced unasked.


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_existing_file_is_kept_unless_told(tmp_path: Path, pairs: pl.DataFrame, suffix: str) -> None:
    path = tmp_path / f"pairs{suffix}"
    path.write_text("precious")

    with pytest.raises(OutputError, match=rf"pairs\{suffix}: already exists: .*add overwrite=True"):
        gp.save(pairs.lazy(), path)
    assert path.read_text() == "precious"

    gp.save(pairs.lazy(), path, overwrite=True)
    assert_frame_equal(gp.scan_pairs(path).collect(), pairs)
    assert files_in(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_is_never_replaced_by_what_is_scanned_from_it(tmp_path: Path, hits: pl.DataFrame, suffix: str) -> None:
    path, link = tmp_path / f"hits{suffix}", tmp_path / f"link{suffix}"
    gp.save(hits.lazy(), path)
    link.symlink_to(path)
    recorded = path.read_bytes()
    derived = {
        "itself": gp.scan(path),
        "some of it": gp.scan(path).filter(pl.col("channel") == 1).select("channel"),
        "pairs": gp.pairs(gp.scan(path), "1us"),
        "both": pl.concat([hits.lazy(), gp.scan(path)]),
    }

    for name, frame in derived.items():
        for output in (path, link, tmp_path / ".." / tmp_path.name / path.name):
            with pytest.raises(OutputError, match=rf"hits\{suffix}: is the input of this output .*another output"):
                gp.save(frame, output, overwrite=True)
            assert path.read_bytes() == recorded, name

    assert files_in(tmp_path) == sorted([path.name, link.name])
    gp.save(derived["some of it"], tmp_path / f"other{suffix}", overwrite=True)
    gp.save(gp.scan(path).collect().lazy(), path, overwrite=True)
    assert_frame_equal(gp.scan(path).collect(), hits)


@pytest.mark.parametrize("suffix", [".mat", ".csv", ".parquet"])
def test_nor_a_matrix(tmp_path: Path, suffix: str) -> None:
    counts = pl.LazyFrame({"adc_x": [1.0, 2.0], "adc_y": [1.0, 2.0], "counts": [3.0, 4.0], "variance": [3.0, 4.0]})
    path = tmp_path / f"m{suffix}"
    gp.save_matrix(counts, path)
    before = path.read_bytes()

    with pytest.raises(OutputError, match="is the input of this output"):
        gp.save_matrix(gp.scan_matrix(path).head(1), path, overwrite=True)

    assert path.read_bytes() == before


def test_a_file_that_a_sink_of_polars_has_emptied_is_no_empty_run(tmp_path: Path, hits: pl.DataFrame) -> None:
    for suffix in SUFFIXES:
        path = tmp_path / f"hits{suffix}"
        gp.save(hits.lazy(), path)
        frame = gp.scan(path)
        path.write_bytes(b"")

        with pytest.raises(InputError, match=rf"hits\{suffix}: is now empty, but was not when it was opened"):
            frame.collect()


def test_nor_by_what_polars_scans_from_it(tmp_path: Path, hits: pl.DataFrame) -> None:
    paths = [tmp_path / f"{name}.parquet" for name in ("a", "b, c", "d", "e", "f")]
    for path in paths:
        hits.write_parquet(path)
    sizes = [path.stat().st_size for path in paths]

    for several in (paths[:1], paths[1:2], paths):
        for path in several:
            with pytest.raises(OutputError, match=r"is the input of this frame"):
                gp.save(pl.scan_parquet(several, glob=False).head(3), path, overwrite=True)

    assert [path.stat().st_size for path in paths] == sizes
    gp.save(pl.scan_parquet(paths[0]).head(3), paths[1], overwrite=True)
    assert gp.scan(paths[1]).collect().height == 3


# A failure leaves nothing behind.


def failing(error: BaseException, batches: int = 3) -> pl.LazyFrame:
    """A frame that gives some batches and then fails."""

    def made(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
        for _ in range(batches):
            yield pl.DataFrame({"n": range(100_000)}, {"n": pl.Int64})
        raise error

    return lazy_frame({"n": pl.Int64()}, made)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("before", [None, "precious"])
def test_an_error_in_the_middle(tmp_path: Path, suffix: str, before: str | None) -> None:
    path = tmp_path / f"out{suffix}"
    if before:
        path.write_text(before)

    with pytest.raises(InputError, match="the disk was pulled out"):
        gp.save(failing(InputError("the disk was pulled out")), path, overwrite=True)

    assert files_in(tmp_path) == ([path.name] if before else [])
    assert before is None or path.read_text() == before


def test_an_interruption_in_the_middle(tmp_path: Path) -> None:
    def interrupted() -> None:
        with complete_or_nothing(tmp_path / "out.csv") as hidden:
            hidden.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert files_in(tmp_path) == []


def test_an_error_of_the_frame_is_not_taken_for_one_of_the_disk(tmp_path: Path) -> None:
    broken = pl.LazyFrame({"a": ["x"]}).select(pl.col("a").str.to_datetime("%Y", strict=True))

    with pytest.raises(pl.exceptions.PolarsError):
        gp.save(broken, tmp_path / "out.parquet")

    assert files_in(tmp_path) == []


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """No file can grow beyond so many bytes, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk(tmp_path: Path, suffix: str) -> None:
    noise = pl.DataFrame({"n": np.random.default_rng(1).integers(0, 2**62, 100_000)})

    with files_limited_to(200_000), pytest.raises(OutputError) as caught:
        gp.save(noise.lazy(), tmp_path / f"out{suffix}")

    assert str(caught.value).startswith(f"{tmp_path}/out{suffix}: cannot be written: ")
    assert "\n" not in str(caught.value)
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_folder_that_cannot_be_written_to(
    tmp_path: Path, pairs: pl.DataFrame, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: Path, *_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "touch", refused)

    with pytest.raises(OutputError, match=rf"out\{suffix}: cannot be written: Permission denied$"):
        gp.save(pairs.lazy(), tmp_path / f"out{suffix}")


def test_places_where_no_file_can_be(tmp_path: Path, pairs: pl.DataFrame) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.csv").mkdir()
    places = {
        tmp_path / "missing" / "out.csv": "there is no folder",
        tmp_path / "file" / "out.csv": "there is no folder",
        tmp_path / "folder.csv": "is a folder: give a file name",
        tmp_path / ("n" * 300 + ".csv"): "cannot be written: File name too long",
        Path("/proc/out.csv"): "cannot be written: ",
    }

    for path, reason in places.items():
        with pytest.raises(OutputError) as caught:
            gp.save(pairs.lazy(), path)
        assert str(caught.value).startswith(f"{path}: {reason}")
    assert files_in(tmp_path) == ["file", "folder.csv"]


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    def too_late() -> None:
        with complete_or_nothing(tmp_path / "out.csv") as hidden:
            hidden.write_text("mine")
            (tmp_path / "out.csv").write_text("theirs")

    with pytest.raises(OutputError, match=r"out\.csv: was written by another process in the meantime"):
        too_late()

    assert (tmp_path / "out.csv").read_text() == "theirs"
    assert files_in(tmp_path) == ["out.csv"]


def test_of_two_writers_one_wins(tmp_path: Path) -> None:
    together = threading.Barrier(8)
    failures: list[OutputError] = []

    def write(number: int) -> None:
        try:
            with complete_or_nothing(tmp_path / "out.csv") as hidden:
                together.wait(10)
                hidden.write_text(f"{number}" * 10_000)
        except OutputError as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert len(failures) == 7
    text = (tmp_path / "out.csv").read_text()
    assert text == text[0] * 10_000
    assert files_in(tmp_path) == ["out.csv"]


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)

    gp.save(pl.LazyFrame({"a": [1]}), tmp_path / "out.csv")

    assert (tmp_path / "out.csv").read_text() == "a\n1\n"
    assert files_in(tmp_path) == ["out.csv"]


def test_the_metadata_is_asked_for_when_all_rows_are_written(tmp_path: Path) -> None:
    given = 0

    def made(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
        nonlocal given
        for _ in range(5):
            given += 1
            yield pl.DataFrame({"n": [given]}, {"n": pl.Int64})

    frame = lazy_frame({"n": pl.Int64()}, made)
    gp.save(frame, tmp_path / "out.parquet", metadata=lambda: {"batches": str(given)})
    gp.save(frame, tmp_path / "out.arrow", metadata=lambda: {"batches": str(given)})

    assert pl.read_parquet_metadata(tmp_path / "out.parquet")["batches"] == "5"
    assert pyarrow.ipc.open_file(tmp_path / "out.arrow").schema.metadata == {b"batches": b"10"}


ANYTHING = pl.DataFrame(
    {
        "number": [1, 2, None],
        "text": ["µ", None, ""],
        "kind": pl.Series(["a", "b", "a"], dtype=pl.Categorical),
        "counts": [[1.5], [], None],
        "when": pl.Series([0, 1, 2], dtype=pl.Datetime("us", "UTC")),
    }
)


@pytest.mark.parametrize(
    "frame",
    [ANYTHING, ANYTHING.clear(), pytest.param(pl.concat([ANYTHING] * 50_000), marks=pytest.mark.slow)],
    ids=["3", "0", "150000"],
)
@pytest.mark.parametrize("texts", [{"a": ""}, {"µ": "text ü", "": "x"}, {provenance.KEY: "j" * 1_000_003}])
def test_arrow_files_with_metadata_are_read_by_all(tmp_path: Path, frame: pl.DataFrame, texts: dict[str, str]) -> None:
    path = tmp_path / "out.arrow"
    gp.save(frame.lazy(), path, metadata=texts)

    assert_frame_equal(pl.scan_ipc(path).collect(), frame)
    with pa.memory_map(str(path)) as mapped:
        reader = pyarrow.ipc.open_file(mapped)
        assert reader.schema.metadata == {key.encode(): value.encode() for key, value in texts.items()}
        assert pa.total_allocated_bytes() < 10_000_000  # mapped, not copied
        table = reader.read_all()
        table.validate(full=True)
        assert_frame_equal(pl.DataFrame(table.select(["number", "counts"])), frame.select("number", "counts"))


def test_arrow_files_without_metadata_are_as_polars_writes_them(tmp_path: Path, hits: pl.DataFrame) -> None:
    gp.save(hits.lazy(), tmp_path / "ours.arrow")
    hits.lazy().sink_ipc(tmp_path / "theirs.arrow")

    assert (tmp_path / "ours.arrow").read_bytes() == (tmp_path / "theirs.arrow").read_bytes()


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"]))
    )
)
def test_any_metadata_come_back_from_a_footer(texts: dict[str, str]) -> None:
    made = BytesIO()
    pl.DataFrame({"a": [1, 2], "b": ["x", None]}).write_ipc(made)
    data = made.getvalue()
    (length,) = struct.unpack("<i", data[-10:-6])

    footer = with_metadata(data[-10 - length : -10], texts)
    reader = pyarrow.ipc.open_file(data[: -10 - length] + footer + struct.pack("<i", len(footer)) + data[-6:])

    assert (reader.schema.metadata or {}) == {key.encode(): value.encode() for key, value in texts.items()}
    assert reader.read_all().to_pydict() == {"a": [1, 2], "b": ["x", None]}


def test_no_arrow_file_is_given_metadata(tmp_path: Path) -> None:
    (tmp_path / "short.arrow").write_bytes(b"ARROW1\0\0, but not to its end")

    with pytest.raises(ValueError, match=r"short\.arrow: is not a complete Arrow IPC file"):
        add_metadata(tmp_path / "short.arrow", {"a": "b"})


# Where an output comes from.


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".root"])
def test_outputs_tell_where_they_come_from(tmp_path: Path, hits: pl.DataFrame, suffix: str) -> None:
    run = write_hits(tmp_path / "run.root", hits)
    out = tmp_path / f"pairs{suffix}"

    summary = json.loads(gammapolars("coincidences", run, "-o", out, "--window", "1us", "--json").out)
    origin = provenance.of_file(out)

    assert origin is not None
    assert [(entry["name"], entry["bytes"]) for entry in origin["inputs"]] == [("run.root", run.stat().st_size)]
    assert origin["inputs"][0]["hash"].startswith("blake2b-sampled:")
    assert set(origin["versions"]) >= {"gammapolars", "polars", "uproot"}
    for key in ("hits_read", "hits_used", "rejected", "pairs", "window_ps", "first_timestamp_ps", "last_timestamp_ps"):
        assert origin["summary"][key] == summary[key]


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".root"])
def test_info_prints_where_a_file_comes_from(tmp_path: Path, hits: pl.DataFrame, suffix: str) -> None:
    run = write_hits(tmp_path / "run.root", hits)
    assert gammapolars("convert", run, "-o", tmp_path / f"hits{suffix}").code == 0

    told = gammapolars("info", tmp_path / f"hits{suffix}").out

    assert f"made from run.root ({run.stat().st_size:,} bytes) with gammapolars" in told


def test_files_of_others_tell_nothing(tmp_path: Path, hits: pl.DataFrame) -> None:
    hits.write_parquet(tmp_path / "plain.parquet")
    hits.write_parquet(tmp_path / "strange.parquet", metadata={provenance.KEY: "no JSON"})
    hits.write_csv(tmp_path / "plain.csv")
    hits.write_ipc(tmp_path / "plain.arrow")
    hits.write_ipc(tmp_path / "strange.arrow")
    add_metadata(tmp_path / "strange.arrow", {provenance.KEY: "no JSON"})
    write_hits(tmp_path / "plain.root", hits)

    for name in ("plain.parquet", "strange.parquet", "plain.csv", "plain.arrow", "strange.arrow", "plain.root"):
        assert provenance.of_file(tmp_path / name) is None
        assert gammapolars("info", tmp_path / name).code == 0


def test_a_changed_file_has_another_fingerprint(tmp_path: Path, hits: pl.DataFrame) -> None:
    before = io.open_runs(write_hits(tmp_path / "a.root", hits)).files[0].fingerprint
    same = io.open_runs(write_hits(tmp_path / "b.root", hits)).files[0].fingerprint
    other = io.open_runs(write_hits(tmp_path / "c.root", hits.with_columns(adc=pl.lit(1, pl.UInt16)))).files[0]

    assert before == same
    assert before != other.fingerprint


def test_a_text_in_a_parquet_file_is_found_without_pyarrow_and_by_it(tmp_path: Path, pairs: pl.DataFrame) -> None:
    texts = {"gammapolars": "γ" * 300, "other": "", "also gammapolars": "{}"}
    gp.save(pairs.lazy(), tmp_path / "pairs.parquet", metadata=lambda: texts)

    for key, text in texts.items():
        assert columnar._text_in_footer(tmp_path / "pairs.parquet", key) == text
        assert columnar.text_in_parquet(tmp_path / "pairs.parquet", key) == text
    assert columnar._text_in_footer(tmp_path / "pairs.parquet", "polars") is None
    with pytest.raises(KeyError):
        columnar.text_in_parquet(tmp_path / "pairs.parquet", "polars")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "pairs.parquet").read_bytes()[:-9])
    assert columnar._text_in_footer(tmp_path / "cut.parquet", "other") is None
