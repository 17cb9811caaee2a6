"""RNTuples read through uproot: the same hits as from a TTree, in bounded chunks, by name or by a map of columns."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import polars as pl
import pytest
import uproot
from polars.testing import assert_frame_equal

import gammapolars as gp
from gammapolars.core.errors import InputError
from gammapolars.detectors.columns import Column
from gammapolars.io import Losses, Reading, open_runs
from gammapolars.io.root import baskets
from gammapolars.io.root.tree import open_tree
from gammapolars.io.root.writer import hit_branches
from tests.rootfiles import Arrays, made_hits

HITS = 20_000


@pytest.fixture(scope="module")
def hits() -> pl.DataFrame:
    return made_hits(HITS)


def write_rntuple(path: Path, arrays: Arrays, *, name: str = "Data_R", clusters: int = 7) -> Path:
    with uproot.recreate(path) as file:
        made = file.mkrntuple(name, {key: values.dtype for key, values in arrays.items()})
        for begin, end in pairwise(np.linspace(0, len(next(iter(arrays.values()))), clusters + 1).astype(int)):
            made.extend({key: values[begin:end] for key, values in arrays.items()})
    return path


@pytest.mark.parametrize("clusters", [1, 7])
def test_an_rntuple_gives_the_hits_that_a_tree_gives(tmp_path: Path, hits: pl.DataFrame, clusters: int) -> None:
    path = write_rntuple(tmp_path / "run.root", hit_branches(hits), clusters=clusters)

    frame = gp.scan(path)

    assert_frame_equal(frame.collect(), hits)
    assert_frame_equal(
        frame.select("adc").filter(pl.col("adc") > 9000).collect(), hits.select("adc").filter(pl.col("adc") > 9000)
    )
    assert open_runs(path).count() == HITS


def test_it_is_read_cluster_by_cluster(tmp_path: Path, hits: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_rntuple(tmp_path / "run.root", hit_branches(hits), clusters=10)
    asked = []
    original = baskets._Decoder.fill_by_uproot

    def fill(self: Any, branch: Any, first: int, last: int, target: Any) -> Any:
        asked.append((branch.name, first, last))
        return original(self, branch, first, last, target)

    monkeypatch.setattr(baskets._Decoder, "fill_by_uproot", fill)

    chunks = list(baskets.read_chunks(open_tree(path, ("Data_R",)), ["Energy", "Flags"], chunk_hits=3000))

    np.testing.assert_array_equal(np.concatenate([arrays["Energy"] for _, arrays in chunks]), hits["adc"])
    assert [first for first, _ in chunks] == [0, 4000, 8000, 12_000, 16_000]
    assert {name for name, _, _ in asked} == {"Energy", "Flags"}


def test_another_name_and_other_columns(tmp_path: Path, hits: pl.DataFrame) -> None:
    arrays = {"t": hits["timestamp_ps"].to_numpy() / 1e3, "ch": hits["channel"].to_numpy().astype(np.int64)}
    path = write_rntuple(tmp_path / "run.root", arrays, name="events")
    columns = {"timestamp_ps": Column("t", "ns"), "channel": Column("ch")}

    found = open_runs(path, reading=Reading(tree="events", columns=columns)).hits.collect()

    assert found["timestamp_ps"].equals(hits["timestamp_ps"])
    assert found["channel"].equals(hits["channel"])
    with pytest.raises(InputError, match=r"no tree Data_R or Data_F or Data \(trees in it: events\)"):
        gp.scan(path)


def test_waveforms_in_it_are_left_alone(tmp_path: Path, hits: pl.DataFrame) -> None:
    few = hits.head(100)
    samples = ak.values_astype(ak.Array([[7] * (row % 5) for row in range(100)]), np.int16)
    with uproot.recreate(tmp_path / "run.root") as file:
        file.mkrntuple("Data_R", ak.Array({**hit_branches(few), "Samples": samples}))

    assert "Samples" in open_tree(tmp_path / "run.root", ("Data_R",)).other_branches
    assert_frame_equal(gp.scan(tmp_path / "run.root").collect(), few)


def test_a_damaged_cluster_is_an_error_or_is_left_out(tmp_path: Path, hits: pl.DataFrame) -> None:
    path = write_rntuple(tmp_path / "run.root", hit_branches(hits), clusters=10)
    with uproot.open(path) as file:
        pages = file["Data_R"].page_link_list[3][0].pages
        place = pages[0].locator.offset
    octets = bytearray(path.read_bytes())
    octets[place : place + 4] = bytes(4)
    path.write_bytes(octets)
    losses = Losses()

    with pytest.raises(
        InputError, match=r"run\.root: branch '\w+' \(hits \d+ to \d+\) is damaged: .*losses=gp\.Losses\(\)"
    ):
        open_runs(path, reading=Reading(chunk_hits=2000)).hits.collect()
    found = open_runs(path, reading=Reading(chunk_hits=2000, losses=losses)).hits.collect()

    (loss,) = losses.all
    first = int(loss.what.partition("hits ")[2].split()[0])
    assert (first - 1) % 2000 == 0
    assert_frame_equal(found, pl.concat([hits[: first - 1], hits[first + 1999 :]]))
    assert losses.count("damaged") == 2000
