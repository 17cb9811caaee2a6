"""Lines as a detector sees them that does not resolve all: those of a source that are one peak, as one line."""

import numpy as np
import polars as pl

from gammapolars.core.types import Floats
from gammapolars.gamma_lines import x_rays

TYPICAL = (0.03, 0.045, 0.065, 0.09)
"""FWHM over energy at 662 keV: LaBr₃ and CZT, CsI with photodiodes, NaI, and worse ones."""

ONE_PEAK = 0.9
"""Lines closer than this part of the FWHM are one peak."""

OFF = 0.15
"""How far the centroid of such a peak may lie from the mean photon, in units of the lines' own scatter."""

LEAST_SHARE = 0.03
"""Weaker groups, as a share of the source's strongest, are left out: the continuum hides them."""

LEAST_X_RAY_KEV = 20.0
"""K X-rays below are seldom above the threshold."""


def unresolved(lines: pl.DataFrame, resolution: float) -> pl.DataFrame:
    """The lines of sources as they are seen with a resolution (FWHM over energy at 662 keV), with their K X-rays.

    FWHM is proportional to √E. The nuclides of a chain are taken to be in equilibrium; lines of different sources stay
    apart, for nobody knows how strong these are.

    Args:
        lines: `nuclide`, `parent`, `energy_kev`, `energy_kev_unc`, `intensity`.
        resolution: FWHM over energy at 662 keV.

    Returns:
        The same columns and `calibrate`, in order of energy; a group has the name of its strongest line's nuclide.
    """
    parts = []
    if "parent" not in lines.columns:
        lines = lines.with_columns(parent="nuclide")
    for (source,), own in lines.group_by(["parent"], maintain_order=True):
        gammas = own.select(*_COLUMNS, may_lack=pl.lit(value=False))
        photons = pl.concat([gammas, _x_rays_of(own, str(source))]).sort("energy_kev")
        parts.append(_grouped(photons, resolution))
    return pl.concat(parts).sort("energy_kev")


ROOM = (("K-40", 1460.822, 0.006), ("Tl-208", 2614.511, 0.01))
"""Lines that any scintillator shows after a while."""


def with_room(lines: pl.DataFrame) -> pl.DataFrame:
    """Lines as `unresolved` gives them, and those of the room that none of them covers."""
    rows = [
        {"nuclide": nuclide, "parent": ROOM_NAME, "energy_kev": kev, "energy_kev_unc": unc, "intensity": 10.0}
        for nuclide, kev, unc in ROOM
        if not (abs(lines["energy_kev"] - kev) < 0.05 * kev).any()
    ]
    room = pl.DataFrame(rows, schema={name: lines.schema[name] for name in _COLUMNS})
    return pl.concat([lines, room.with_columns(may_lack=pl.lit(value=True), calibrate=pl.lit(value=True))])


ROOM_NAME = "room"
"""Name of the source of such lines."""

_COLUMNS = ("nuclide", "parent", "energy_kev", "energy_kev_unc", "intensity")


def _x_rays_of(lines: pl.DataFrame, source: str) -> pl.DataFrame:
    """K X-rays of a source that is one nuclide; those of chains are those of their surroundings, too."""
    names = lines["nuclide"].unique().to_list()
    table = x_rays(names if len(names) == 1 else []).filter(pl.col("energy_kev") > LEAST_X_RAY_KEV)
    return table.select(
        "nuclide",
        pl.lit(source).alias("parent"),
        "energy_kev",
        pl.lit(0.05).alias("energy_kev_unc"),
        "intensity",
        pl.lit(value=True).alias("may_lack"),
    )


def _grouped(photons: pl.DataFrame, resolution: float) -> pl.DataFrame:
    """Photons of one source in groups that are one peak."""
    group = _groups(photons["energy_kev"].to_numpy(), photons["intensity"].to_numpy(), resolution)
    frame = photons.with_columns(group=pl.Series(group))
    weight = pl.col("intensity")
    mean = (pl.col("energy_kev") * weight).sum() / weight.sum()
    scatter = ((pl.col("energy_kev") ** 2 * weight).sum() / weight.sum() - mean**2).clip(0.0).sqrt()
    variance = (pl.col("energy_kev_unc") ** 2 * weight).sum() / weight.sum()
    seen = (
        frame.sort("intensity", descending=True)
        .group_by("group", maintain_order=True)
        .agg(
            pl.col("nuclide", "parent").first(),
            energy_kev=mean,
            energy_kev_unc=((scatter * OFF) ** 2 + variance).sqrt(),
            intensity=weight.sum(),
            may_lack=pl.col("may_lack").first(),
        )
        .filter(pl.col("intensity") > LEAST_SHARE * pl.col("intensity").max())
    )
    return seen.select(*_COLUMNS, "may_lack").with_columns(calibrate=pl.lit(value=True))


def _groups(kev: Floats, number: Floats, resolution: float) -> list[int]:
    """The number of each photon's group, in order of energy."""
    groups: list[int] = []
    mean, total = -np.inf, 0.0
    for energy, photons in zip(kev.tolist(), number.tolist(), strict=True):
        if energy - mean < ONE_PEAK * resolution * float(np.sqrt(662.0 * energy)):
            groups.append(groups[-1])
            mean, total = (mean * total + energy * photons) / (total + photons), total + photons
        else:
            groups.append(groups[-1] + 1 if groups else 0)
            mean, total = energy, photons
    return groups
