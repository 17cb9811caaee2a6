"""Recordings as files: in every format, and detectors.toml."""

import os
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from gammapolars.core.schema import HITS
from gammapolars.detectors import Detector
from gammapolars.io.compass.bin_layout import Layout
from gammapolars.io.root.writer import Layout as Baskets
from tests.binfiles import write_bin
from tests.brute import Row
from tests.compassfiles import write_csv
from tests.oracle.recordings import File, Recording
from tests.rootfiles import write_hits

LONG_AGO = 10**9
"""When files were written: none is taken for one that is still being written."""

BIN = Layout(("energy", "flags"))


def write_recording(recording: Recording, folder: Path) -> list[str | Path]:
    """Write all files; the words that name them on the command line."""
    columns = ["run"] if recording.layout == "column" else []
    columns += ["energy_kev"] if recording.has_energies else []
    for file in recording.files:
        path = folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, table_of(file.hits, columns), recording, file)
        os.utime(path, (LONG_AGO, LONG_AGO))
    if recording.layout == "folders":
        for name in (names := sorted({file.name.split("/")[0] for file in recording.files})):
            (folder / name / "run.info").write_text(f"id={name}\n")
        return [folder / name for name in names]
    words: list[str | Path] = [folder / file.name for file in recording.files]
    return [*words, "--apart"] if recording.layout == "apart" else words


def table_of(hits: Sequence[Row], further: Sequence[str] = ()) -> pl.DataFrame:
    """Hits as a table of hits, with some of the columns that one may have."""
    schema = {**HITS.columns, **{name: HITS.optional[name] for name in further}}
    return pl.DataFrame([{name: hit.get(name) for name in schema} for hit in hits], schema)


def _write(path: Path, table: pl.DataFrame, recording: Recording, file: File) -> None:
    if recording.suffix == "parquet":
        table.write_parquet(path, row_group_size=recording.batch)
    elif recording.suffix == "arrow":
        table.write_ipc(path, record_batch_size=recording.batch)
    elif recording.suffix == "csv":
        table.write_csv(path)
    elif recording.suffix == "root":
        write_hits(path, table, Baskets(entries=recording.batch))
    elif recording.suffix == "CSV":
        is_segment = file.name.rsplit("_", 1)[-1].split(".")[0].isdigit()
        write_csv(path, table, header=not is_segment)
    else:
        write_bin(path, table, BIN)


def write_detectors(detectors: Sequence[Detector], path: Path) -> Path:
    """detectors.toml, as a person writes it."""
    tables = []
    for detector in detectors:
        lines = [f'[[detector]]\nname = "{detector.name}"\nboard = {detector.board}\nchannel = {detector.channel}']
        lines += [f"energy = {list(detector.energy)}"] if detector.energy else []
        lines += [f"time_offset_ps = {detector.time_offset_ps}"] if detector.time_offset_ps else []
        lines += [f'{name} = "{value}"' for name in ("kind", "group") if (value := getattr(detector, name))]
        tables.append("\n".join(lines) + "\n")
    path.write_text("\n".join(tables))
    return path
