"""Counts: what `spectrum`, `matrix` and the side outputs of `coincidences` write."""

from collections.abc import Iterable
from typing import Any

import polars as pl

from tests.brute import (
    Row,
    binned,
    calibrated,
    dithered_adc,
    dithered_energy,
    energy,
    matrix_cells,
    polynomial,
    shared,
    used,
)
from tests.fuzz.outcomes import Wrong
from tests.hits import coincident, key_of
from tests.oracle.pairs import expected_weighted, half_width, preselection, random_windows, reject
from tests.oracle.trial import Refusal, Trial, same_bins

KEV = (0.5, 1.0, 2.0, 3.0, 10.0)

Cell = tuple[Any, ...]


def check_spectra(trial: Trial) -> None:
    """Spectra by detector, by channel or in bins of energy, and by slice of time."""
    rng, recording = trial.rng, trial.recording
    words, mask = reject(rng)
    in_kev = any(one.energy for one in recording.detectors.values()) or recording.has_energies
    width = rng.choice(KEV) if in_kev and rng.random() < 0.7 else None
    if width:
        words += ["--bin-kev", f"{width:g}"]
    elif recording.has_energies:
        words += ["--unit", "adc"]
    slice_ps = None
    if rng.random() < 0.4 and recording.clockwork != "holes":
        slice_ps = rng.choice((1, 7, 40_000, 10**6, 10**12))
        words += ["--slice", f"{slice_ps}ps"]
    found = trial.output("spectrum", *words)
    hits = used(recording.recorded, mask)
    # Where only one run has hits, nothing is to be told apart.
    runs = [hit["run"] if "run" in found.columns else None for hit in hits]
    prefix = [(run, hit["timestamp_ps"] // slice_ps) if slice_ps else () for run, hit in zip(runs, hits, strict=True)]
    if slice_ps and len(set(runs)) < len({hit["run"] for hit in hits}):
        raise Wrong("slices of several runs in one")
    rows: list[tuple[Cell, float]] = []
    for hit, of_slice in zip(hits, prefix, strict=True):
        key = (*of_slice, *key_of(hit))
        rows += [((*key, *cell), share) for cell, share in _shares(trial, hit, width)]
    expected = {cell: (counts, counts) for cell, (counts, _) in binned(rows).items()}
    keys = [*(["run", "time_slice"] if slice_ps else []), "board", "channel"]
    same_bins(f"spectra, {' '.join(map(str, words))}", _spectrum_cells(found, keys, width), expected)


def _shares(trial: Trial, hit: Row, width: float | None) -> list[tuple[Cell, float]]:
    """In which bins a hit counts, and how much: by its energy, where it has one and bins are wanted, or by its adc."""
    recording = trial.recording
    by_adc = [(("adc", hit["adc"]), 1.0)]
    if width is None:
        return by_adc
    if recording.has_energies:
        value = dithered_energy(hit, recording.detectors)
        return by_adc if value is None else [(("keV", value // width), 1.0)]
    detector = recording.detectors.get(key_of(hit))
    if detector is None or detector.energy is None:
        return by_adc
    low, high = (energy(hit, recording.detectors, hit["adc"] + edge) for edge in (-0.5, 0.5))
    assert low is not None
    assert high is not None
    return [(("keV", number), share) for number, share in shared(low, high, width)]


def _spectrum_cells(table: pl.DataFrame, keys: list[str], width: float | None) -> dict[Cell, tuple[float, float]]:
    """Bins by their keys and numbers."""
    cells: dict[Cell, tuple[float, float]] = {}
    for row in table.iter_rows(named=True):
        key = tuple(row.get(name) for name in keys)
        adc = row.get("adc")
        if width is None or adc is not None:
            bin_: Cell = ("adc", adc)
        else:
            bin_ = ("keV", round(row["energy_kev"] / width - 0.5))
        cells[*key, *bin_] = (row["counts"], row["variance"])
    return cells


def check_energies_of_channels(trial: Trial) -> None:
    """Where each channel is a bin, its energy stands beside it."""
    recording = trial.recording
    if recording.has_energies or not any(one.energy for one in recording.detectors.values()):
        return
    for row in trial.output("spectrum").iter_rows(named=True):
        known = recording.detectors.get((row["board"], row["channel"]))
        right = polynomial(known.energy, row["adc"]) if known and known.energy else None
        cell = (row["board"], row["channel"], row["adc"])
        same_bins("energies of channels", {cell: (row["energy_kev"] or 0, 0)}, {cell: (right or 0, 0)})


def check_matrix(trial: Trial) -> None:
    """Matrices of energies or channels of all pairs, net of chance with random windows; and of other axes."""
    rng, recording = trial.rng, trial.recording
    words, mask = reject(rng)
    hits = calibrated(recording.aligned, recording.detectors)
    half = max(half_width(trial), 1)
    in_kev = any(one.energy for one in recording.detectors.values()) or recording.has_energies
    quantity = "energy" if in_kev else "adc"
    width = rng.choice(KEV) if in_kev else rng.choice((1.0, 4.0, 16.0))
    words += ["--window", f"{half}ps"]
    if rng.random() < 0.4:
        _check_axes(trial, words, mask, half, quantity, width)
        return
    words += ["--bin-kev" if in_kev else "--bin-adc", f"{width:g}"]
    if rng.random() < 0.4:
        beside = random_windows(rng, (-half, half), signed=False)
        words += [word for low, high in beside for word in ("--random", f"{low}ps:{high}ps")]
        weighted = expected_weighted(hits, (-half, half), beside, None, mask)
        try:
            found = trial.output("matrix", *words)
        except Refusal as refusal:
            if weighted is None and "narrower than the clock step" in str(refusal):
                return
            raise
        pairs = [(pair.a, pair.b, pair.weight) for pair in weighted or ()]
    else:
        found = trial.output("matrix", *words)
        pairs = [(a, b, 1.0) for a, b, _ in coincident(hits, (-half, half), mask=mask)]
    value = _value(trial, quantity)
    ordered = [(a, b, weight) if key_of(a) < key_of(b) else (b, a, weight) for a, b, weight in pairs]
    # Channels of only two detectors stand against each other: those of the lower one on x.
    against = quantity == "adc" and len({(key_of(a), key_of(b)) for a, b, _ in ordered}) == 1
    rows = ((value(a), value(b), weight) for a, b, weight in ordered)
    same_bins(
        f"matrix, {' '.join(map(str, words))}",
        _matrix_cells(found, (width, width)),
        matrix_cells(rows, (width, width), symmetric=not against),
    )


def _value(trial: Trial, quantity: str, *, sums: bool = False) -> Any:
    detectors = trial.recording.detectors
    if quantity == "adc":
        return dithered_adc
    if not any(one.energy for one in detectors.values()):
        return lambda hit: hit["energy_kev"]
    return lambda hit: dithered_energy(hit, detectors, sums=sums)


def _check_axes(trial: Trial, words: list[str], mask: int, half: int, quantity: str, width: float) -> None:
    """A matrix that is not symmetric: of dt and energy, of chosen detectors, or of time."""
    rng, recording = trial.rng, trial.recording
    value = _value(trial, quantity)
    if rng.random() < 0.3 and recording.clockwork != "holes":
        words += ["--axes", f"{quantity}:time", "--bin-x", f"{width:g}", "--bin-y", "0.5"]
        found = trial.output("matrix", *words)
        rows = [
            (value(hit), hit["timestamp_ps"] / 10**12, 1.0)
            for hit in used(calibrated(recording.recorded, recording.detectors), mask)
        ]
        expected = matrix_cells(rows, (width, 0.5))
        same_bins(f"matrix, {' '.join(words)}", _matrix_cells(found, (width, 0.5)), expected)
        return
    bin_ps = max(half // 10, 1)
    words += ["--axes", f"dt:{quantity}", "--bin-x", f"{bin_ps}", "--bin-y", f"{width:g}"]
    found = trial.output("matrix", *words)
    hits = calibrated(recording.aligned, recording.detectors)
    pairs: Iterable[tuple[Row, Row, int]] = coincident(hits, (-half, half), mask=mask)
    # The lower detector's hit is x.
    ordered = [(a, b, dt) if key_of(a) < key_of(b) else (b, a, -dt) for a, b, dt in pairs]
    cells = matrix_cells(
        ((float(dt), value(y), 1.0) for _, y, dt in ordered), (float(bin_ps), width), centred=(True, False)
    )
    same_bins(f"matrix, {' '.join(words)}", _matrix_cells(found, (float(bin_ps), width), centred=(True, False)), cells)


def _matrix_cells(
    table: pl.DataFrame, widths: tuple[float, float], *, centred: tuple[bool, bool] = (False, False)
) -> dict[tuple[int, int], tuple[float, float]]:
    x, y = (next(name for name in table.columns if name.endswith(f"_{side}")) for side in "xy")

    def number(centre: float, axis: int) -> int:
        return round(centre / widths[axis] - (0 if centred[axis] else 0.5))

    return {
        (number(row[x], 0), number(row[y], 1)): (row["counts"], row["variance"]) for row in table.iter_rows(named=True)
    }


def check_side_outputs(trial: Trial) -> None:
    """The matrix and the spectra that `coincidences` writes in the same pass, of what add-back and vetoes leave."""
    rng, recording = trial.rng, trial.recording
    if not any(one.energy for one in recording.detectors.values()):
        return
    options, hits = preselection(trial)
    words, mask = reject(rng)
    half, width = half_width(trial), rng.choice(KEV)
    side = trial.folder / "side.parquet"
    words += ["--window", f"{half}ps", "--matrix", str(side), "--bin-kev", f"{width:g}"]
    trial.output("coincidences", *words, *options)
    value = _value(trial, "energy", sums="--add-back" in options)
    rows = ((value(a), value(b), 1.0) for a, b, _ in coincident(hits, (-half, half), mask=mask))
    same_bins(
        f"matrix beside pairs, {' '.join(map(str, (*words, *options)))}",
        _matrix_cells(pl.read_parquet(side), (width, width)),
        matrix_cells(rows, (width, width), symmetric=True),
    )
