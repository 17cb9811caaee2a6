"""The IAEA's intercomparison spectrum STRAIGHT (1995): Ra-226, searched and fitted without hints, beside its reference.

The reference is a measurement of 20 times the length, scaled: its areas are known √20 times better than those of the
spectrum can be.
"""

import math
import os
from pathlib import Path

import numpy as np
import polars as pl

import gammapolars as gp
from tests.validation.outcomes import Check, Floats, Outcome

FOLDER = Path(os.environ.get("GAMMAPOLARS_REAL_DATA", "")) / "iaea-1995"

LINE_KEV = (3.545, 0.396467)
"""The calibration, of the spectrum CALIB; channels are numbered from 0."""

TIMES_LONGER = 20.0


def straight() -> pl.DataFrame:
    """The spectrum by channel. Its first two channels hold the real and the live time."""
    counts = np.loadtxt(FOLDER / "STRAIGHT.ASC")
    counts[:2] = 0
    return pl.DataFrame({"adc": np.arange(len(counts), dtype=np.float64), "counts": counts, "variance": counts})


def reference() -> pl.DataFrame:
    """The reference's peaks: `energy_kev`, `energy_kev_unc`, `area`, `area_unc`, `use`, and the expected scatter."""
    names = ["energy_kev", "energy_kev_unc", "area", "area_unc", "use"]
    table = pl.DataFrame(np.loadtxt(FOLDER / "STRAIGHT.REF"), names, orient="row")
    return table.with_columns(expected_unc=pl.col("area_unc") * TIMES_LONGER**0.5)


def intercomparison() -> Outcome:
    """Search, fit and compare.

    Peaks of the reference that lie within 0.6 widths of the same fitted peak are one peak to it: their areas are added.
    Peaks that the reference itself marks as of no use are found or not, but their areas are not compared.
    """
    found = gp.fit_peaks(straight()).with_columns(energy_kev=LINE_KEV[0] + LINE_KEV[1] * pl.col("centroid_adc"))
    known = reference()
    owners = owners_of(known, found)
    strong = (known["area"] > 10 * known["expected_unc"]).to_numpy()
    lines = [
        f"{'keV':>9} {'area':>18} {'sigma':>8} {'reference keV':>16} {'reference area':>18} {'ratio':>7} {'pull':>6}"
    ]
    ratios, uncs, pulls = [], [], []
    false = 0
    for place, peak in enumerate(found.iter_rows(named=True)):
        of_peak = np.flatnonzero(owners == place)
        text = f"{peak['energy_kev']:9.2f} {peak['area']:10.0f} ± {peak['area_unc']:5.0f} {peak['significance']:8.1f}"
        if len(of_peak) == 0:
            is_false = known["energy_kev"][0] - 1 < peak["energy_kev"] and peak["significance"] >= 4
            false += is_false
            lines.append(text + ("  not in the reference" if is_false else "  below the reference's first peak"))
            continue
        rows = known[of_peak]
        area, unc = float(rows["area"].sum()), math.sqrt((rows["area_unc"] ** 2).sum())
        pull = (peak["area"] - area) / np.hypot(peak["area_unc"], unc)
        energies = " + ".join(f"{energy:.2f}" for energy in rows["energy_kev"])
        compared = bool(strong[of_peak].any() and (rows["use"] == 1).all())
        lines.append(
            f"{text} {energies:>16} {area:10.0f} ± {unc:5.0f} {peak['area'] / area:7.3f} {pull:6.2f}"
            + ("" if compared else "  not compared")
        )
        if compared:
            ratios.append(peak["area"] / area)
            uncs.append(np.hypot(peak["area_unc"], unc) / area)
            pulls.append(pull)
    seen = float((strong & (owners >= 0)).sum() / strong.sum())
    weights = 1 / np.square(uncs)
    return Outcome(
        "IAEA 1995, STRAIGHT: all peaks found, beside the reference",
        lines,
        [
            Check(
                f"part found of the {strong.sum()} reference peaks above 10 x their expected uncertainty", seen, 0.98
            ),
            Check("weighted mean ratio of areas", float(np.average(ratios, weights=weights)), 0.995, 1.005),
            Check(f"χ²/n of the {len(pulls)} areas", float(np.mean(np.square(pulls))), high=1.3),
            Check("peaks above 4 sigma that the reference has not", false, high=5),
        ],
    )


def owners_of(known: pl.DataFrame, found: pl.DataFrame) -> Floats:
    """For each peak of the reference the fitted peak that it belongs to, or -1."""
    energies = found["energy_kev"].to_numpy()
    widths = found["fwhm_adc"].to_numpy() * LINE_KEV[1]
    owners = np.full(known.height, -1)
    for place, (energy, unc) in enumerate(known.select("energy_kev", "energy_kev_unc").iter_rows()):
        nearest = int(np.argmin(np.abs(energies - energy)))
        # The reference's own energies rise against the calibration by up to 1 keV.
        if abs(energies[nearest] - energy) < 0.6 * widths[nearest] + unc:
            owners[place] = nearest
    return owners
