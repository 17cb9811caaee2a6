"""Every hit is accounted for: used, rejected by its flags, damaged or out of range."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import gammapolars as gp
from gammapolars.io import Losses, open_runs
from gammapolars.io.compass.bin_layout import Layout as BinLayout
from gammapolars.io.root.writer import Layout
from tests.binfiles import write_bin
from tests.commandline import gammapolars
from tests.compassfiles import write_csv
from tests.drawing import daily
from tests.rootfiles import baskets_of, made_hits, with_bytes, write_branches, write_hits

HITS = made_hits(2000, gap_ps=100_000)
OUTPUTS = {"coincidences": "pairs.parquet", "convert": "hits.parquet", "report": "report"}
REJECTED = HITS.filter(pl.col("flags") & 0x8488 != 0).height
assert REJECTED


def damaged_root(folder: Path) -> tuple[Path, int, str]:
    """A basket of the flags that cannot be decompressed."""
    path = write_hits(folder / "good.root", HITS, Layout(entries=250))
    place, key, _ = baskets_of(path, "Flags")[3]
    found = with_bytes(path, folder / "run.root", {place + key + 30: 0x55})
    path.unlink()
    return found, 250, "basket 3 of branch 'Flags' (hits 751 to 1000"


def damaged_csv(folder: Path) -> tuple[Path, int, str]:
    """Two lines that are none."""
    path = write_csv(folder / "run.CSV", HITS.with_columns(adc_short=pl.col("adc")))
    lines = path.read_text().splitlines(keepends=True)
    lines[500], lines[1500] = "0;1;what;5;5;0x4000\n", "0;1\n"
    path.write_text("".join(lines))
    return path, 2, "line 501"


def cut_bin(folder: Path) -> tuple[Path, int, str]:
    """A last record that is cut."""
    path = write_bin(folder / "run.BIN", HITS, BinLayout(("energy", "flags")))
    path.write_bytes(path.read_bytes()[:-5])
    os.utime(path, (0, 0))  # nobody is writing it any more
    return path, 1, "record 2000"


def summary(*words: str | Path) -> dict[str, Any]:
    outcome = gammapolars(*words, "--json")
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("make", [damaged_root, damaged_csv, cut_bin])
def test_damage_stops_a_command_by_default(make: Callable[[Path], tuple[Path, int, str]], tmp_path: Path) -> None:
    path, _, place = make(tmp_path)

    for command in ("coincidences", "convert", "info", "report"):
        words: list[str | Path] = [] if command == "info" else ["-o", tmp_path / OUTPUTS[command]]
        outcome = gammapolars(command, path, *words)

        assert outcome.code == 1
        assert outcome.error.startswith(f"Error: {path}: ")
        assert place in outcome.error
        assert "--keep-going" in outcome.error
    assert sorted(file.name for file in tmp_path.iterdir()) == [path.name]


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("make", daily(1, [damaged_root, damaged_csv, cut_bin]))
def test_every_hit_is_accounted_for(make: Callable[[Path], tuple[Path, int, str]], tmp_path: Path) -> None:
    path, lost, place = make(tmp_path)

    found = {
        "coincidences": summary("coincidences", path, "--keep-going", "-o", tmp_path / "pairs.parquet"),
        "convert": summary("convert", path, "--keep-going", "-o", tmp_path / "hits.parquet"),
        "report": summary("report", path, "--keep-going", "-o", tmp_path / "report"),
    }
    info = summary("info", path, "--keep-going")

    kept = pl.read_parquet(tmp_path / "hits.parquet")
    assert kept.height == HITS.height - lost
    for command, told in found.items():
        assert told["hits_read"] == HITS.height, command
        parts = [told[f"hits_{part}"] for part in ("used", "rejected", "damaged", "out_of_range")]
        assert sum(parts) == told["hits_read"], command
        assert told["hits_damaged"] == lost, command
        assert place in told["left_out"][0]["what"], command
        assert told["left_out"][0]["file"] == str(path)
        assert any(place in warning for warning in told["warnings"]), command
    assert found["convert"]["hits_rejected"] == 0
    assert info["hits"] == HITS.height - lost
    assert info["hits_damaged"] == lost
    expected = gp.pairs(kept.lazy()).collect()
    assert found["coincidences"]["pairs"] == found["report"]["pairs"] == expected.height
    assert pl.read_parquet(tmp_path / "pairs.parquet").equals(expected.drop("adc_short_a", "adc_short_b", strict=False))


def test_a_query_tells_what_was_left_out(tmp_path: Path) -> None:
    path, lost, place = damaged_csv(tmp_path)
    (tmp_path / "count.py").write_text(
        '"""Count."""\nimport polars as pl\ndef query(hits: pl.LazyFrame) -> pl.LazyFrame:\n'
        '    """Count."""\n    return hits.select(pl.len())\n'
    )

    told = summary("query", tmp_path / "count.py", path, "--keep-going", "-o", tmp_path / "n.csv")

    assert told["hits_damaged"] == lost
    assert place in told["warnings"][0]
    assert (tmp_path / "n.csv").read_text() == f"len\n{HITS.height - lost}\n"


def test_values_that_no_hit_can_have_are_out_of_range(tmp_path: Path) -> None:
    adc = HITS["adc"].to_numpy().astype(np.int64)
    adc[[5, 700]] = 70_000, -1
    columns = {"Board": "u2", "Channel": "u2", "Timestamp": "u8", "Energy": "i8", "Flags": "u4"}
    values = {
        name: HITS[column].to_numpy()
        for name, column in (("Board", "board"), ("Channel", "channel"), ("Flags", "flags"))
    }
    values |= {"Timestamp": HITS["timestamp_ps"].to_numpy().astype(np.uint64), "Energy": adc}
    path = tmp_path / "run.root"
    write_branches(path, {name: array.astype(columns[name]) for name, array in values.items()})

    refused = gammapolars("coincidences", path, "-o", tmp_path / "pairs.parquet")
    told = summary("coincidences", path, "--keep-going", "-o", tmp_path / "pairs.parquet")

    assert refused.code == 1
    assert "Energy" in refused.error or "adc" in refused.error
    assert told["hits_out_of_range"] == 2
    assert told["hits_read"] == HITS.height
    assert told["hits_read"] == told["hits_used"] + told["hits_rejected"] + 2


def test_the_text_for_people_tells_it_too(tmp_path: Path) -> None:
    path, _, place = damaged_root(tmp_path)

    outcome = gammapolars("coincidences", path, "--keep-going", "-o", tmp_path / "pairs.parquet")

    assert "  left out: 250 damaged (12.50 %)" in outcome.out
    assert f"Warning: left out: run.root: {place}" in outcome.out


def test_in_python_losses_take_up_what_is_left_out(tmp_path: Path) -> None:
    path, lost, place = damaged_root(tmp_path)
    losses = Losses()

    hits = gp.scan(path, losses=losses)

    assert hits.collect().height == hits.collect().height == HITS.height - lost
    (loss,) = losses.all
    assert (loss.path, loss.hits, loss.kind) == (path, lost, "damaged")
    assert place in loss.what
    assert open_runs(path).losses.all == ()


@pytest.mark.parametrize(
    "words",
    [
        ["rates"],
        ["gate", "--on", "500", "--width", "1000", "--unit", "adc", "-o", "gated.csv"],
        pytest.param(
            ["lifetime", "--start", "0/0", "--stop", "0/1", "--window", "2us", "-o", "times.csv"],
            marks=pytest.mark.slow,
        ),
        ["events", "-o", "events.parquet"],
    ],
    ids=lambda words: words[0],
)
def test_texts_tell_what_was_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    path, lost, _ = damaged_root(tmp_path)
    monkeypatch.chdir(tmp_path)

    done = gammapolars(*words, path, "--keep-going")

    assert done.code == 0, done.err
    assert f"left out: {lost} damaged (12.50 %)" in done.out
