"""Make the table of half-lives: `python -m tests.gamma_lines.make_half_lives`.

They are those of ENSDF, as the package paceENSDF (`gammapolars[nuclear]`) holds it, of the nuclides in the table of
gamma lines and of some that emit none; where several data sets have one, the most precise. The package reckons years of
365 days, so that its seconds are not used, but the numbers in their own units.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from gammapolars.gamma_lines import ensdf, table
from gammapolars.gamma_lines.half_lives import SECONDS
from tests.gamma_lines.make_table import HOME, ISOMERS, _scheme

ENSDF, DDEP, NUBASE = "ENSDF 2023", "DDEP", "NUBASE 2020"

SAME_LEVEL_KEV = 0.4

EVALUATED = {
    "Ba-133": (10.540, 0.006, "y", DDEP),
    "I-131": (8.0233, 0.0019, "d", DDEP),
    "Cs-137": (30.05, 0.08, "y", DDEP),
    "Eu-152": (13.522, 0.016, "y", DDEP),
    "Br-80m": (4.4205, 0.0008, "h", NUBASE),
    "Ru-97": (2.8370, 0.0014, "d", NUBASE),
    "Rh-101": (4.07, 0.05, "y", NUBASE),
    "Rh-102": (207.0, 1.5, "d", NUBASE),
    "Sn-117m": (13.939, 0.024, "d", NUBASE),
    "Xe-129m": (8.88, 0.02, "d", NUBASE),
    "Te-131m": (32.48, 0.11, "h", NUBASE),
    "Cs-134m": (2.912, 0.002, "h", NUBASE),
    "Ba-135m": (28.11, 0.02, "h", NUBASE),
    "Hf-178m2": (31.0, 1.0, "y", NUBASE),
    "Hf-179m2": (25.00, 0.17, "d", NUBASE),
    "Hg-199m": (42.67, 0.09, "min", NUBASE),
}
"""Of other evaluations, where ENSDF lags behind, gives too small an uncertainty or an enormous one; and of isomers that
paceENSDF has no decay of."""

LEVELS = {
    **ISOMERS,
    "Tc-97m": 96.5, "Cd-113m": 263.6, "Te-125m": 144.8, "Ba-137m": 661.66, "Pt-195m": 259.3, "Pb-204m": 2185.7,
    "Te-123m": 247.5, "Tc-99m": 142.68, "Sn-117m": 314.6, "Cd-111m": 396.2,
}  # fmt: skip
"""Levels (keV) of isomers that decay within their nuclide."""

FURTHER = ("Sr-90", "Y-90", "Ge-68", "Ba-137m", "P-32", "Ni-63", "Pm-147", "Tl-204", "Pu-241", "Cm-242", "Cf-252")
"""Nuclides that the table of gamma lines does not name."""


class HalfLife(NamedTuple):
    """A half-life and its uncertainty in a unit."""

    value: float
    unc: float
    unit: str


Levels = dict[str, list[tuple[float | str, "HalfLife"]]]
"""Levels that decay (keV, or as `73.92+X`), and their half-lives, by nuclide (Co60)."""


@cache
def _of_parents_and_levels() -> tuple[Levels, Levels]:
    """What decays in the data sets, and the levels that they feed."""
    parents: Levels = defaultdict(list)
    levels: Levels = defaultdict(list)
    for path in sorted((ensdf._home() / "ENSDF_JSON").iterdir()):
        scheme = json.loads(path.read_bytes())
        for parent in scheme["parentDecay"]:
            parents[scheme["parentID"]] += _read(parent["parentDecayLevelEnergy"], parent["halfLife"])
        for level in scheme["levelScheme"]:
            levels[scheme["daughterID"]] += _read(level["levelEnergy"], level["isomerDecay"])
    return parents, levels


def _read(level: float | str, entries: list[dict[str, Any]]) -> Iterator[tuple[float | str, HalfLife]]:
    """Half-lives with an uncertainty, in units of time."""
    for one in entries:
        value, unc, unit = one["halfLifeBest"], one["dHalfLifeBest"], one["unitHalfLifeBest"]
        if isinstance(value, int | float) and isinstance(unc, int | float) and unit in SECONDS and value > unc > 0:
            yield level, HalfLife(float(value), float(unc), str(unit))


def _level(nuclide: str) -> float | str:
    """The level that a nuclide decays from, as in `Levels`."""
    if nuclide in LEVELS:
        return LEVELS[nuclide]
    if "m" not in nuclide:
        return 0.0
    decay = json.loads(ensdf._decays()[nuclide][0].read_bytes())
    level: float | str = _scheme(decay)["parentDecay"][0]["parentDecayLevelEnergy"]
    return level


def _is_same(one: float | str, other: float | str) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return abs(one - other) < (SAME_LEVEL_KEV if other else 1e-9)


def half_life(nuclide: str) -> HalfLife | None:
    """The most precise of ENSDF's half-lives, of those of what decays before those of levels that decays feed."""
    name, level = re.sub(r"-(\d+).*", r"\1", nuclide), _level(nuclide)
    for source in _of_parents_and_levels():
        if lives := [life for kev, life in source.get(name, ()) if _is_same(kev, level)]:
            return min(lives, key=lambda life: life.unc / life.value)
    return None


def half_lives_text() -> str:
    """The table, by mass number and name."""
    rows = []
    for nuclide in sorted({*table.nuclides(), *FURTHER}, key=table.mass_and_name):
        found = EVALUATED.get(nuclide) or half_life(nuclide)
        if found is not None:
            value, unc, unit, *source = found
            rows.append(f"{nuclide},{value:.12g},{unc:.12g},{unit},{source[0] if source else ENSDF}")
    return "\n".join(["nuclide,half_life,half_life_unc,unit,source", *rows]) + "\n"


def main() -> None:
    """Write the table into the package."""
    text = half_lives_text()
    (HOME / "half_lives.csv").write_text(text, encoding="utf-8")
    print(f"{text.count(chr(10)) - 1} half-lives")


if __name__ == "__main__":
    main()
