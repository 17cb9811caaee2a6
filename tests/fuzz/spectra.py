"""Spectrum files of other programs: counts compared with what a few lines of `struct` and `split` find."""

import re
import struct
from codecs import BOM_UTF8
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl

from gammapolars.io.spectra.measurement import Measurement, RecordedSpectrum
from gammapolars.io.spectrum_files import read_spectrum, save_spectrum
from tests.fuzz.cases import Base, Case, Verdict
from tests.fuzz.outcomes import Refused, Wrong, attempt
from tests.spectrumfiles import AMPTEK, COUNTS, cnf_of, iec_of, measured, written

KNOWN = Measurement(title="Eu-152", detector="HPGe", real_time_s=100.0, live_time_s=98.5, energy=(0.5, 0.25, 1e-6))


def bases(folder: Path) -> list[Base]:
    """One spectrum in each format."""
    counts = np.random.default_rng(5).poisson(40, 200).astype(np.float64)
    table = pl.DataFrame({"adc": np.arange(200.0), "counts": counts, "variance": counts})
    made = []
    for name, suffix in {"spe": "spe", "chn": "chn", "radware": "spe", "text": "txt", "csv": "csv"}.items():
        made.append(_saved(folder, table, name, suffix))
    for name in ("parquet", "root", "n42"):
        made.append(_saved(folder, table, name, name))
    return [*made, _n42(folder, table), *_of_others(), *_of_spec_utils(folder)]


def _of_others() -> list[Base]:
    """Formats that are read alone."""
    whole = [int(count) for count in COUNTS[:256]]
    head, *lines = iec_of().decode().splitlines()
    texts = {"tka": "\n".join(map(str, [60, 116, *whole])), "iec": "\n".join([head, *lines]), "mca": AMPTEK}
    made = [
        Base("cnf", "spectrum.cnf", cnf_of(whole), [float(count) for count in whole], hot=[(112, 260), (4096, 4900)])
    ]
    for suffix, text in texts.items():
        counts = read_spectrum_of(suffix, text.encode())
        made.append(Base(suffix, f"spectrum.{suffix}", text.encode(), counts, hot=[(0, 300)]))
    return made


def read_spectrum_of(suffix: str, data: bytes) -> list[float]:
    """The counts of a text, found without its reader."""
    if suffix == "tka":
        return [float(word) for word in data.split()[2:]]
    if suffix == "mca":
        return [float(word) for word in re.findall(r"<<DATA>>\s([^<]*)<<END>>", data.decode())[0].split()]
    lines = data.decode().splitlines()[58:]
    return [float(word) for line in lines for word in line[4:].split()[1:]]


def _of_spec_utils(folder: Path) -> list[Base]:
    """Those that SpecUtils reads, as it writes them; none, where it is not installed."""
    if find_spec("SpecUtils") is None:
        return []
    kinds = {"SpcBinaryInt": "spc", "SpcBinaryFloat": "an1", "SpcAscii": "spc", "Pcf": "pcf"}
    made = []
    for kind, suffix in kinds.items():
        data = written(folder / f"{kind}.{suffix}", kind, measured(counts=COUNTS[:256])).read_bytes()
        made.append(Base(kind, f"spectrum.{suffix}", data, COUNTS[:256].tolist(), hot=[(0, 512)]))
    return made


def _n42(folder: Path, table: pl.DataFrame) -> Base:
    counts = table["counts"].to_list()
    numbers = " ".join(f"{count:.0f}" for count in counts)
    data = (
        '<RadInstrumentData><RadMeasurement id="m"><RealTimeDuration>PT100S</RealTimeDuration><Spectrum id="s">'
        f"<LiveTimeDuration>PT98.5S</LiveTimeDuration><ChannelData>{numbers}</ChannelData></Spectrum></RadMeasurement>"
        "</RadInstrumentData>"
    ).encode()
    path = folder / "spectrum.n42"
    path.write_bytes(data)
    return Base("n42", path.name, data, counts, hot=[(0, 180)])


def _saved(folder: Path, table: pl.DataFrame, name: str, suffix: str) -> Base:
    path = folder / f"spectrum.{suffix}"
    save_spectrum(table, path, measurement=KNOWN, format=name, overwrite=True)
    data = path.read_bytes()
    return Base(name, path.name, data, table["counts"].to_list(), hot=[(0, 60), (len(data) - 200, len(data))])


def check(case: Case, path: Path) -> Verdict:
    """The counts are those that stand in the file, and whatever belongs to them are numbers."""
    found = attempt(path, lambda: read_spectrum(path))
    if isinstance(found, Refused):
        if case.is_untouched:
            raise Wrong(f"the valid file is refused: {found.message}")
        return Verdict(read=False)
    counts = found.table["counts"].to_list()
    is_net = min(counts) < 0  # without variances, unless they were stored
    for name in found.table.columns:
        if (found.table[name].null_count() and not (is_net and name == "variance")) or found.table[
            name
        ].dtype != pl.Float64:
            raise Wrong(f"column {name} of {found.table.schema} has nulls")
    is_radware = case.data[:4] in (struct.pack("<i", 24), struct.pack(">i", 24))
    reader = READERS.get("radware" if is_radware and path.suffix == ".spe" else path.suffix[1:])
    if reader is not None:
        expected = reader(case.data.replace(BOM_UTF8, b"") if reader in (_spe, _text) else case.data)
        if counts != expected:
            raise Wrong(f"read {counts[:5]}…, {len(counts)} counts, of {len(expected)}")
    return Verdict(read=True, unnoticed=counts != case.base.truth)


def _spe(data: bytes) -> list[float]:
    text = data.decode("latin-1").replace("\r\n", "\n").replace("\r", "\n")
    # Of a section that stands twice, the last counts.
    section = re.findall(r"^\$DATA:[^\S\n]*\n([^$]*)", text, re.MULTILINE)[-1]
    return [float(word) for word in section.split()[2:]]


def _chn(data: bytes) -> list[float]:
    (number,) = struct.unpack_from("<H", data, 30)
    return [float(count) for count in struct.unpack_from(f"<{number}i", data, 32)]


def _radware(data: bytes) -> list[float]:
    order = "<" if data[:4] == struct.pack("<i", 24) else ">"
    (number,) = struct.unpack_from(f"{order}i", data, 12)
    return list(struct.unpack_from(f"{order}{number}f", data, 36))


def _text(data: bytes) -> list[float]:
    lines = [re.sub(r"[,;\s]+", " ", line).split() for line in data.decode("utf-8", "replace").splitlines()]
    lines = [words for words in lines if words and not words[0].startswith("#")]
    try:
        float(lines[0][0])
    except ValueError:
        lines = lines[1:]
    return [float(words[1]) for words in lines]


READERS: dict[str, Callable[[bytes], list[float]]] = {"spe": _spe, "chn": _chn, "radware": _radware, "txt": _text}
"""What finds the counts of a file that can be read, by its suffix. CSV, Parquet and ROOT have a reader that would be
the same one again."""

__all__ = ["RecordedSpectrum", "bases", "check"]
