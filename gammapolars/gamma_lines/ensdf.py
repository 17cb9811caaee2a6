"""Which photons of a nuclide leave the same decay: cascades from ENSDF, through the optional package paceENSDF.

paceENSDF (A. M. Hurst et al., LBNL and UC Berkeley) holds, for each decay data set of ENSDF, a JSON file of γγ
coincidences. Its own interface reads thousands of them; here only the nuclide's are opened, and the package itself,
which needs pandas, is never imported.
"""

import json
import math
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from gammapolars.core.constants import ANNIHILATION_KEV
from gammapolars.core.errors import InputError
from gammapolars.core.schema import DType, floats
from gammapolars.core.types import Floats
from gammapolars.gamma_lines.table import Branch, members, nuclide_name, nuclides

_FILE = re.compile(r"j_gg_([A-Z][a-z]?)(\d+)_(\d+)keV_([gmu])_[A-Z][a-z]?\d+_Z\d+\.json")

_NUMBER = rb"([0-9.]+(?:[eE][-+]?[0-9]+)?)"
_PAIR = re.compile(rb'"gammaEnergyGate":\s*' + _NUMBER + rb',\s*"gammaEnergyCoincidence":\s*' + _NUMBER)
_PHOTON = re.compile(rb'"gammaEnergy":\s*' + _NUMBER)
"""Where photons are in the files; reading everything around them takes ten times as long."""

POSITRONS = b"electronCaptureBetaPlusDecay"

SAME_LINE_KEV = 0.5
"""How far the energies of one line may differ between the table of gamma lines and ENSDF."""

NOTABLE = 0.1
"""Coincidences per 100 decays: rarer ones are not shown, and name no peak, without being asked for."""

CORRECTIONS = {("I-126", "Te-126"): 100 / 0.527, ("I-126", "Xe-126"): 1 / 0.473, ("Nb-95m", "Mo-95"): 2.296 / 0.9548}
"""Factors for photons of paceENSDF where they contradict the feeding of the levels, by nuclide and
daughter: for I-126 they are per 1 or 100 decays of both branches already, for Nb-95m less than ENSDF itself has."""

_COLUMNS: dict[str, DType] = {
    "nuclide": pl.String,
    "daughter": pl.String,
    **floats("energy_kev_x", "energy_kev_y", "coincidences", "coincidences_unc", "half_life_s"),
}


class _Cascade(NamedTuple):
    """A row of the result."""

    nuclide: str
    daughter: str
    energy_kev_x: float
    energy_kev_y: float
    coincidences: float
    coincidences_unc: float
    half_life_s: float | None


def cascades(nuclide: str, *, least_coincidences: float = 0.0) -> pl.DataFrame:
    """Pairs of photons that one decay of a nuclide emits, from the ENSDF of paceENSDF.

    A head of a chain that `gp.lines` knows gives the pairs of all its members, per decay of the head. Positrons count
    as two photons of 511 keV: one pair 511–511 each, and two pairs with every photon that follows them. Efficiencies,
    a pair's angular correlation and the back-to-back annihilation are not in these numbers, nor X-rays.

    Args:
        nuclide: any of ENSDF, such as `Co-60` or `Ag-110m` (the lowest isomer; `m2` is the next).
        least_coincidences: leave out pairs with fewer coincidences per 100 decays.

    Returns:
        `nuclide` and `daughter`; `energy_kev_x` ≤ `energy_kev_y`, keV as ENSDF has them; `coincidences` per 100 decays
        with `coincidences_unc`, which leaves out the part that all those of a decay share; `half_life_s`, the longest
        half-life of a level between the two photons, in seconds: a window must be longer to hold the pair. Null: not
        known, or after a positron. The most frequent first.

    Raises:
        InputError: paceENSDF is not installed.
        UsageError: ENSDF has no such nuclide, or no gamma rays of it.
    """
    name = canonical(nuclide)
    decays = _decays()
    chain = members(name) if name in nuclides() else {name: Branch(1.0, 0.0)}
    rows = [
        cascade._replace(
            coincidences=cascade.coincidences * branch.ratio,
            coincidences_unc=math.hypot(
                cascade.coincidences_unc * branch.ratio, cascade.coincidences * branch.ratio_unc
            ),
        )
        for member, branch in chain.items()
        for path in decays.get(member, ())
        for cascade in _read(member, path)
    ]
    return (
        pl.DataFrame(rows, schema=_COLUMNS, orient="row")
        .filter(pl.col("coincidences") > 0, pl.col("coincidences") >= least_coincidences)
        .sort("coincidences", "energy_kev_x", "energy_kev_y", descending=[True, False, False])
    )


def canonical(nuclide: str) -> str:
    """The name of a nuclide that `cascades` knows.

    Raises:
        InputError: paceENSDF is not installed.
        UsageError: ENSDF has no such nuclide, or no gamma rays of it.
    """
    return nuclide_name(nuclide, _names(), where="ENSDF with gamma rays in paceENSDF")


@cache
def _names() -> frozenset[str]:
    return frozenset({*_decays(), *nuclides()})


@cache
def photon_pairs(nuclide: str) -> Floats:
    """The energies (keV) of the two photons of all cascades of a nuclide, in either order: (n, 2), quickly.

    Where a decay emits positrons, 511 keV is paired with each of its photons; not all of these are cascades.

    Args:
        nuclide: as `canonical` gives it.

    Raises:
        InputError: paceENSDF is not installed.
    """
    pairs = [np.empty((0, 2))]
    for member in members(nuclide) if nuclide in nuclides() else (nuclide,):
        for path in _decays().get(member, ()):
            data = path.read_bytes()
            pairs.append(np.array(_PAIR.findall(data), np.float64).reshape(-1, 2))
            if POSITRONS in data:
                photons = np.unique(np.array([*_PHOTON.findall(data), ANNIHILATION_KEV], np.float64))
                pairs.append(np.stack([np.full_like(photons, ANNIHILATION_KEV), photons], axis=1))
    return np.concatenate(pairs)


def in_cascade(nuclide: str, energy_kev_x: float, energy_kev_y: float) -> bool:
    """Whether two lines of a nuclide are known to leave the same decay; no, where paceENSDF is not installed."""
    try:
        table = cascades(nuclide, least_coincidences=NOTABLE)
    except InputError:
        return False
    x, y = sorted((energy_kev_x, energy_kev_y))
    near_x = (pl.col("energy_kev_x") - x).abs() < SAME_LINE_KEV
    near_y = (pl.col("energy_kev_y") - y).abs() < SAME_LINE_KEV
    return not table.filter(near_x, near_y).is_empty()


def _home() -> Path:
    """The folder of paceENSDF, found without importing it."""
    spec = find_spec("paceENSDF")
    home = Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None
    if home is None or not (home / "PACE_JSON").is_dir():
        raise InputError("cascades need the nuclear data of paceENSDF: pip install 'gammapolars[nuclear]'")
    return home


@cache
def _decays() -> dict[str, tuple[Path, ...]]:
    """The files of γγ coincidences by nuclide, one a daughter; isomers are numbered by energy, unknown ones last."""
    ground: dict[str, list[Path]] = {}
    isomers: dict[str, dict[tuple[str, int], list[Path]]] = {}
    for path in sorted((_home() / "PACE_JSON").iterdir()):
        if match := _FILE.fullmatch(path.name):
            name = f"{match[1]}-{match[2]}"
            if match[4] == "g":
                ground.setdefault(name, []).append(path)
            else:
                isomers.setdefault(name, {}).setdefault((match[4], int(match[3])), []).append(path)
    files = {name: tuple(paths) for name, paths in ground.items()}
    for name, levels in isomers.items():
        for number, (_, paths) in enumerate(sorted(levels.items()), start=1):
            files[f"{name}m{number if number > 1 else ''}"] = tuple(paths)
    return files


def _read(nuclide: str, path: Path) -> list[_Cascade]:
    """All cascades of one decay: parent to one daughter."""
    decay = json.loads(path.read_bytes())
    daughter = daughter_of(decay)
    factor = CORRECTIONS.get((nuclide, daughter), 1.0)
    half_lives = {row["levelIndexInitial"]: row["levelHalfLifeConverted"] for row in decay["decaySingles"]}
    rows = []
    for row in decay["decayCoincidences"]:
        paths = (entry["indexedTransitionSequence"] for entry in row["coincidenceCascadeSequences"])
        between = [half_lives.get(level) for levels in paths for level in levels[1:-1]]
        x, y = sorted((row["gammaEnergyGate"], row["gammaEnergyCoincidence"]))
        rows.append(
            _Cascade(
                nuclide,
                daughter,
                x,
                y,
                factor * row["absoluteCoincidenceIntensity"],
                factor * row["dAbsoluteCoincidenceIntensity"],
                max((half_life for half_life in between if half_life is not None), default=None),
            )
        )
    if decay["decayMode"] == POSITRONS.decode():
        rows += _annihilation(nuclide, daughter, decay)
    return rows


def daughter_of(decay: dict[str, Any]) -> str:
    """The product of a decay, such as Xe-126."""
    return re.sub(r"(\D+)(\d+)", r"\1-\2", decay["daughterID"])


def _annihilation(nuclide: str, daughter: str, decay: dict[str, Any]) -> list[_Cascade]:
    """Pairs with the two photons of a positron: each with the other, and with the photons of the level fed."""
    positrons = _positrons(decay)
    total = sum(number for number, _ in positrons.values())
    if not total:
        return []
    total_unc = math.hypot(*(unc for _, unc in positrons.values()))
    rows = [_Cascade(nuclide, daughter, ANNIHILATION_KEV, ANNIHILATION_KEV, total, total_unc, None)]
    # From the top: positrons that pass each level, and with which uncertainty (that of their feeding).
    passing: dict[int, tuple[float, float]] = dict(positrons)
    for row in sorted(decay["normalizedBranchingRatios"], key=lambda row: row["levelIndexInitial"], reverse=True):
        number, unc = passing.get(row["levelIndexInitial"], (0.0, 0.0))
        if not number:
            continue
        below = passing.get(row["levelIndexFinal"], (0.0, 0.0))
        share = row["totalTransitionBR"]
        passing[row["levelIndexFinal"]] = (below[0] + number * share, math.hypot(below[1], unc * share))
        x, y = sorted((ANNIHILATION_KEV, row["gammaEnergy"]))
        photons = 2 * row["gammaBR"]
        rows.append(_Cascade(nuclide, daughter, x, y, photons * number, photons * unc, None))
    return rows


def _positrons(decay: dict[str, Any]) -> dict[int, tuple[float, float]]:
    """Positrons per 100 decays, with uncertainty, by the level that they feed."""
    folder = _home() / "ENSDF_JSON"
    for path in folder.glob(f"j_input_{decay['parentID']}_{decay['daughterID']}_*.json"):
        scheme = json.loads(path.read_bytes())
        if scheme["decayIndex"] != decay["decayIndex"] or scheme["decayMode"] != decay["decayMode"]:
            continue
        record = scheme["decaySchemeNormalization"][0]["normalizationRecord"][0]
        factor = (record["multiplerLeptonIntensity"] or 1.0) * (record["multiplerBranchingRatio"] or 1.0)
        return {
            level["levelIndex"]: (row["betaPlusIntensity"] * factor, (row["dBetaPlusIntensity"] or 0.0) * factor)
            for level in scheme["levelScheme"]
            for row in level.get("betaPlusDecay", ())
            if row["betaPlusIntensity"]
        }
    return {}
