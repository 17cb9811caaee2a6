"""ROOT histograms: spectra as TH1D, matrices as TH2D, with variances, underflow and overflow."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl

from gammapolars.core.errors import InputError, OutputError, UsageError, first_line
from gammapolars.core.quantities import BY_COLUMN, QUANTITIES
from gammapolars.core.types import Floats
from gammapolars.io.root.tree import read_header
from gammapolars.io.root.uproot_file import opened_by_uproot
from gammapolars.io.spectra import measurement as measurements
from gammapolars.io.spectra.channels import Channels, Grid, energies_at
from gammapolars.io.spectra.measurement import Measurement, RecordedSpectrum, with_variance

CHANNELS = 2**20
MAX_CELLS = 4096 * 4096

TYPES = "[CSILFD]"


def write_spectra(spectra: Mapping[str, Channels], file: BinaryIO, texts: Mapping[str, str]) -> None:
    """Write a TH1D for each spectrum: over energy where it is calibrated, else over adc.

    Sumw2 is stored where the variances are not the counts, which ROOT takes for them otherwise; texts are next to the
    histograms, by their names.

    Raises:
        OutputError: a calibration does not rise with the channel.
    """
    import uproot

    with uproot.recreate(file) as root:
        for name, channels in spectra.items():
            root[name] = _th1(channels)
        of_spectra = {name: channels.measurement for name, channels in spectra.items()}
        for key, text in {measurements.KEY: measurements.to_json(of_spectra), **texts}.items():
            root[key] = text


def _th1(channels: Channels) -> Any:
    from uproot.writing.identify import to_TH1x

    axis = channels.axis
    quantity = "adc" if channels.energy is None else "energy_kev"
    numbers: Floats = np.arange(axis.bins + 1, dtype=np.float64) - 0.5
    edges = energies_at(channels, numbers)
    edges = axis.edges() if edges is None else edges
    if not (np.diff(edges) > 0).all():
        raise OutputError("the energy does not rise with the channel, as a histogram's axis must: write .spe or .csv")
    if not np.isfinite(channels.variance).all():
        raise OutputError("a histogram needs the variance of each bin: write .csv or .parquet, or give them")
    even = channels.energy is None or len(np.trim_zeros(channels.energy, "b")) <= 2
    measurement = channels.measurement
    contents = np.concatenate([[measurement.underflow], channels.counts, [measurement.overflow]])
    variances = np.concatenate([[measurement.underflow], channels.variance, [measurement.overflow]])
    centres = (edges[1:] + edges[:-1]) / 2
    return to_TH1x(
        fName=None,
        fTitle=measurements.one_line(measurement.title or measurement.detector),
        data=contents.astype(">f8"),
        fEntries=float(contents.sum()),
        fTsumw=float(channels.counts.sum()),
        fTsumw2=float(channels.variance.sum()),
        fTsumwx=float((channels.counts * centres).sum()),
        fTsumwx2=float((channels.counts * centres**2).sum()),
        fSumw2=None if np.array_equal(contents, variances) else variances,
        fXaxis=_root_axis("xaxis", quantity, edges, even=even),
    )


def _root_axis(name: str, quantity: str, edges: Floats, *, even: bool) -> Any:
    from uproot.writing.identify import to_TAxis

    bins = None if even else edges.astype(">f8")
    low, high = float(edges[0]), float(edges[-1])
    title = BY_COLUMN[quantity].title
    return to_TAxis(fName=name, fTitle=title, fNbins=len(edges) - 1, fXmin=low, fXmax=high, fXbins=bins)


def read_spectrum(path: Path, name: str | None) -> RecordedSpectrum:
    """A TH1 as a spectrum: over `energy_kev` if its axis' title has keV in it, else over `adc`.

    Raises:
        InputError: the file is damaged, or has no such histogram.
        UsageError: it has several, and none is named.
    """
    bins, measurement = _read(path, name, "TH1", "spectrum")
    contents, variances, (quantity, edges) = bins
    values, squares = contents[1:-1], variances[1:-1]
    adc = quantity == "adc" and measurement.energy is None
    table = {"adc" if adc else "energy_kev": (edges[1:] + edges[:-1]) / 2, "counts": values, "variance": squares}
    spectrum = pl.DataFrame(table)
    # Without a sum of squares, they are the contents as far as these are positive.
    has_squares = not ((values < 0).any() and np.array_equal(np.maximum(values, 0.0), np.maximum(squares, 0.0)))
    try:
        return RecordedSpectrum(with_variance(spectrum if has_squares else spectrum.drop("variance")), measurement)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def spectrum_names(path: Path) -> list[str]:
    """The histograms of a file that can be spectra."""
    with opened_by_uproot(path) as root:
        return _names(root, "TH1")


def write_matrix(grid: Grid, file: BinaryIO, texts: Mapping[str, str]) -> None:
    """Write a histogram named `matrix`: a TH2I of plain counts, or a TH2D with Sumw2 where variances are not counts.

    Raises:
        OutputError: it has more bins than 4096 × 4096.
    """
    import uproot
    from uproot.writing.identify import to_TH2x

    if grid.x.bins * grid.y.bins > MAX_CELLS:
        raise OutputError(
            f"the matrix has {grid.x.bins:,} × {grid.y.bins:,} bins, too many for a histogram that is kept in memory: "
            f"choose wider bins, or write .parquet"
        )
    columns = grid.x.bins + 2
    flat = (grid.y_places + 1) * columns + grid.x_places + 1

    plain = np.array_equal(grid.counts, grid.variance)
    countable = plain and bool(((grid.counts == np.rint(grid.counts)) & (grid.counts < 2**31)).all())

    def dense(values: Floats, dtype: str) -> Any:
        filled = np.zeros(columns * (grid.y.bins + 2), dtype)
        filled[flat] = values
        return filled

    weights = grid.counts
    x, y = grid.x.start + grid.x_places * grid.x.width, grid.y.start + grid.y_places * grid.y.width
    with uproot.recreate(file) as root:
        root["matrix"] = to_TH2x(
            fName=None,
            fTitle="",
            data=dense(weights, ">i4" if countable else ">f8"),
            fEntries=float(weights.sum()),
            fTsumw=float(weights.sum()),
            fTsumw2=float(grid.variance.sum()),
            fTsumwx=float((weights * x).sum()),
            fTsumwx2=float((weights * x**2).sum()),
            fTsumwy=float((weights * y).sum()),
            fTsumwy2=float((weights * y**2).sum()),
            fTsumwxy=float((weights * x * y).sum()),
            fSumw2=None if plain else dense(grid.variance, ">f8"),
            fXaxis=_root_axis("xaxis", grid.x.quantity, grid.x.edges(), even=True),
            fYaxis=_root_axis("yaxis", grid.y.quantity, grid.y.edges(), even=True),
        )
        for key, text in texts.items():
            root[key] = text


def read_matrix(path: Path, name: str | None) -> pl.DataFrame:
    """The filled bins of a TH2, without underflow and overflow.

    Raises:
        InputError: the file is damaged, or has no such histogram.
        UsageError: it has several, and none is named.
    """
    (contents, variances, (along_x, x_edges), (along_y, y_edges)), _ = _read(path, name, "TH2", "matrix")
    counts, squares = (values[1:-1, 1:-1].T for values in (contents, variances))  # uproot's arrays have x first
    x, y = (edges[1:] / 2 + edges[:-1] / 2 for edges in (x_edges, y_edges))
    rows, columns = np.nonzero((counts != 0) | (squares != 0))
    table = {f"{along_x}_x": x[columns], f"{along_y}_y": y[rows]}
    return pl.DataFrame(table | {"counts": counts[rows, columns], "variance": squares[rows, columns]})


def _read(path: Path, name: str | None, kind: str, noun: str) -> tuple[tuple[Any, ...], Measurement]:
    """Contents and variances with underflow and overflow, quantity and edges of each axis; and the measurement."""
    header = read_header(path)
    if header.size < header.end:
        raise InputError(
            f"{path}: is truncated: it has {header.size} of the {header.end} bytes given in its header: copy it again"
        )
    try:
        with opened_by_uproot(path) as root:
            key = _chosen(path, root, name, kind, noun)
            histogram = root[key]
            contents = np.asarray(histogram.values(flow=True), np.float64)
            variances = np.asarray(histogram.variances(flow=True), np.float64)
            axes = [
                _axis(histogram.member(f"f{axis}axis"), size) for axis, size in zip("XY", contents.shape, strict=False)
            ]
            texts = str(root[measurements.KEY]) if measurements.KEY in root else None
            title = measurements.one_line(str(histogram.title))
    except (InputError, UsageError):
        raise
    except Exception as error:
        raise InputError(f"{path}: cannot be read as a ROOT file, is it damaged? ({first_line(error)})") from None
    if not np.isfinite(contents).all() or variances.shape != contents.shape:
        raise InputError(f"{path}: histogram '{key}' has bins without a number: is it damaged?")
    if texts is not None:
        return (contents, variances, *axes), measurements.from_json(texts, key)
    beside = (float(contents[0]), float(contents[-1])) if kind == "TH1" else (0.0, 0.0)
    return (contents, variances, *axes), Measurement(title=title, underflow=beside[0], overflow=beside[1])


def _chosen(path: Path, root: Any, name: str | None, kind: str, noun: str) -> str:
    """The name of the histogram that is meant."""
    names = _names(root, kind)
    have = ", ".join(names) or "none"
    if name is None and len(names) > 1:
        raise UsageError(f"{path}: has several histograms that can be a {noun}: choose one of {have}")
    if not names or (name or names[0]) not in names:
        noun_phrase = f"histogram '{name}'" if name else "histogram"
        raise InputError(f"{path}: has no {kind} {noun_phrase} (it has {have})")
    return name or names[0]


def _names(root: Any, kind: str) -> list[str]:
    names = (key.partition(";")[0] for key, of in root.classnames().items() if re.fullmatch(f"{kind}{TYPES}", str(of)))
    return list(dict.fromkeys(names))


def _axis(axis: Any, size: int) -> tuple[str, Floats]:
    """The quantity of an axis' bins, and their edges."""
    bins = int(axis.member("fNbins"))
    if bins + 2 != size:
        raise ValueError(f"an axis of {bins} bins for {size - 2} counts")
    edges = np.asarray(axis.edges(), np.float64)
    if len(edges) != bins + 1 or not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
        raise ValueError("an axis whose bins do not rise")
    title = str(axis.member("fTitle"))
    own = next((quantity.column for quantity in QUANTITIES if quantity.title == title), None)
    return own or ("energy_kev" if "kev" in title.lower() else "adc"), edges
