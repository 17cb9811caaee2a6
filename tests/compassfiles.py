"""CSV files as CoMPASS writes them, for tests, and a reader that looks at one line after the other."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

NAMES = {
    "board": "BOARD",
    "channel": "CHANNEL",
    "timestamp_ps": "TIMETAG",
    "adc": "ENERGY",
    "energy_kev": "CALIB_ENERGY",
    "adc_short": "ENERGYSHORT",
    "flags": "FLAGS",
}
"""CoMPASS's names of our columns, in the order of a line."""

MOST = {
    "BOARD": 2**16,
    "CHANNEL": 2**16,
    "TIMETAG": 2**62 + 1,
    "ENERGY": 2**16,
    "ENERGYSHORT": 2**16,
    "FLAGS": 2**32,
    "PROBE_CODE": 2**32,
}


def write_csv(
    path: Path, hits: pl.DataFrame, *, header: bool = True, samples: int = 0, old: bool = False, end: str = "\n"
) -> Path:
    """Hits as CoMPASS writes them; the fields follow the columns that there are.

    Args:
        path: the file.
        hits: some of the columns of a table of hits.
        header: whether the first line names the fields; segments behind the first lack it.
        samples: of a waveform, in each line.
        old: whether board and channel and the probe's code are left out, as old versions did.
        end: of each line.
    """
    columns = [column for column in NAMES if column in hits.columns and not (old and column in ("board", "channel"))]
    names = [NAMES[column] for column in columns]
    parts = [
        pl.format("0x{}", pl.col("flags").map_elements(lambda flags: f"{flags:x}", pl.String))
        if column == "flags"
        else pl.col(column).cast(pl.String)
        for column in columns
    ]
    if samples:
        names += ["SAMPLES"] if old else ["PROBE_CODE", "SAMPLES"]
        waveform = np.random.default_rng(1).integers(0, 16384, samples).tolist()
        parts.append(pl.lit(";".join(map(str, waveform if old else [1, *waveform]))))
    lines = hits.select(pl.concat_str(parts, separator=";")).to_series().to_list()
    path.write_text("".join(line + end for line in ([";".join(names)] if header else []) + lines), newline="")
    return path


def read_line(line: bytes, names: list[str]) -> dict[str, Any] | str:
    """What one line without its end holds, by the fields' names; or the kind of loss that it is.

    Args:
        line: its bytes.
        names: of the fields; behind them numbers may follow if the last is SAMPLES.
    """
    text = line.decode("latin-1").removesuffix("\r")
    fields = text.split(";")
    if names[-1] == "SAMPLES":
        names = names[:-1]
        if not re.fullmatch("[-./0-9:;]*", ";".join(fields[len(names) :])):
            return "damaged"
        fields = fields[: len(names)]
    if len(fields) != len(names):
        return "damaged"
    values: dict[str, Any] = {}
    for name, field in zip(names, fields, strict=True):
        if name == "CALIB_ENERGY":
            if not re.fullmatch(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|-?(?i:nan|inf|infinity)", field):
                return "damaged"
            values[name] = float(field)
            continue
        if not re.fullmatch("0x[0-9a-fA-F]+" if name == "FLAGS" else "-?[0-9]+", field):
            return "damaged"
        values[name] = int(field, 16 if name == "FLAGS" else 10)
    outside = any(values[name] >= most for name, most in MOST.items() if name in values)
    outside |= any(field.startswith("-") for name, field in zip(names, fields, strict=True) if name != "CALIB_ENERGY")
    return "out_of_range" if outside else values
