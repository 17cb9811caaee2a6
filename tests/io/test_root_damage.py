"""Damaged ROOT files: refused by default; with leave to go on, exactly the hits that cannot be read are missing."""

import struct
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import gammapolars as gp
from gammapolars.core.errors import InputError
from gammapolars.io import Losses, Reading, open_runs
from gammapolars.io.lost_rows import LostRows
from gammapolars.io.root.writer import Layout, hit_branches
from tests.drawing import examples
from tests.rootfiles import baskets_of, made_hits, with_bytes, write_branches, write_hits

HITS = 12_000
BRANCHES = ("Channel", "Timestamp", "Board", "Energy", "Flags")


@pytest.fixture(scope="module")
def hits() -> pl.DataFrame:
    return made_hits(HITS)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory, hits: pl.DataFrame) -> Path:
    """Baskets of 32 kB: those of different branches end at different hits."""
    return write_hits(tmp_path_factory.mktemp("damage") / "good.root", hits, Layout(first_bytes=None))


@pytest.fixture(scope="module")
def baskets(good: Path) -> dict[tuple[str, int], tuple[int, range]]:
    """Of each basket: a byte of its key, and its hits."""
    found = {}
    for branch in BRANCHES:
        ends = np.cumsum([0, *(int.from_bytes(at(good, place + key - 9, 4)) for place, key, _ in spans(good, branch))])
        for number, (place, _, _) in enumerate(spans(good, branch)):
            found[branch, number] = (place + 3, range(ends[number], ends[number + 1]))
    return found


def spans(path: Path, branch: str) -> list[tuple[int, int, int]]:
    return baskets_of(path, branch)


def at(path: Path, place: int, count: int) -> bytes:
    """Bytes of a file; behind a basket's key they are fNevBuf, 9 bytes before its end."""
    return path.read_bytes()[place : place + count]


def without(hits: pl.DataFrame, lost: set[int]) -> pl.DataFrame:
    keep = np.ones(hits.height, np.bool_)
    keep[list(lost)] = False
    return hits.filter(pl.Series(keep))


def test_the_baskets_are_found_as_they_are(baskets: dict[tuple[str, int], tuple[int, range]]) -> None:
    for branch in BRANCHES:
        assert sum(len(rows) for (name, _), (_, rows) in baskets.items() if name == branch) == HITS
    assert len(baskets) >= 9


def test_a_damaged_basket_stops_and_tells_how_to_go_on(
    tmp_path: Path, good: Path, baskets: dict[tuple[str, int], tuple[int, range]]
) -> None:
    place, rows = baskets["Timestamp", 1]
    bad = with_bytes(good, tmp_path / "bad.root", {place: 0xFF})

    told = rf"bad\.root: basket 1 of branch 'Timestamp' \(hits {rows[0] + 1} to {rows[-1] + 1}, at byte {place - 3}\) "
    with pytest.raises(InputError, match=told + r"is damaged: .*losses=gp\.Losses\(\)"):
        gp.scan(bad).collect()


@examples(25)
@given(data=st.data())
def test_hits_of_damaged_baskets_are_missing_from_all_columns_and_counted_once(
    tmp_path_factory: pytest.TempPathFactory,
    good: Path,
    hits: pl.DataFrame,
    baskets: dict[tuple[str, int], tuple[int, range]],
    data: st.DataObject,
) -> None:
    chosen = data.draw(st.lists(st.sampled_from(sorted(baskets)), unique=True, max_size=5))
    bad = with_bytes(good, tmp_path_factory.mktemp("x") / "bad.root", {baskets[key][0]: 0xFF for key in chosen})
    missing = {row for key in chosen for row in baskets[key][1]}
    losses = Losses()
    frame = gp.scan(bad, losses=losses)
    some = data.draw(st.sampled_from([["channel"], ["adc", "flags"], ["timestamp_ps", "board"]]))

    frame.select(some).collect()  # which meets some of the damage before the others
    found = frame.collect()
    again = frame.collect()

    assert_frame_equal(found, without(hits, missing))
    assert_frame_equal(again, found)
    assert losses.count("damaged") == len(missing) == HITS - found.height
    assert losses.count("out_of_range") == 0
    assert {loss.what.partition(" (")[0] for loss in losses.all} == {
        f"basket {number} of branch '{branch}'" for branch, number in chosen
    }


def test_a_query_misses_only_what_it_reads(
    tmp_path: Path, good: Path, hits: pl.DataFrame, baskets: dict[tuple[str, int], tuple[int, range]]
) -> None:
    bad = with_bytes(good, tmp_path / "bad.root", {baskets["Energy", 0][0]: 0xFF})
    losses = Losses()

    found = gp.scan(bad, losses=losses).select("timestamp_ps").collect()

    assert_frame_equal(found, hits.select("timestamp_ps"))
    assert losses.all == ()


def test_a_basket_in_two_chunks_loses_what_each_of_them_lost(tmp_path: Path, hits: pl.DataFrame) -> None:
    path = write_hits(tmp_path / "good.root", hits, Layout(entries=HITS))
    place, _, _ = baskets_of(path, "Flags")[0]
    bad = with_bytes(path, tmp_path / "bad.root", {place + 3: 0xFF})
    losses = Losses()

    found = open_runs(bad, reading=Reading(losses=losses, chunk_hits=1000)).hits.collect()

    assert found.is_empty()
    assert found.schema == hits.schema
    assert [loss.hits for loss in losses.all] == [HITS]


def test_damage_in_what_only_uproot_reads_is_left_out(tmp_path: Path, hits: pl.DataFrame) -> None:
    from gammapolars.io.root.baskets import Damage, read_chunks
    from gammapolars.io.root.tree import open_tree

    tree = open_tree(write_hits(tmp_path / "run.root", hits, Layout(first_bytes=None)), ("Data_R",))
    object.__setattr__(tree.branches["Energy"], "embedded", True)
    object.__setattr__(tree, "name", "Data_X")  # which uproot does not find
    damages: list[Damage] = []

    chunks = list(read_chunks(tree, ["Energy", "Flags"], on_damage=damages.append))

    assert [(damage.first, damage.last) for damage in damages] == [(0, HITS)]
    assert "branch 'Energy' (hits 1 to 12000) is damaged: " in damages[0].what
    assert not chunks[0][1]["Energy"].any()
    np.testing.assert_array_equal(chunks[0][1]["Flags"], hits["flags"])


def test_values_that_no_hit_can_have_are_left_out_and_counted_by_column(tmp_path: Path, hits: pl.DataFrame) -> None:
    arrays = {name: values.astype(np.int64) for name, values in hit_branches(hits).items()}
    arrays["Energy"][[5, 700, 9000]] = [-1, 70_000, -7]
    arrays["Channel"][[700, 11_999]] = 65_536
    losses = Losses()
    path = write_branches(tmp_path / "run.root", arrays, Layout(entries=1000))

    found = gp.scan(path, losses=losses).collect()

    assert_frame_equal(found, without(hits, {5, 700, 9000, 11_999}))
    assert losses.count("out_of_range") == 4
    assert losses.count("damaged") == 0
    assert {loss.what for loss in losses.all} == {
        "column 'adc' has values that do not fit UInt16 (the first: -1 in hit 6)",
        "column 'channel' has values that do not fit UInt16 (the first: 65536 in hit 701)",
    }


def test_a_time_that_no_int64_holds_is_out_of_range(tmp_path: Path, hits: pl.DataFrame) -> None:
    arrays = hit_branches(hits)
    arrays["Timestamp"] = arrays["Timestamp"].astype(np.uint64)
    arrays["Timestamp"][77] = 2**63
    losses = Losses()

    found = gp.scan(write_branches(tmp_path / "run.root", arrays), losses=losses).collect()

    assert_frame_equal(found, without(hits, {77}))
    assert losses.count("out_of_range") == 1


MASKS = st.lists(st.tuples(st.integers(0, 60), st.lists(st.booleans(), max_size=40)), max_size=12)


@given(marked=MASKS)
def test_rows_are_counted_once_in_however_many_masks(marked: list[tuple[int, list[bool]]]) -> None:
    losses = Losses()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gammapolars.io.lost_rows.BLOCK_ROWS", 16)
        lost = LostRows(Path("run.root"), losses)
        for number, (first, mask) in enumerate(marked):
            lost.leave_out(f"place {number % 3}", first, np.array(mask, np.bool_))

    rows = {first + place for first, mask in marked for place, is_lost in enumerate(mask) if is_lost}
    assert losses.count("damaged") == len(rows)


@pytest.mark.parametrize(("member", "value"), [("sizes", 0), ("sizes", -1), ("seeks", -5)])
def test_a_basket_that_cannot_be_is_left_out(
    tmp_path: Path, hits: pl.DataFrame, monkeypatch: pytest.MonkeyPatch, member: str, value: int
) -> None:
    from gammapolars.io.root import tables as root
    from gammapolars.io.root.tree import open_tree

    path = write_hits(tmp_path / "run.root", hits, Layout(entries=1000))
    tree = open_tree(path, ("Data_R",))
    getattr(tree.branches["Flags"], member)[2] = value
    monkeypatch.setattr(root, "open_tree", lambda *_, **__: tree)
    losses = Losses()

    found = gp.scan(path, losses=losses).collect()

    assert_frame_equal(found, without(hits, set(range(2000, 3000))))
    assert "cannot have" in losses.all[0].what


@pytest.mark.parametrize("entries", [[5, 1000, 2000], [0, 3000, 2000]])
def test_baskets_in_an_impossible_order_are_refused(tmp_path: Path, hits: pl.DataFrame, entries: list[int]) -> None:
    """Of a basket that is none nothing would be read, and its hits would have zeros."""
    from dataclasses import replace

    from gammapolars.io.root.branches import checked
    from gammapolars.io.root.tree import open_tree

    tree = open_tree(write_hits(tmp_path / "run.root", hits.head(2000), Layout(entries=1000)), ("Data_R",))
    changed = replace(tree.branches["Flags"], entries=np.array(entries))

    with pytest.raises(InputError, match="branch 'Flags' has baskets in an impossible order"):
        checked(replace(tree, branches={**tree.branches, "Flags": changed}))


def test_a_list_of_keys_at_an_impossible_place_is_not_followed(tmp_path: Path, hits: pl.DataFrame) -> None:
    """uproot would read such a list for minutes."""
    path = write_hits(tmp_path / "run.root", hits)
    data = bytearray(path.read_bytes())
    begin, name_bytes = int.from_bytes(data[8:12], "big"), struct.unpack_from(">i", data, 28)[0]
    folder = begin + name_bytes
    struct.pack_into(">i", data, folder + 26, -646274658)
    path.write_bytes(data)

    with pytest.raises(InputError, match=r"run\.root: cannot be read as a ROOT file; .*a place or length that cannot"):
        gp.scan(path)
