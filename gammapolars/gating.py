"""What the command `gate` does: a run or a file of pairs in, a net gated spectrum, its peaks and a summary out."""

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from gammapolars import analysis
from gammapolars.accounting import reading_warnings
from gammapolars.calibration import calibrate, energy_kev, steady_adc
from gammapolars.coincidences import PairRule
from gammapolars.detectors import Detectors
from gammapolars.drift.correction import corrected_hits, correction_of
from gammapolars.errors import InputError, UsageError
from gammapolars.event_building import triples
from gammapolars.gates import Gate, PolygonGate
from gammapolars.io import WRITERS, Runs, check_writable, save, scan_pairs
from gammapolars.io.output import check_output, complete_or_nothing
from gammapolars.io.spectra.measurement import Measurement
from gammapolars.io.spectrum_files import FORMATS, save_spectrum
from gammapolars.peaks import fit_peaks
from gammapolars.products import HitTally, PairTally
from gammapolars.products.axes import of_pairs
from gammapolars.products.gated import GatedSpectra
from gammapolars.provenance import describe, describe_files
from gammapolars.spectra import cube_slice, spectrum
from gammapolars.streaming import batches_of
from gammapolars.timing import align, spread_ps
from gammapolars.units import parse_range

FIGURE = ".png"
EVIDENT = 3.0
"""Peaks whose area is less than as many standard deviations are left out: net counts of nothing fluctuate as well."""

SURE = 8.0
"""So many standard deviations have the peaks that tell how wide peaks are."""

MIN_BINS = 16
"""A spectrum with fewer filled bins has no peaks to fit."""


def gate_runs(
    runs: Runs,
    rule: PairRule,
    gate: Gate,
    output: Path,
    *,
    random: Sequence[str] = (),
    detectors: Detectors | None = None,
    of: Sequence[str] = (),
    polygons: Sequence[PolygonGate] = (),
    bin_width: float | None = None,
    by_detector: bool = False,
    peaks: Path | None = None,
    figure: Path | None = None,
    overwrite: bool = False,
    progress: analysis.Progress | None = None,
) -> dict[str, Any]:
    """The spectrum of the partners of a line in a run, net of the background below the line and of chance.

    Args:
        runs: from `open_runs`.
        rule: window and rejected flags.
        gate: the line with its background, in keV; in adc where nothing is calibrated.
        output: .parquet, .arrow, .csv, .root (TH1D) or .txt, with negative counts where they are; .spe or .chn, which
            hold whole counts from 0 on alone; or a figure that ends in .png.
        random: windows that hold chance pairs alone, or `auto`.
        detectors: time offsets and calibrations.
        of: names of the detectors whose hits may lie in the gate; none: all.
        polygons: only pairs inside all of these count.
        bin_width: of the spectrum's bins; None: 1 keV, or 1 adc.
        by_detector: whether each partner detector gets a spectrum, instead of all one.
        peaks: a file for the fitted peaks.
        figure: a .png of the spectrum.
        overwrite: whether existing outputs are replaced.
        progress: told how many hits have been read.

    Returns:
        The summary, as `gammapolars gate --json` prints it.
    """
    started = time.perf_counter()
    _check(output, peaks, figure, overwrite=overwrite)
    known = detectors or Detectors()
    ready = analysis.with_random(runs, rule, random, known)
    hits, pairs = HitTally(), PairTally(ready.window)
    reading = analysis.Pass(runs, ready, known, progress, [hits, pairs])
    calibrated = any(detector.energy for detector in known)
    found = _gated(spread(reading.pairs(), known), gate, known, of, polygons, bin_width, calibrated=calibrated)
    summary = analysis.summarise(reading, hits, pairs)
    summary |= _told(found, gate, of, polygons, bin_width)
    texts = describe(runs, summary)
    net = found.by_detector() if by_detector else found.summed()
    total = found.total()
    return _finish(net, total, summary, texts, output, peaks, figure, overwrite=overwrite) | {
        "elapsed_s": time.perf_counter() - started
    }


def gate_triples(
    runs: Runs,
    rule: PairRule,
    gates: tuple[Gate, Gate],
    output: Path,
    *,
    detectors: Detectors | None = None,
    bin_width: float | None = None,
    peaks: Path | None = None,
    figure: Path | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """The spectrum of the third hits of triples whose other two lie in two gates: a slice of their cube.

    Args:
        runs: from `open_runs`.
        rule: its window holds all three hits.
        gates: the two, each with its background.
        output: as for `gate_runs`, and so are the others.
        detectors: they must be calibrated.
        bin_width: of the spectrum's bins.
        peaks: a file for the fitted peaks.
        figure: a .png of the spectrum.
        overwrite: whether existing outputs are replaced.
    """
    started = time.perf_counter()
    _check(output, peaks, figure, overwrite=overwrite)
    known = detectors or Detectors()
    if not any(detector.energy for detector in known):
        raise UsageError("two gates are on energies: name a detectors.toml with calibrations with --detectors")
    correction = correction_of(known, runs)
    hits = corrected_hits(align(runs.hits, known), runs, known, correction).pipe(calibrate, known, dither=True)
    found = triples(
        hits,
        rule.window.high,
        reject=",".join(rule.reject) or "none",
        reorder_ps=runs.reorder_ps + spread_ps(known),
    )
    width = 1.0 if bin_width is None else bin_width
    with runs.naming_errors():
        net = found.pipe(cube_slice, *gates).pipe(spectrum, bin_kev=width, by=()).collect().sort("energy_kev")
    summary = {
        "inputs": [str(file.path) for file in runs.files],
        "window_ps": list(rule.window),
        "gate": _as_dict(gates[0]),
        "and_gate": _as_dict(gates[1]),
        "unit": "keV",
        "bin_width": width,
        "counts": float(net["counts"].sum()),
        "counts_unc": math.sqrt(float(net["variance"].sum())),
        "warnings": [*reading_warnings(runs), *(correction.warnings if correction else ())],
    }
    return _finish(net, None, summary, describe(runs, summary), output, peaks, figure, overwrite=overwrite) | {
        "elapsed_s": time.perf_counter() - started
    }


def gate_pairs(
    path: Path,
    gate: Gate,
    output: Path,
    *,
    detectors: Detectors | None = None,
    of: Sequence[str] = (),
    polygons: Sequence[PolygonGate] = (),
    bin_width: float | None = None,
    by_detector: bool = False,
    peaks: Path | None = None,
    figure: Path | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """The same from a file of pairs, as `coincidences` writes it: with the weights of random windows, if it has any."""
    started = time.perf_counter()
    _check(output, peaks, figure, overwrite=overwrite)
    known = detectors or Detectors()
    pairs = scan_pairs(path)
    if len(known):
        pairs = spread(pairs, known)
    columns = pairs.collect_schema()
    calibrated = {"energy_kev_a", "energy_kev_b"} <= set(columns)
    if not calibrated and not {"adc_a", "adc_b"} <= set(columns):
        raise InputError(f"{path}: its pairs have neither energies nor adc values to gate on")
    found = _gated(pairs, gate, known, of, polygons, bin_width, calibrated=calibrated)
    summary = {"inputs": [str(path)], "warnings": []} | _told(found, gate, of, polygons, bin_width)
    texts = describe_files([path], summary)
    net = found.by_detector() if by_detector else found.summed()
    total = found.total()
    return _finish(net, total, summary, texts, output, peaks, figure, overwrite=overwrite) | {
        "elapsed_s": time.perf_counter() - started
    }


def spread(pairs: pl.LazyFrame, detectors: Detectors) -> pl.LazyFrame:
    """Pairs with energies that are spread over the width of their adc values.

    A gate then holds counts in proportion to its width, and so does its background. Of whole adc values a gate of n
    channels holds n ± 1, and the background is subtracted too often or too rarely by as much. Energies that pairs have
    are kept, as they may be sums of hits that were added back: they get the noise alone.
    """
    columns = pairs.collect_schema()
    if not {"adc_a", "adc_b", "dt_ps"} <= set(columns) or not any(detector.energy for detector in detectors):
        return pairs
    energies = {}
    for side in "ab":
        name, noisy = f"energy_kev_{side}", of_pairs(columns, "energy_kev", detectors, side)
        plain = energy_kev(detectors, f"_{side}", adc=steady_adc(columns, f"_{side}"))
        known = [pl.col(name) + (noisy - plain), noisy, pl.col(name)] if name in columns else [noisy]
        energies[name] = pl.coalesce(known)
    return pairs.with_columns(**energies)


def _check(output: Path, peaks: Path | None, figure: Path | None, *, overwrite: bool) -> None:
    suffix = output.suffix.lower()
    if suffix not in (*WRITERS, *FORMATS, FIGURE):
        known = ", ".join(dict.fromkeys((*WRITERS, *FORMATS, FIGURE)))
        raise UsageError(f"{output}: unknown suffix '{output.suffix}': gated spectra are written to {known}")
    check_output(output, overwrite=overwrite)
    if peaks is not None:
        check_writable(peaks, overwrite=overwrite)
    if figure is not None:
        if figure.suffix.lower() != FIGURE:
            raise UsageError(f"{figure}: unknown suffix '{figure.suffix}': figures are written to {FIGURE}")
        check_output(figure, overwrite=overwrite)


def _gated(
    pairs: pl.LazyFrame,
    gate: Gate,
    detectors: Detectors,
    of: Sequence[str],
    polygons: Sequence[PolygonGate],
    bin_width: float | None,
    *,
    calibrated: bool,
) -> GatedSpectra:
    """Count all pairs of a frame, in one pass."""
    width = 1.0 if bin_width is None else bin_width
    if not 0 < width < math.inf or (not calibrated and width != int(width)):
        raise UsageError(f"bins must be wider than 0, and hold whole adc values, not {width:g}")
    chosen = [detectors.named(name).key for name in of] or None
    found = GatedSpectra(gate, chosen, calibrated=calibrated, width=width)
    for polygon in polygons:
        pairs = polygon.select(pairs)
    for batch in batches_of(pairs):
        found.add_pairs(batch)
    return found


def _told(
    found: GatedSpectra, gate: Gate, of: Sequence[str], polygons: Sequence[PolygonGate], bin_width: float | None
) -> dict[str, Any]:
    summed = found.summed()
    return {
        "gate": _as_dict(gate),
        "unit": "keV" if found.axis == "energy_kev" else "adc",
        "gated_detectors": list(of),
        "polygons": [polygon.name for polygon in polygons],
        "bin_width": 1.0 if bin_width is None else bin_width,
        "counts": float(summed["counts"].sum()),
        "counts_unc": math.sqrt(float(summed["variance"].sum())),
    }


def _as_dict(gate: Gate) -> dict[str, Any]:
    return {"low": gate.low, "high": gate.high, "background": [list(part) for part in gate.background]}


def _finish(
    spectrum: pl.DataFrame,
    total: pl.DataFrame | None,
    summary: dict[str, Any],
    texts: dict[str, str],
    output: Path,
    peaks: Path | None,
    figure: Path | None,
    *,
    overwrite: bool,
) -> dict[str, Any]:
    """Fit the peaks, and write all files."""
    if spectrum.is_empty():
        empty = f"{summary['gate']['low']:g} to {summary['gate']['high']:g} {summary['unit']}"
        summary["warnings"] = [*summary["warnings"], f"no pair has a hit in the gate {empty}"]
    fwhm = None if total is None else _resolution(total)
    filled = spectrum if total is None or "board" in spectrum.columns else _filled(spectrum, total)
    fitted = fit_peaks(filled if spectrum.height > MIN_BINS else spectrum.head(0), fwhm=fwhm)
    fitted = fitted.filter(pl.col("area") > EVIDENT * pl.col("area_unc"))
    summary = summary | {"peaks": fitted.to_dicts()}
    outputs = _save(spectrum, output, summary, texts, overwrite=overwrite)
    if peaks is not None:
        save(fitted.lazy(), peaks, overwrite=overwrite, metadata=texts)
        outputs.append(str(peaks))
    if figure is not None:
        _save_figure(spectrum, figure, summary, overwrite=overwrite)
        outputs.append(str(figure))
    return summary | {"outputs": outputs}


def _save(
    spectrum: pl.DataFrame, output: Path, summary: dict[str, Any], texts: dict[str, str], *, overwrite: bool
) -> list[str]:
    """Write a net spectrum in the format of its suffix; in some, a file for each detector."""
    suffix = output.suffix.lower()
    if suffix == FIGURE:
        _save_figure(spectrum, output, summary, overwrite=overwrite)
    elif suffix in WRITERS and suffix != ".root":
        save(spectrum.lazy(), output, overwrite=overwrite, metadata=texts)
    else:
        width = {"bin_kev" if summary["unit"] == "keV" else "bin_adc": summary["bin_width"]}
        told = Measurement(title=_title(summary))
        written = save_spectrum(spectrum, output, measurement=told, overwrite=overwrite, metadata=texts, **width)
        return [str(path) for path in written]
    return [str(output)]


def _title(summary: dict[str, Any]) -> str:
    low, high = summary["gate"]["low"], summary["gate"]["high"]
    return f"In coincidence with {low:g} to {high:g} {summary['unit']}"


def _filled(spectrum: pl.DataFrame, total: pl.DataFrame) -> pl.DataFrame:
    """A net spectrum with the empty bins that pairs without the gate fill: beyond its last peak, too, is background."""
    axis = total.columns[0]
    empty = (
        total.select(axis).join(spectrum, on=axis, how="anti").with_columns(counts=pl.lit(0.0), variance=pl.lit(0.0))
    )
    return pl.concat([spectrum, empty]).sort(axis)


def _resolution(total: pl.DataFrame) -> tuple[float, float] | None:
    """FWHM² = a + b E of the peaks of all pairs together: a gated spectrum has too few counts to tell it by itself."""
    if "energy_kev" not in total.columns or total.height <= MIN_BINS:
        return None
    found = fit_peaks(total).filter((pl.col("status") == "ok") & (pl.col("area") > SURE * pl.col("area_unc")))
    if found.is_empty():
        return None
    energy, square = found["centroid_kev"].to_numpy(), found["fwhm_kev"].to_numpy() ** 2
    if found.height == 1:
        return 0.0, float(square[0] / energy[0])
    weight = 1 / (2 * found["fwhm_kev"] * found["fwhm_kev_unc"]).to_numpy()
    slope, offset = np.polyfit(energy, square, 1, w=weight)
    if slope <= 0 or offset + slope * energy.min() / 4 <= 0:
        return 0.0, float(np.average(square / energy, weights=weight))
    return float(offset), float(slope)


def _save_figure(spectrum: pl.DataFrame, path: Path, summary: dict[str, Any], *, overwrite: bool) -> None:
    from gammapolars import figures
    from gammapolars.figures.png import png

    data = png(figures.gated(spectrum, title=_title(summary), peaks=summary.get("peaks", ())))
    with complete_or_nothing(path, overwrite=overwrite) as hidden:
        hidden.write_bytes(data)


def parse_backgrounds(texts: Sequence[str]) -> Iterator[tuple[float, float]]:
    """Stretches from `LOW:HIGH`, of which one option can name several, divided by commas."""
    for text in texts:
        for part in text.split(","):
            yield parse_range(part, "--background")
