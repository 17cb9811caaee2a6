"""Gamma lines and cascades for people: the text that `gammapolars lines` prints."""

from typing import Any

import polars as pl

from gammapolars.commands.layout import bracketed, table
from gammapolars.commands.lines.run import LinesSummary
from gammapolars.core.digits import counted
from gammapolars.gamma_lines import ANNIHILATION


def text(summary: LinesSummary) -> list[str]:
    """Whatever was asked for."""
    if summary.cascades is not None:
        return _cascades(summary.nuclide or "", summary.cascades, summary.least or 0.0)
    if summary.lines is None:
        return _names(summary.nuclides or ())
    if summary.energy_kev is None:
        return _of_nuclide(summary.nuclide or "", summary.lines)
    return _near(summary.energy_kev, summary.within_kev or 0.0, summary.lines)


def _of_nuclide(name: str, lines: pl.DataFrame) -> list[str]:
    """The lines of a nuclide, or of a chain in equilibrium, by name."""
    chain = lines["normalisation"].str.ends_with(f"{name} in equilibrium").all() and lines["nuclide"].n_unique() > 1
    per = f"{name} in equilibrium with its chain" if chain else name
    if lines.is_empty():
        return [f"{name}: no gamma line is that intense"]
    head = f"{name}: {counted(lines.height, 'gamma line')}, photons per 100 decays of {per}"
    return [head, *_line_table(lines), *_notes(lines)]


def _near(energy_kev: float, within_kev: float, lines: pl.DataFrame) -> list[str]:
    """The lines near an energy."""
    if lines.is_empty():
        return [f"the table has no gamma line within {within_kev:g} keV of {energy_kev:g} keV"]
    head = f"{counted(lines.height, 'gamma line')} within {within_kev:g} keV of {energy_kev:g} keV, nearest first"
    return [head, *_line_table(lines), *_notes(lines)]


def _names(nuclides: tuple[str, ...]) -> list[str]:
    """The nuclides of the table, in lines that fit a terminal."""
    rows = [nuclides[start : start + 8] for start in range(0, len(nuclides), 8)]
    return [
        "nuclides and parents of decay chains with gamma lines (listed by gammapolars lines NUCLIDE):",
        *("  " + "".join(name.ljust(9) for name in row).rstrip() for row in rows),
    ]


def _cascades(nuclide: str, pairs: pl.DataFrame, least_coincidences: float) -> list[str]:
    """The cascades of a nuclide."""
    if pairs.is_empty():
        return [f"{nuclide}: no two photons are emitted together in {least_coincidences:g} or more of 100 decays"]
    numbers = _aligned([bracketed(*row) for row in pairs.select("coincidences", "coincidences_unc").rows()])
    rows = [
        [
            f"{row['nuclide']} to {row['daughter']}",
            f"{row['energy_kev_x']:.2f} – {row['energy_kev_y']:7.2f}",
            number,
            "" if row["half_life_s"] is None else _half_life(row["half_life_s"]),
        ]
        for row, number in zip(pairs.iter_rows(named=True), numbers, strict=True)
    ]
    return [
        f"{nuclide}: {counted(pairs.height, 'pair')} of photons from the same decay",
        *table(["decay", "keV", "per 100 decays", "half-life of level"], rows),
    ]


def _line_table(lines: pl.DataFrame) -> list[str]:
    energies = _aligned([bracketed(*row) for row in lines.select("energy_kev", "energy_kev_unc").rows()])
    numbers = _aligned([bracketed(*row) for row in lines.select("intensity", "intensity_unc").rows()])
    rows = []
    for row, energy, number in zip(lines.iter_rows(named=True), energies, numbers, strict=True):
        away = [f"{row['distance_kev']:+.2f}"] if "distance_kev" in row else []
        chain = f" ({row['parent']})" if away and row["parent"] != row["nuclide"] else ""
        rows.append([row["nuclide"] + chain, *away, energy, number, _remark(row)])
    width = max((len(row[-1]) for row in rows), default=0)
    rows = [[*row[:-1], row[-1].ljust(width)] for row in rows]
    away = ["away"] if "distance_kev" in lines.columns else []
    return table(["nuclide", *away, "keV", "per 100 decays", ""], rows)


def _remark(row: dict[str, Any]) -> str:
    if row["doublet"]:
        return "doublet"
    if row["normalisation"] == ANNIHILATION:
        return ANNIHILATION
    if not row["calibrate"]:
        return "not for calibrations"
    return f"position uncertain by {row['spread_kev']:g} keV" if row["spread_kev"] else ""


def _notes(lines: pl.DataFrame) -> list[str]:
    notes = []
    if lines["doublet"].any():
        notes.append("doublet: unresolved from another line; not used for calibrations")
    notes.append("sources: " + "; ".join(lines["source"].unique().sort()))
    return notes


def _aligned(texts: list[str]) -> list[str]:
    """Numbers one below the other by their decimal points."""
    parts = [(before, point + after) for before, point, after in (text.partition(".") for text in texts)]
    widest = [max((len(part[place]) for part in parts), default=0) for place in (0, 1)]
    return [before.rjust(widest[0]) + after.ljust(widest[1]) for before, after in parts]


def _half_life(seconds: float) -> str:
    """In the largest unit that leaves a number of 1 or more: `1.396 ns`."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9), ("ps", 1e-12)):
        if seconds >= size:
            return f"{seconds / size:.4g} {unit}"
    return f"{seconds / 1e-15:.4g} fs"
