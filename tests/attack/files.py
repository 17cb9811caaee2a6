"""Attacks on what lies in files: outputs that are inputs, missing values, runs in pieces, times at the ends."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl

from gammapolars.core.schema import HITS
from gammapolars.core.units import MAX_OFFSET_PS, TIMES_PS
from tests.attack.stage import Stage, refused, succeeded
from tests.brute import calibrated
from tests.commands import test_safe_outputs as safe
from tests.fuzz.outcomes import Wrong
from tests.hits import coincident, counted
from tests.oracle.writing import write_detectors
from tests.rootfiles import made_hits, write_hits

COMMANDS: dict[str, tuple[str, ...]] = {
    "info": (),
    "convert": ("-o", "out.parquet"),
    "coincidences": ("-o", "out.parquet", "--window", "1us"),
    "events": ("-o", "out.parquet"),
    "spectrum": ("-o", "out.csv"),
    "matrix": ("-o", "out.parquet", "--window", "1us"),
    "rates": ("-o", "out.csv"),
}
"""Commands that read any run, and what else they need."""


# Outputs that are inputs


@cache
def marked() -> list[safe.Case]:
    return list(safe.cases())


def replace(stage: Stage) -> None:
    """An output option of any command that names what the command reads, in any spelling."""
    rng, folder = stage.rng, stage.folder
    (folder / "inside").mkdir()
    (folder / "linked").symlink_to(folder / "inside")
    if rng.random() < 0.5:
        path = folder / "inside" / "precious.py"
        path.write_text("# precious")
        case = rng.choice(marked())
        output = _spelling(stage, path)
        words = safe.command_line(case, path, output)
        before = stage.contents()
        refused(stage.run(*(words if rng.random() < 0.7 else words[:-1])), "is read by this command")
    else:
        suffix = rng.choice(("root", "parquet", "csv"))
        path = folder / "inside" / f"raw.{suffix}"
        _write(path, made_hits(50, seed=rng.randrange(100)))
        command = rng.choice(("coincidences", "convert", "events", "spectrum", "matrix", "rates"))
        output = _spelling(stage, path)
        side: list[str | Path] = ["-o", output]
        if command == "coincidences" and rng.random() < 0.5:
            side = ["-o", "x.csv", "--rates", output]
        before = stage.contents()
        refused(stage.run(command, path, *side, "--overwrite"))
    stage.unchanged(before)


def _spelling(stage: Stage, path: Path) -> Path:
    """Another name of a file."""
    folder = stage.folder
    hard, symbolic = folder / f"hard{path.suffix}", folder / f"symbolic{path.suffix}"
    hard.hardlink_to(path)
    symbolic.symlink_to(path)
    return stage.rng.choice(
        (
            path,
            folder / "inside" / ".." / "inside" / path.name,
            folder / "linked" / path.name,
            hard,
            symbolic,
            Path(os.path.relpath(path, folder)),
        )
    )


# Missing values and other types


def _write(path: Path, table: pl.DataFrame) -> None:
    if path.suffix == ".root":
        write_hits(path, table)
    elif path.suffix == ".csv":
        table.write_csv(path)
    elif path.suffix == ".arrow":
        table.write_ipc(path, record_batch_size=17)
    else:
        table.write_parquet(path, row_group_size=17)
    os.utime(path, (10**9, 10**9))


def nulls(stage: Stage) -> None:
    """A value that is missing, or a column of another type: named, left out and counted with leave, or as it fits."""
    rng = stage.rng
    hits = made_hits(rng.randint(2, 60), seed=rng.randrange(1000))
    name = rng.choice(("board", "channel", "timestamp_ps", "adc", "flags", "run"))
    if name == "run":
        hits = hits.with_columns(run=pl.lit(2, pl.UInt16))
    path = stage.folder / f"hostile.{rng.choice(('parquet', 'arrow'))}"
    command = rng.choice(list(COMMANDS))
    if rng.random() < 0.5:
        _missing(stage, hits, name, path, command)
    else:
        _of_other_type(stage, hits, name, path, command)


def _missing(stage: Stage, hits: pl.DataFrame, name: str, path: Path, command: str) -> None:
    rows = sorted(stage.rng.sample(range(hits.height), stage.rng.choice((1, 1, 2))))
    gone = pl.int_range(pl.len()).is_in(rows)
    _write(path, hits.with_columns(pl.when(~gone).then(name).alias(name)))
    before = stage.contents()
    needed = command not in ("rates", "info") or name != "adc"
    outcome = stage.run(command, path, *COMMANDS[command])
    if needed or outcome.code:
        refused(outcome, f"'{name}'", str(rows[0] + 1), path.name)
    stage.unchanged(before, *(() if outcome.code else COMMANDS[command]))
    going = stage.run("convert", path, "-o", "out.parquet", "--keep-going", "--overwrite")
    succeeded(going)
    left = pl.read_parquet(stage.folder / "out.parquet")
    right = hits.filter(~gone)
    if not left.select(right.columns).equals(right):
        raise Wrong(f"{left.height} of {right.height} hits are left of column '{name}' without rows {rows}")


OTHER_TYPES: tuple[Any, ...] = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt32, pl.UInt64, pl.Float32)
OTHER_TYPES += (pl.Float64, pl.String, pl.Boolean, pl.Binary, pl.Datetime("ns"), pl.List(pl.Int64), pl.Null)


def _of_other_type(stage: Stage, hits: pl.DataFrame, name: str, path: Path, command: str) -> None:
    dtype = stage.rng.choice(OTHER_TYPES)
    values = hits[name].to_list()
    if isinstance(dtype, pl.List):
        column = pl.Series(name, [[value] for value in values], dtype)
    elif dtype == pl.Null:
        column = pl.Series(name, [None] * len(values), pl.Null)
    elif dtype == pl.Binary:
        column = pl.Series(name, [str(value).encode() for value in values], dtype)
    else:
        column = hits[name].cast(pl.Int64).cast(dtype, strict=False).fill_null(strategy="zero").alias(name)
    _write(path, hits.with_columns(column))
    before = stage.contents()
    outcome = stage.run(command, path, *COMMANDS[command])
    if outcome.code == 0 and dtype.is_integer() and command == "convert":
        found = pl.read_parquet(stage.folder / "out.parquet")
        kept = column.cast(pl.Int64).to_list()
        if name in found.columns and sorted(found[name].to_list()) != sorted(kept):
            raise Wrong(f"column '{name}' of {dtype} has other values: {found[name].to_list()[:5]}, not {kept[:5]}")
    elif outcome.code:
        refused(outcome, path.name)
    elif (
        not dtype.is_numeric()
        and not dtype.is_nested()
        and dtype != pl.Boolean
        and name != "adc"
        and command not in ("info", "rates")
    ):
        raise Wrong(f"column '{name}' of {dtype} is taken")
    stage.unchanged(before, "out.parquet", "out.csv")


# Runs in pieces


def pieces(stage: Stage) -> None:
    """Runs that occur again are refused by every command, and sorted by `convert --sort`; blocks are paired apart."""
    rng = stage.rng
    numbers = [rng.randint(1, 4) for _ in range(rng.randint(1, 6))]
    runs = [number for number in numbers for _ in range(rng.randint(1, 12))]
    hits = made_hits(len(runs), seed=rng.randrange(1000), gap_ps=100_000).with_columns(
        run=pl.Series(runs, dtype=pl.UInt16)
    )
    path = stage.folder / f"runs.{rng.choice(('parquet', 'arrow', 'csv'))}"
    _write(path, hits)
    blocks = [number for place, number in enumerate(runs) if not place or runs[place - 1] != number]
    before = stage.contents()
    command = rng.choice(("convert", "coincidences", "events", "spectrum", "matrix", "rates", "info"))
    outcome = stage.run(command, path, *COMMANDS[command])
    if len(set(blocks)) < len(blocks):
        if command == "info":  # shows what is in files, whatever it is
            if "appears again" not in outcome.out:
                raise Wrong("runs in pieces, and no warning")
        else:
            refused(outcome, "appears again")
        succeeded(stage.run("convert", path, "--sort", "-o", "out.parquet", "--overwrite"))
        path = stage.folder / "out.parquet"
        command = ""
    else:
        succeeded(outcome)
    stage.unchanged(before, "out.parquet", "out.csv")
    succeeded(stage.run("coincidences", path, "-o", "found.parquet", "--window", "1us"))
    found = pl.read_parquet(stage.folder / "found.parquet").select("run", "dt_ps").rows()
    ordered = hits.sort("run", "timestamp_ps", maintain_order=True).to_dicts()
    right = [(a["run"], dt) for a, _, dt in coincident(ordered, (-(10**6), 10**6))]
    if counted(found) != counted(right):
        raise Wrong(f"{len(found)} pairs, {len(right)} are right")


# Times at the ends


def ends(stage: Stage) -> None:
    """Times and offsets as large as they may be give the right pairs; larger ones are refused, or left out if asked."""
    rng = stage.rng
    edge = rng.choice((*TIMES_PS, 2**63 - 1, -(2**63), 2**62 + 2**61, 0))
    times = sorted(min(max(edge + rng.randint(-1000, 1000), -(2**63)), 2**63 - 1) for _ in range(rng.randint(1, 30)))
    good = [TIMES_PS[0] <= time <= TIMES_PS[1] for time in times]
    hits = pl.DataFrame(
        {
            "board": [0] * len(times),
            "channel": [rng.randint(0, 2) for _ in times],
            "timestamp_ps": times,
            "adc": list(range(len(times))),
            "flags": [0] * len(times),
        },
        HITS.columns,
    )
    path = stage.folder / f"late.{rng.choice(('parquet', 'arrow', 'csv'))}"
    _write(path, hits)
    offsets = [rng.choice((0, MAX_OFFSET_PS, -MAX_OFFSET_PS, 2**60, -(2**63), 2**63 - 1, 2**64)) for _ in range(2)]
    known = {(0, place): safe_detector(place, offset) for place, offset in enumerate(offsets)}
    write_detectors(list(known.values()), stage.folder / "late.toml")
    named = ["--detectors", "late.toml"] if rng.random() < 0.6 else []
    window = rng.choice(("0ps", "100ps", "250ns", "1s", "53.3d", "4611686018427387904ps", "4611686018427387905ps"))
    words: list[str | Path] = [path, "-o", "out.parquet", "--window", window, *named]
    before = stage.contents()
    outcome = stage.run("coincidences", *words)
    possible = all(abs(offset) <= MAX_OFFSET_PS for offset in offsets) or not named
    half = {"0ps": 0, "100ps": 100, "250ns": 250_000, "1s": 10**12, "4611686018427387904ps": 2**62}.get(window)
    if not all(good) or not possible or half is None:
        refused(outcome)
        stage.unchanged(before)
    if all(good) or not possible or half is None:
        going = outcome
    else:
        going = stage.run("coincidences", *words, "--keep-going", "--overwrite")
    if possible and half is not None and any(good):
        succeeded(going)
        rows = [
            {**hit, "timestamp_ps": hit["timestamp_ps"] - (known[0, hit["channel"]].time_offset_ps if aligned else 0)}
            for hit, is_good in zip(hits.to_dicts(), good, strict=True)
            if is_good
            for aligned in [bool(named) and (0, hit["channel"]) in known]
        ]
        rows.sort(key=lambda hit: hit["timestamp_ps"])
        right = counted((a["adc"], b["adc"], dt) for a, b, dt in coincident(calibrated(rows, {}), (-half, half)))
        found = counted(pl.read_parquet(stage.folder / "out.parquet").select("adc_a", "adc_b", "dt_ps").rows())
        if found != right:
            raise Wrong(f"{sum(found.values())} pairs, {sum(right.values())} are right")
    stage.unchanged(before, "out.parquet")


def safe_detector(channel: int, offset: int) -> Any:
    from gammapolars.detectors import Detector

    return Detector(0, channel, f"d{channel}", time_offset_ps=offset)


# Renames that fail


def renames(stage: Stage) -> None:
    """Where one of several outputs cannot take its name, none appears, and those before are as they were."""
    rng, folder = stage.rng, stage.folder
    names = ["main.parquet", "spectra.csv", "rates.csv", "differences.csv"]
    old = [name for name in names if rng.random() < 0.5]
    for name in old:
        (folder / name).write_text(f"old {name}")
    words = ["coincidences", "run.parquet", "--detectors", "d.toml", "-o", names[0], "--spectra", names[1]]
    words += ["--rates", names[2], "--time-differences", names[3]]
    if rng.random() < 0.3:
        words, names = ["report", "run.parquet", "-o", "report"], ["report"]
    name = rng.choice(names)
    if names == ["report"] and rng.random() < 0.5:
        (folder / "report").mkdir()
        (folder / "report" / "index.html").write_text("old")
        old, name = ["report"], "index.html"
    overwrite = ["--overwrite"] if old or rng.random() < 0.5 else []
    before = stage.contents()
    with _unnamable(name):
        outcome = stage.run(*words, *overwrite)
    refused(outcome, "cannot be written: Input/output error")
    stage.unchanged(before)


@contextmanager
def _unnamable(name: str) -> Iterator[None]:
    """No hidden file can take this name."""

    def failing(function: Callable[..., Any]) -> Callable[..., Any]:
        def called(source: Any, target: Any, *more: Any, **how: Any) -> Any:
            if Path(target).name == name and any(part in str(source) for part in (".part", ".partial")):
                raise OSError(5, "Input/output error")
            return function(source, target, *more, **how)

        return called

    with (
        patch.object(os, "link", failing(os.link)),
        patch.object(Path, "replace", failing(Path.replace)),
        patch.object(Path, "rename", failing(Path.rename)),
    ):
        yield
