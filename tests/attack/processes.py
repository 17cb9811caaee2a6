"""Attacks that need a process of their own: bombs, many files, signals, streams and limits."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from gammapolars.io.root.writer import LARGE
from tests.attack.files import COMMANDS
from tests.attack.stage import Ended, Stage, refused, succeeded
from tests.compassfiles import write_csv
from tests.fuzz.outcomes import Wrong
from tests.rootfiles import made_hits, write_hits

MOST_BYTES = 900 * 2**20
"""A command on a small file takes less, whatever the file claims."""

LONG_AGO = 10**9


def small_enough(ended: Ended) -> None:
    """Check how much memory a process had.

    Raises:
        Wrong: it was too much.
    """
    if ended.peak > MOST_BYTES:
        raise Wrong(f"{ended.peak / 2**20:,.0f} MB of memory")


# Bombs


def bombs(stage: Stage) -> None:
    """Small files that unpack to very much: memory stays bounded, whether the column is needed or not."""
    path = stage.rng.choice(BOMBS)(stage)
    os.utime(path, (LONG_AGO, LONG_AGO))
    if (size := path.stat().st_size) > 40 * 2**20:
        raise Wrong(f"the bomb itself has {size} bytes")
    command = stage.rng.choice(("info", "coincidences", "spectrum", "rates"))  # `convert` carries all columns along
    before = stage.contents()
    small_enough(stage.process(command, path.name, *COMMANDS[command]))
    stage.unchanged(before, "out.parquet", "out.csv")


def _long_texts(stage: Stage) -> Path:
    """A column that nothing needs: a text of megabytes, stored once and told of again and again."""
    rows, length = stage.rng.choice(((400, 10**6), (60, 10**7), (20_000, 10**5)))
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array(["x" * length]))
    table = made_hits(rows).to_arrow().append_column("note", texts)
    path = stage.folder / "bomb.parquet"
    # Without Arrow's own schema, which would say that it is a dictionary.
    store = stage.rng.random() < 0.3
    pq.write_table(table, path, compression="zstd", store_schema=store, dictionary_pagesize_limit=2**30)
    return path


def _many_rows(stage: Stage) -> Path:
    """Millions of equal hits, a second apart, in one row group."""
    rows = stage.rng.choice((3_000_000, 10_000_000))
    path = stage.folder / "bomb.parquet"
    _second_by_second(rows).write_parquet(path, row_group_size=rows, compression="zstd")
    return path


def _nested(stage: Stage) -> Path:
    """Lists of zeros in a column that nothing needs."""
    rows, length = stage.rng.choice(((30, 1_000_000), (3000, 10_000)))
    ends = pa.array(np.arange(rows + 1) * length, pa.int32())
    lists = pa.ListArray.from_arrays(ends, pa.array(np.zeros(rows * length, np.int64)))
    path = stage.folder / "bomb.parquet"
    pq.write_table(made_hits(rows).to_arrow().append_column("waveform", lists), path, compression="zstd")
    return path


def _baskets(stage: Stage) -> Path:
    """A ROOT file of equal hits, whose baskets unpack to hundreds of times their size."""
    return write_hits(stage.folder / "bomb.root", _second_by_second(2_000_000), LARGE)


def _second_by_second(rows: int) -> pl.DataFrame:
    dtypes = {"board": pl.UInt16, "channel": pl.UInt16, "adc": pl.UInt16, "flags": pl.UInt32}
    times = pl.select(timestamp_ps=pl.int_range(rows, dtype=pl.Int64) * 10**9)
    return times.with_columns(**{name: pl.lit(0, dtype) for name, dtype in dtypes.items()})


BOMBS: tuple[Callable[[Stage], Path], ...] = (_long_texts, _long_texts, _many_rows, _nested, _baskets)


# Many files


def segments(stage: Stage) -> None:
    """Hundreds of segments of three hits: in a time that grows as they do, with few files open."""
    number = stage.rng.choice((250, 400, 600))
    folder = stage.folder / "run" / "RAW"
    folder.mkdir(parents=True)
    for place in range(number):
        hits = made_hits(3, seed=place).with_columns(pl.col("timestamp_ps") + place * 10**9)
        name = f"SDataR_run{f'_{place}' if place else ''}.CSV"
        write_csv(folder / name, hits, header=not place)
        os.utime(folder / name, (LONG_AGO, LONG_AGO))
    before = stage.contents()
    ended = stage.process("coincidences", "run", "-o", "out.parquet", "--json", limits="ulimit -n 256;")
    succeeded(ended)
    if f'"hits_read": {3 * number}' not in ended.out:
        raise Wrong(f"not all of {3 * number} hits are read: {ended.out[:200]}")
    if ended.seconds > 5 + 0.03 * number:
        raise Wrong(f"{number} segments took {ended.seconds:.1f} s")
    small_enough(ended)
    stage.unchanged(before, "out.parquet")


# Signals


def killed(stage: Stage) -> None:
    """Whenever a process is killed, terminated or interrupted: all or nothing, and the next command cleans up."""
    rng = stage.rng
    write_hits(stage.folder / "long.root", made_hits(300_000, gap_ps=200_000))
    words = rng.choice(
        (
            ["convert", "long.root", "--sort", "-o", "out.parquet"],
            ["coincidences", "long.root", "-o", "out.csv", "--rates", "rates.csv"],
            ["coincidences", "long.root", "-o", "out.root"],
            ["report", "run.parquet", "-o", "out"],
            ["spectrum", "long.root", "-o", "out.csv"],
        )
    )
    number = rng.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGTERM, signal.SIGINT))
    delay = rng.choice((rng.uniform(0, 0.5), rng.uniform(0.2, 3)))

    def meanwhile(process: "subprocess.Popen[bytes]") -> None:
        time.sleep(delay)
        process.send_signal(number)

    before = stage.contents()
    # Before anything of ours runs, Python itself answers.
    codes = {signal.SIGKILL: (-9, 0), signal.SIGTERM: (-15, 143, 0), signal.SIGINT: (-2, 130, 0, 1)}[number]
    outputs = ("out", "out.parquet", "out.csv", "out.root", "rates.csv")
    ended = stage.process(*words, codes=codes, meanwhile=meanwhile)
    if number != signal.SIGKILL:
        stage.unchanged(before, *(outputs if ended.code == 0 else ()))
    succeeded(stage.run(*words, "--overwrite"))
    stage.unchanged(before, *outputs)


# Streams


STREAMS: tuple[tuple[str, dict[str, str]], ...] = (
    (">&-", {}),
    ("2>&-", {}),
    ("<&- >&- 2>&-", {}),
    (">/dev/full", {}),
    ("2>/dev/full", {}),
    (">/dev/full 2>/dev/full", {}),
    ("", {"PYTHONIOENCODING": "ascii"}),
    ("", {"PYTHONIOENCODING": "latin-1"}),
    ("", {"PYTHONIOENCODING": "cp1252"}),
    ("", {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    ("", {"POLARS_MAX_THREADS": "0"}),
    ("", {"POLARS_MAX_THREADS": "x"}),
    ("", {"COLUMNS": "1"}),
    ("", {"COLUMNS": "0", "TERM": "dumb"}),
    ("", {"TZ": "Nowhere/Nothing"}),
    ("", {"HOME": "/nonexistent"}),
)


def streams(stage: Stage) -> None:
    """Whatever becomes of the standard streams: the work is done, or one line says why not."""
    rng = stage.rng
    redirect, environment = rng.choice(STREAMS)
    (stage.folder / "named.toml").write_text(
        '[[detector]]\nname = "Ä-γ日"\nchannel = 0\nenergy = [0, 0.2]\n', encoding="utf-8"
    )
    words = rng.choice(
        (
            ["info", "run.parquet", "--detectors", "named.toml"],
            ["coincidences", "run.parquet", "--detectors", "named.toml", "-o", "out.parquet"],
            ["coincidences", "run.parquet", "--detectors", "named.toml", "-o", "out.csv", "--json"],
            ["info", "missing.parquet"],
            ["spectrum", "run.parquet", "--unknown"],
            ["lines", "Co-60"],
            ["--help"],
            [],
            ["convert", "run.parquet", "-o", "out.parquet"],
        )
    )
    before = stage.contents()
    ended = stage.process(*words, redirect=redirect, environment=environment)
    works = "missing.parquet" not in words and "--unknown" not in words and words
    if works and not ended.code and "-o" in words and not (stage.folder / words[words.index("-o") + 1]).is_file():
        raise Wrong("exit code 0, and no output")
    may_fail = "/dev/full" in redirect or environment.get("POLARS_MAX_THREADS") == "x"
    if works and ended.code and not may_fail:
        raise Wrong(f"exit code {ended.code}: {ended.err[-300:]!r}")
    stage.unchanged(before, "out.parquet", "out.csv")


# Limits


def limits(stage: Stage) -> None:
    """With little memory, few open files or a full disk: an end in time, one line, and nothing half done."""
    rng = stage.rng
    words = rng.choice(
        (
            ["coincidences", "run.parquet", "-o", "out.parquet"],
            ["spectrum", "run.parquet", "-o", "out.png"],
            ["report", "run.parquet", "-o", "out"],
            ["convert", "run.parquet", "-o", "out.root"],
            ["matrix", "run.parquet", "-o", "out.csv"],
            ["info", "run.parquet"],
            ["peaks", "spectrum.csv", "-o", "out.csv"],
        )
    )
    kind = rng.choice(("memory", "memory", "disk", "files"))
    if kind == "memory":
        limit = f"ulimit -v {rng.choice((200_000, 500_000, 900_000, 1_100_000, 1_200_000, 1_500_000, 2_500_000))};"
    elif kind == "disk":
        # Not 0: the files that take what a command prints are limited too.
        limit = f"trap '' XFSZ; ulimit -f {rng.choice((1, 2, 4, 20))};"
    else:
        limit = f"ulimit -n {rng.choice((12, 20, 40, 64))};"
    before = stage.contents()
    ended = stage.process(*words, limits=limit, codes=(0, 1))
    outputs = ("out", "out.parquet", "out.png", "out.root", "out.csv")
    stage.unchanged(before, *(outputs if not ended.code else ()))
    if kind == "disk" and ended.code:
        refused(ended, "written")
    if kind == "memory" and ended.code and "damaged" in ended.err:
        raise Wrong(f"blames a file: {ended.err[-300:]!r}")
