"""Spectra in the formats of other programs: a table of writers, and one of readers.

Channel n of a file is the bin of adc n, and the energy polynomial gives the energy at the middle of a channel. A
spectrum in bins of energy has a straight line for its calibration.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from gammapolars.core.errors import InputError, OutputError, UsageError, readable
from gammapolars.core.file_identity import replacing
from gammapolars.core.frames import AnyFrame, lazy
from gammapolars.core.small_files import MAX_BYTES, read_small
from gammapolars.io.output import check_output, complete_or_nothing, write_bytes
from gammapolars.io.spectra import (
    amptek,
    chn,
    cnf,
    histograms,
    iec,
    n42,
    n42_document,
    radware,
    spe,
    spec_utils,
    tables,
    tka,
)
from gammapolars.io.spectra import measurement as measurements
from gammapolars.io.spectra.channels import Channels, Widths, channels_of, check_columns, naming
from gammapolars.io.spectra.measurement import Measurement, RecordedSpectrum, Spectra, one_of
from gammapolars.io.transaction import outputs_together

Texts = Mapping[str, str]
"""Provenance, for the formats that can carry it."""

FORMATS = {
    ".spe": "spe",
    ".chn": "chn",
    ".txt": "text",
    ".csv": "csv",
    ".parquet": "parquet",
    ".root": "root",
    ".asc": "text",
    ".n42": "n42",
}
"""The formats of spectra by the file's suffix; `radware` shares .spe with ORTEC's, and has to be named."""

READ_FORMATS = FORMATS | {
    ".cnf": "cnf",
    ".tka": "tka",
    ".mca": "amptek",
    ".iec": "iec",
    ".spc": "spc",
    ".an1": "spc",
    ".pcf": "pcf",
}
"""The same, with those that are only read."""

ENCODERS: dict[str, tuple[Callable[[Channels], bytes], int]] = {
    "spe": (spe.encode, spe.CHANNELS),
    "chn": (chn.encode, chn.CHANNELS),
    "radware": (radware.encode, radware.CHANNELS),
    "text": (tables.encode_text, tables.CHANNELS),
}
"""Encoders of a file of one spectrum, by its format, and how many channels that can have."""

COLLECTIONS = ("csv", "parquet", "root")
"""The formats that hold the spectra of all detectors in one file, and tables of hits, too."""

TABLES = ("text", "csv", "parquet")

DECODERS: dict[str, Callable[[bytes, str | None], RecordedSpectrum]] = {
    "spe": lambda data, _: radware.decode(data) if radware.is_spectrum(data) else spe.decode(data),
    "chn": lambda data, _: chn.decode(data),
    "radware": lambda data, _: radware.decode(data),
    "text": tables.decode_text,
    "csv": tables.decode_text,
    "parquet": tables.decode_parquet,
    "cnf": lambda data, _: cnf.decode(data),
    "tka": lambda data, _: tka.decode(data),
    "amptek": lambda data, _: amptek.decode(data),
    "iec": lambda data, _: iec.decode(data),
}
"""Decoders of a spectrum from a file's bytes, by its format; ROOT files have to be opened."""


NAMED: dict[str, Callable[[bytes], Spectra]] = {"n42": n42.spectra_of, "spc": spec_utils.spc, "pcf": spec_utils.pcf}
"""The same of formats that give all spectra of a file by their names."""

WRITTEN = [*ENCODERS, *COLLECTIONS, "n42"]

READ = [*WRITTEN, *(name for name in (*DECODERS, *NAMED) if name not in WRITTEN)]
"""The names of all formats."""


def save_spectrum(
    spectrum: AnyFrame,
    path: str | Path,
    *,
    measurement: Measurement | Mapping[tuple[int, int], Measurement] | None = None,
    bin_kev: float | None = None,
    bin_adc: float | None = None,
    format: str | None = None,
    overwrite: bool = False,
    metadata: Texts | None = None,
) -> tuple[Path, ...]:
    """Write spectra for other programs: one file, or one per detector where the format stores a single spectrum.

    Bins that are left out have no counts. With `adc`, channel n is adc n, calibrated by the measurement's polynomial;
    bins in only `energy_kev` are the channels from 0 keV on, and the calibration is the line through their middles.

    Args:
        spectrum: a table of spectra, with `adc` or `energy_kev` (bin centres) or both.
        path: ends in .spe (ORTEC's text), .chn, .txt (two columns), .n42, .csv, .parquet or .root (TH1D). The spectra
            of several detectors are `name_b0_ch1.spe`, `name_b0_ch2.spe`, … in the first three.
        measurement: times, title and calibration; of all detectors, or by (board, channel).
        bin_kev: width of the bins of energy, where too few are filled to show it.
        bin_adc: width of the bins of adc, where they hold several values each; otherwise whole numbers are channels.
        format: `radware` for gf3's .spe; otherwise given by the suffix.
        overwrite: whether files of these names are replaced.
        metadata: provenance, for Parquet and ROOT.

    Returns:
        The files that were written.

    Raises:
        OutputError: a file already exists or cannot be written, or the format cannot hold the spectrum: fractional or
            negative counts, too many of them or too many channels, a calibration of too high an order. The message
            names a format that can.
        UsageError: an unknown suffix or format.
    """
    spectrum = lazy(spectrum, "spectrum")
    path = Path(path)
    kind = spectrum_format(path, format)
    widths: Widths = {"energy_kev": bin_kev, "adc": bin_adc}
    with replacing(path):
        table = spectrum.lazy().collect()
    check_columns(table, path, "spectrum", ("adc", "energy_kev"))
    parts = tables.by_detector(table)
    of_spectra = {name: _measurement(part, measurement) for name, part in parts.items()}
    if not parts and kind not in COLLECTIONS:
        raise OutputError(f"{path}: the spectrum has no bins: write .root, .csv or .parquet")
    if kind in ENCODERS:
        encode, most = ENCODERS[kind]
        names = _names(path, tuple(parts))
        contents = {}
        for name, part in parts.items():
            with naming(names[name]):
                contents[names[name]] = encode(channels_of(part, of_spectra[name], most=most, widths=widths))
        return _write_all(contents, overwrite=overwrite)
    with naming(path), complete_or_nothing(path, overwrite=overwrite) as hidden:
        if kind in ("root", "n42"):
            spectra = {name: channels_of(part, of_spectra[name], widths=widths) for name, part in parts.items()}
        if kind == "n42":
            hidden.write_bytes(n42_document.encode(spectra))
        elif kind == "root":
            with hidden.open("r+b") as file:
                histograms.write_spectra(spectra, file, metadata or {})
        else:
            texts = {measurements.KEY: measurements.to_json(of_spectra), **(metadata or {})}
            tables.WRITERS[kind](table.lazy(), hidden, lambda: texts)
    return (path,)


def read_spectrum(path: str | Path, name: str | None = None, *, format: str | None = None) -> RecordedSpectrum:
    """One spectrum from a file, with its times, title and calibration.

    Args:
        path: ends in .spe (ORTEC's or RadWare's, by its content), .chn, .txt, .asc or .csv (columns of any names,
            separator and decimal sign), .parquet, .root (TH1), .n42, .cnf, .tka, .mca (Amptek), .iec, or, with
            `gammapolars[spectra]`, .spc, .an1 (the same) or .pcf.
        name: which one, where a file contains several: a histogram's name, or `b0_ch3` for board 0, channel 3.
        format: the format, where the suffix does not give it.

    Returns:
        The table of all bins, and the measurement.

    Raises:
        InputError: the file is missing, damaged or cut short, holds no such spectrum, or needs a package that is not
            installed.
        UsageError: an unknown suffix or format, or several spectra without a choice.
    """
    path = Path(path)
    kind = spectrum_format(path, format, suffixes=READ_FORMATS)
    with readable(path):
        if kind == "root":
            return histograms.read_spectrum(path, name)
        data = _content(path, kind)
    with _naming(path):
        return one_of(NAMED[kind](data), name) if kind in NAMED else DECODERS[kind](data, name)


def _content(path: Path, kind: str) -> bytes:
    """A file's bytes, of which there are some; tables of spectra may have more than files of one or a few."""
    if data := read_small(path, tables.MAX_BYTES if kind in TABLES else MAX_BYTES):
        return data
    raise InputError(f"{path}: is empty")


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Lets errors name their input."""
    try:
        yield
    except (InputError, UsageError) as error:
        raise type(error)(f"{path}: {error}") from None


def read_spectra(
    path: str | Path, name: str | None = None, *, format: str | None = None
) -> dict[tuple[int, int], RecordedSpectrum]:
    """All spectra of a file by their detectors' (board, channel), or one of them.

    A spectrum without a detector is that of board 0 and channel 0, 1, … in the file's order.

    Args:
        path: as for `read_spectrum`.
        name: of the only spectrum wanted; None: all of them.
        format: as for `read_spectrum`.

    Raises:
        InputError, UsageError: as for `read_spectrum`.
    """
    path = Path(path)
    kind = spectrum_format(path, format, suffixes=READ_FORMATS)
    if kind in NAMED and name is None:
        with readable(path):
            data = _content(path, kind)
        with _naming(path):
            return _by_key({each: read() for each, read in NAMED[kind](data).items()}, path.stem)
    try:
        one = read_spectrum(path, name, format=format)
    except UsageError:
        names = _names_in(path, kind)
        if name is not None or len(names) < 2:
            raise
        return _by_key({each: read_spectrum(path, each, format=format) for each in names}, path.stem)
    return _by_key({name or path.stem: one}, path.stem)


def _by_key(spectra: Mapping[str, RecordedSpectrum], stem: str) -> dict[tuple[int, int], RecordedSpectrum]:
    """Spectra by the (board, channel) that their names end in; else, if there is one, the file's; else numbered."""
    if len(spectra) == 1:
        ((name, one),) = spectra.items()
        return {tables.detector_of(name) or tables.detector_of(stem) or (0, 0): one}
    if len(spectra) > tables.MOST_DETECTORS:
        raise UsageError(f"holds {len(spectra):,} spectra, more than there are detector numbers: choose one of them")
    keys = [tables.detector_of(name) or (0, place) for place, name in enumerate(spectra)]
    if len({*keys}) < len(keys):
        keys = [(0, place) for place in range(len(spectra))]
    return dict(zip(keys, spectra.values(), strict=True))


def _names_in(path: Path, kind: str) -> list[str]:
    """The spectra that a table or a ROOT file of several holds."""
    if kind == "root":
        return histograms.spectrum_names(path)
    return tables.names_in(path, kind) if kind in COLLECTIONS else []


def holds_spectra(path: Path, *, named: bool = False) -> bool:
    """Whether a file is one of spectra, rather than of hits.

    Args:
        path: may be of a format that both are kept in.
        named: whether a spectrum in it is asked for by its name.
    """
    suffix = path.suffix.lower()
    if suffix not in READ_FORMATS:
        return False
    if READ_FORMATS[suffix] not in COLLECTIONS:
        return True  # missing or not, it can be nothing else
    if not path.is_file():
        return False
    return named or (FORMATS[suffix] != "root" and tables.is_spectra(path, FORMATS[suffix]))


def is_spectrum(path: Path) -> bool:
    """Whether a file that was taken for hits holds spectra: a text, too, by its content."""
    if READ_FORMATS.get(path.suffix.lower()) == "text":
        return tables.is_spectra(path, "csv")
    return path.is_file() and holds_spectra(path)


def holds_one_spectrum(format: str) -> bool:
    """Whether each spectrum needs a file of its own in a format."""
    return format in ENCODERS


def spectrum_format(path: Path, format: str | None = None, *, suffixes: Texts = FORMATS) -> str:
    """The format that is named, or else given by the suffix.

    Raises:
        UsageError: it is none of those that spectra are kept in.
    """
    formats = WRITTEN if suffixes is FORMATS else READ
    if format is not None and format not in formats:
        raise UsageError(f"unknown format '{format}' of spectra: choose from {', '.join(formats)}")
    name = format or suffixes.get(path.suffix.lower())
    if name is None:
        raise UsageError(
            f"{path}: unknown suffix '{path.suffix}': spectra stand in {', '.join(suffixes)}, "
            f"or in the format that is named: {', '.join(formats)}"
        )
    return name


def _measurement(
    part: pl.DataFrame, measurement: Measurement | Mapping[tuple[int, int], Measurement] | None
) -> Measurement:
    """The metadata of one detector's spectrum."""
    if measurement is None or isinstance(measurement, Measurement):
        return measurement or Measurement()
    if not set(tables.DETECTOR) <= set(part.columns):
        raise UsageError("measurements by (board, channel) need a spectrum with these columns")
    return measurement.get(part.select(tables.DETECTOR).row(0), Measurement())


def _names(path: Path, parts: tuple[str, ...]) -> dict[str, Path]:
    """Where each spectrum goes: to the path itself, if it is the only one."""
    if len(parts) == 1:
        return {parts[0]: path}
    return {name: path.with_name(f"{path.stem}_{name}{path.suffix}") for name in parts}


def _write_all(contents: Mapping[Path, bytes], *, overwrite: bool) -> tuple[Path, ...]:
    """Write files of which none appears before all are written."""
    for path in contents:
        check_output(path, overwrite=overwrite)
    with outputs_together():
        for path, data in contents.items():
            write_bytes(data, path, overwrite=overwrite)
    return tuple(contents)
