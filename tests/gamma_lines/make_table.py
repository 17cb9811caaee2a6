"""Make the table of gamma lines and that of K X-rays: `python -m tests.gamma_lines.make_table`.

Rows of nuclides that are not named here stay as they are: they were put together by hand from evaluations. All others
are made from ENSDF as the package paceENSDF holds it (`gammapolars[nuclear]`), by the rules of README.md next to the
tables. Run twice, it changes nothing; a test makes the rows anew and compares.
"""

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from gammapolars.core.constants import ANNIHILATION_KEV
from gammapolars.gamma_lines import ensdf, table

HOME = Path(str(files("gammapolars.gamma_lines")))

FROM_ENSDF = tuple(
    """
Be-7 C-11 N-13 O-15 N-16 F-18 Mg-27 Al-26 Al-28 S-37 Cl-38 Ar-41 K-42 K-43 Ca-47 Ca-49 Sc-43 Sc-44 Sc-46 Sc-47 Sc-48
Ti-44 Ti-51 V-48 V-52 Cr-51 Mn-52 Mn-56 Fe-59 Co-55 Ni-57 Ni-65 Cu-61 Cu-64 Cu-66 Cu-67 Zn-62 Ga-66 Ga-67 Ga-68 Ga-72
Ge-75 Ge-77 As-72 As-74 As-76 Br-76 Br-77 Br-80 Br-82 Kr-85 Kr-85m Kr-87 Kr-88 Rb-81 Rb-82 Rb-83 Rb-84 Rb-86 Rb-88
Rb-89 Sr-85 Sr-91 Sr-92 Y-86 Y-87 Y-91 Y-92 Y-93 Zr-88 Zr-89 Zr-95 Zr-97 Nb-92m Nb-94 Nb-95 Nb-96 Nb-97 Mo-99 Mo-101
Tc-95m Tc-96 Tc-101 Ru-97 Ru-103 Ru-105 Rh-101 Rh-102 Rh-102m Rh-105 Rh-106 Pd-103 Pd-109 Ag-106m Ag-108m Ag-111
Cd-115 In-114m In-116m Sn-126 Sb-122 Sb-124 Sb-126 Sb-127 Te-121 Te-131m Te-132 I-123 I-124 I-125 I-126 I-128 I-129
I-130 I-132 I-133 I-134 I-135 Xe-127 Xe-133 Xe-135 Xe-138 Cs-129 Cs-132 Cs-136 Cs-138 Ba-131 Ba-139 Ba-140 Ba-141
La-140 La-142 Ce-141 Ce-143 Ce-144 Pr-142 Pr-144 Nd-147 Pm-144 Pm-146 Pm-148m Pm-149 Pm-151 Sm-153 Eu-150 Eu-152m
Eu-155 Eu-156 Gd-153 Gd-159 Tb-152 Tb-155 Tb-160 Tb-161 Dy-165 Ho-166 Ho-166m Er-171 Tm-170 Yb-169 Yb-175 Lu-172
Lu-177 Lu-177m Hf-172 Hf-175 Ta-182 Ta-183 W-187 Re-186 Re-188 Os-185 Os-191 Ir-194 Pt-191 Au-194 Au-195 Au-196 Au-198
Au-199 Hg-197 Tl-201 Tl-202 Tl-207 Tl-209 Pb-203 Pb-211 Bi-206 Bi-211 Bi-213 Rn-219 Fr-221 Ra-223 Ra-225 Ac-225 Th-227
Th-229 Th-231 Pa-231 Pa-233 U-232 U-233 U-234 U-237 Np-237 Np-238 Np-239 Pu-238 Pu-239 Pu-240 Am-243 Cm-243 Cm-244
Cm-245 Cf-249 Cf-251 Nb-95m Te-129m Te-129 Sc-44m Mn-52m Zr-89m Rh-101m Cd-115m In-117m Sn-121m Sn-123m Te-119m
Te-121m Te-127m Te-133m Ce-137m Lu-174m Lu-176m Re-184m Hg-195m Hg-197m Pt-197m
""".split()  # noqa: SIM905 (a list of words is easier to read and to add to)
)
"""Calibration, medical, natural, activation and fission: nuclides whose gamma rays somebody meets."""

ISOMERS = {
    "Kr-81m": 190.6, "Sr-87m": 388.5, "Y-91m": 555.6, "Nb-95m": 235.7, "Cd-111m": 396.2, "In-113m": 391.7,
    "In-115m": 336.2, "Tc-99m": 140.5, "Sn-117m": 314.6, "Te-129m": 105.5, "Xe-131m": 163.9, "Xe-133m": 233.2,
    "Xe-135m": 526.6, "Kr-85m": 304.9, "Mn-52m": 377.7, "Y-87m": 380.8, "Zr-89m": 588.0,
    "Rh-101m": 157.4, "Rh-103m": 39.75, "In-111m": 537.0, "Sn-113m": 77.4, "In-117m": 315.3, "Sn-119m": 89.5,
    "Te-123m": 159.0, "Te-133m": 334.3, "Ba-135m": 268.2, "Pt-197m": 399.6,
}  # fmt: skip
"""Levels (keV) of isomers that decay within their nuclide, which paceENSDF has no decay of: the gamma rays that follow
such a level in the decay that feeds it."""

WAYS = {"Tc-99m": (0.99, 0.003), "Y-87m": (0.9843, 0.001)}
"""Share of an isomer's decays that pass the level given for it: where that is the next one (Tc-99m emits 2.17 keV), or
where paceENSDF lacks the other decays (Y-87m)."""

TRANSITIONS = Path(__file__).parent / "isomeric_transitions.csv"
"""Gamma rays of isomers that ENSDF's decays to other nuclides lack, and whose level no decay feeds."""

ENERGY_UNC = {("Np-238", 984.45): 0.05}
"""Where ENSDF gives none for a nuclide's strongest line: here it differs from its levels by 0.04 keV."""

HEADS = {
    "Ga-68": "Ge-68", "Sc-44": "Ti-44", "Rb-82": "Sr-82", "Rh-106": "Ru-106", "Pr-144": "Ce-144", "Lu-172": "Hf-172",
    "Pa-233": "Np-237", "Np-239": "Am-243", "Rn-219": "Ra-223", "Pb-211": "Ra-223", "Bi-211": "Ra-223",
    "Tl-207": "Ra-223", "Th-227": "Ac-227", "Fr-221": "Ac-225", "Bi-213": "Ac-225",
    "Tl-209": "Ac-225", "Ra-225": "Th-229",
}  # fmt: skip
"""Nuclides that are in equilibrium with a parent that lives much longer."""

POSITRONS_ONLY = ("C-11", "N-13", "O-15", "F-18")

LEAST_SHARE = 0.01
"""Weaker lines, as a share of the nuclide's strongest above 30 keV, are left out."""

MOST_LINES = 30
LEAST_KEV = 10.0
"""Below, gamma detectors see nothing."""

WORST_KNOWN = 0.2
"""Relative uncertainty of energy or intensity above which a line is left out."""

CALCULATED_ALPHA = 0.014
"""Relative uncertainty of calculated conversion coefficients (Kibédi 2008, Nucl. Instrum. Methods A 589, 202)."""

NOT_GIVEN = 0.01
"""Relative uncertainty of an intensity where ENSDF gives none."""

LEAST_POSITRONS = 0.05
"""Per 100 decays: fewer are no line of the nuclide."""

LEAST_X_RAYS = 0.5
"""X-rays per 100 decays, of all K lines together."""

ENSDF, LESS_RECOIL, ISOMER = "ENSDF 2023", "ENSDF 2023, less recoil", "ENSDF 2023, isomer"
CODATA = "CODATA 2018; ENSDF 2023"
NUCLEON_KEV = 931_494.1


class Gamma(NamedTuple):
    """A gamma ray, keV and per 100 decays; `difference` is that of its levels, keV."""

    kev: float
    kev_unc: float
    intensity: float
    intensity_unc: float
    difference: float


@cache
def isomeric_transitions() -> dict[str, tuple[tuple[Gamma, str], ...]]:
    """The gamma rays of `TRANSITIONS`, each with its source, by nuclide."""
    result: dict[str, list[tuple[Gamma, str]]] = defaultdict(list)
    for nuclide, *numbers, source in pl.read_csv(TRANSITIONS, infer_schema_length=None).iter_rows():
        kev, kev_unc, intensity, unc = map(float, numbers)
        result[nuclide].append((Gamma(kev, kev_unc, intensity, unc, kev), source))
    return {nuclide: tuple(lines) for nuclide, lines in result.items()}


Row = tuple[str, str, float, float, float, float, bool, str, bool, bool, float, str]


@cache
def _schemes() -> dict[tuple[str, str], tuple[Path, ...]]:
    """The decay schemes of ENSDF by parent and daughter, such as (Sr85, Rb85)."""
    result: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for path in sorted((ensdf._home() / "ENSDF_JSON").iterdir()):
        _, _, parent, daughter, *_ = path.name.split("_")
        result[parent, daughter].append(path)
    return {key: tuple(paths) for key, paths in result.items()}


def _scheme(decay: dict[str, Any]) -> dict[str, Any]:
    """The decay scheme that a file of paceENSDF was made from."""
    for path in _schemes()[decay["parentID"], decay["daughterID"]]:
        scheme: dict[str, Any] = json.loads(path.read_bytes())
        if (scheme["decayIndex"], scheme["decayMode"]) == (decay["decayIndex"], decay["decayMode"]):
            return scheme
    raise LookupError(f"no decay scheme of {decay['parentID']} to {decay['daughterID']}")


def _relative(value: float | None, unc: float | None) -> float:
    return unc / value if value and unc else 0.0


def gammas(nuclide: str) -> Iterator[Gamma]:
    """The gamma rays of a nuclide's decays to others; uncertainties of intensities with those of the normalisation."""
    for path in ensdf._decays().get(nuclide, ()):
        decay = json.loads(path.read_bytes())
        scheme = _scheme(decay)
        norm = scheme["decaySchemeNormalization"][0]["normalizationRecord"][0]
        factor = ensdf.CORRECTIONS.get((nuclide, ensdf.daughter_of(decay)), 1.0)
        common = math.hypot(
            _relative(norm["multiplerPhotonIntensity"], norm["dMultiplerPhotonIntensity"]),
            _relative(norm["multiplerBranchingRatio"], norm["dMultiplerBranchingRatio"]),
        )
        own = {
            (gamma["levelIndexInitial"], gamma["gammaEnergy"]): gamma
            for level in scheme["levelScheme"]
            for gamma in level["gammaDecay"]
        }
        for single in decay["decaySingles"]:
            gamma = own[single["levelIndexInitial"], single["gammaEnergy"]]
            photons = factor * (single["absoluteGammaIntensity"] or 0.0)
            relative = math.hypot(_relative(gamma["gammaIntensity"], gamma["dGammaIntensity"]), common)
            difference = single["levelEnergyInitial"] - single["levelEnergyFinal"]
            unc = photons * (relative or NOT_GIVEN)
            kev = gamma["gammaEnergy"]
            kev_unc = gamma["dGammaEnergy"] or ENERGY_UNC.get((nuclide, kev), 0.0)
            yield Gamma(kev, kev_unc, photons, unc, difference)


def isomer_gammas(nuclide: str) -> Iterator[Gamma]:
    """The gamma rays that follow an isomer's level, per 100 of all its decays."""
    element, mass = re.fullmatch(r"([A-Z][a-z]?)-(\d+)m", nuclide).groups()  # type: ignore[union-attr]
    # What decays to other nuclides does not follow the level.
    branches = [_branching(path) for path in ensdf._decays().get(nuclide, ())]
    others, others_unc = sum(value for value, _ in branches), math.hypot(*(unc for _, unc in branches))
    decay, start = _feeding(f"{element}{mass}", ISOMERS[nuclide])
    way, way_unc = WAYS.get(nuclide, (1.0, 0.0))
    remaining = 100 * max(0.0, 1 - others)
    passing = {start: (remaining * way, math.hypot(remaining * way_unc, 100 * others_unc * way))}
    for at in _transitions(decay):
        number, unc = passing.get(at.upper, (0.0, 0.0))
        if not number:
            continue
        # One way down is certain; of several each is as uncertain as its branching ratio.
        share_unc = at.share_unc if at.share < 1 else 0.0
        below, below_unc = passing.get(at.lower, (0.0, 0.0))
        passing[at.lower] = (
            below + number * at.share,
            math.hypot(below_unc, unc * at.share, number * share_unc),
        )
        # Of 1 / (1 + α), with α as calculated (BrIcc), which is known to 1.4 %.
        converted = 1 - at.photons / at.share
        relative = math.hypot(unc / number, CALCULATED_ALPHA * converted, share_unc / at.share)
        photons = number * at.photons
        yield Gamma(at.kev, at.kev_unc, photons, photons * max(relative, 1e-4), at.difference)


class _Transition(NamedTuple):
    """A transition between levels (by their numbers): its share of the upper one's decays, and that of its photons."""

    upper: int
    lower: int
    kev: float
    kev_unc: float
    share: float
    share_unc: float
    photons: float
    difference: float


def _transitions(decay: dict[str, Any]) -> list[_Transition]:
    """The transitions of a nuclide's levels, from the top."""
    of_ensdf = {
        (gamma["levelIndexInitial"], gamma["gammaEnergy"]): gamma
        for level in _scheme(decay)["levelScheme"]
        for gamma in level["gammaDecay"]
    }
    rows = sorted(decay["normalizedBranchingRatios"], key=lambda row: -row["levelIndexInitial"])
    ways = Counter(row["levelIndexInitial"] for row in rows)
    result = []
    for row in rows:
        upper, kev = row["levelIndexInitial"], row["gammaEnergy"]
        gamma = of_ensdf[upper, kev]
        share, photons = row["totalTransitionBR"], row["gammaBR"]
        if not share and ways[upper] == 1:  # an isomer whose only gamma ray has no intensity in the decay that feeds it
            share, photons = 1.0, 1 / (1 + (gamma["calculatedTotalInternalConversionCoefficient"] or 0.0))
        if share:
            difference = row["levelEnergyInitial"] - row["levelEnergyFinal"]
            unc = gamma["dGammaEnergy"] or 0.0
            share_unc = row["dTotalTransitionBR"]
            result.append(_Transition(upper, row["levelIndexFinal"], kev, unc, share, share_unc, photons, difference))
    return result


def _branching(path: Path) -> tuple[float, float]:
    """The share of decays to a daughter, and its uncertainty."""
    norm = _scheme(json.loads(path.read_bytes()))["decaySchemeNormalization"][0]["normalizationRecord"][0]
    return float(norm["multiplerBranchingRatio"] or 0.0), float(norm["dMultiplerBranchingRatio"] or 0.0)


def _feeding(daughter: str, level_kev: float) -> tuple[dict[str, Any], int]:
    """The decay that feeds an isomer's level most often, and the level's number there."""
    best: tuple[float, dict[str, Any], int] | None = None
    for path in sorted((ensdf._home() / "PACE_JSON").glob(f"j_gg_*_{daughter}_Z*.json")):
        decay = json.loads(path.read_bytes())
        for row in decay["decaySingles"]:
            fed = float(row["totalConvertedIntensity"] or 0.0)
            if abs(row["levelEnergyInitial"] - level_kev) < 0.3 and (best is None or fed > best[0]):
                best = (fed, decay, row["levelIndexInitial"])
    if best is None:
        raise LookupError(f"no decay to {daughter} has a level at {level_kev} keV")
    return best[1], best[2]


def _less_recoil(lines: list[Gamma], mass: int) -> tuple[list[Gamma], bool]:
    """Photons instead of differences of levels, which some data sets have: less E²/2Mc² where all strong lines say so.

    A photon lies below the difference of its levels by the recoil of the nucleus; where the energies of the lines
    follow the differences ten times closer than that, they are differences.
    """
    recoil = [line.kev**2 / (2 * mass * NUCLEON_KEV) for line in lines]
    telling = [
        (line.difference - line.kev) / shift
        for line, shift in zip(lines, recoil, strict=True)
        if shift > 0.01 and line.kev_unc < shift
    ]
    if len(telling) < 4 or any(abs(value) > 0.35 for value in telling):
        return lines, False
    return [line._replace(kev=round(line.kev - shift, 3)) for line, shift in zip(lines, recoil, strict=True)], True


def _shown(lines: list[Gamma]) -> list[Gamma]:
    """The lines that the table gets, by energy."""
    known = [line for line in lines if line.kev >= LEAST_KEV and line.intensity > 0]
    strongest = max((line.intensity for line in known if line.kev > 30), default=0.0)
    certain = [line for line in known if line.intensity >= LEAST_SHARE * strongest and _is_known(line)]
    return sorted(sorted(certain, key=lambda line: -line.intensity)[:MOST_LINES])


def _is_known(line: Gamma) -> bool:
    """Whether energy and intensity are known well enough, as the table shows them."""
    if not (line.kev_unc and line.intensity_unc):
        return False
    photons, unc = _rounded(line.intensity, line.intensity_unc)
    return line.kev_unc < WORST_KNOWN * line.kev and unc < WORST_KNOWN * photons


def _together(lines: list[Gamma]) -> list[Gamma]:
    """Lines of the same energy as one, with the sum of their intensities."""
    by_energy: dict[float, list[Gamma]] = defaultdict(list)
    for line in lines:
        by_energy[line.kev].append(line)
    return [
        same[0]._replace(
            kev_unc=max(line.kev_unc for line in same),
            intensity=sum(line.intensity for line in same),
            intensity_unc=math.hypot(*(line.intensity_unc for line in same)),
        )
        for same in by_energy.values()
    ]


def _is_doublet(line: Gamma, lines: list[Gamma]) -> bool:
    """Whether another line of the nuclide, or annihilation radiation, lies in the same peak."""
    return _has_neighbour(line, lines) or abs(line.kev - ANNIHILATION_KEV) < table.INSEPARABLE_KEV


def _has_neighbour(line: Gamma, lines: list[Gamma]) -> bool:
    near = [other for other in lines if abs(other.kev - line.kev) < table.INSEPARABLE_KEV]
    strong = [other for other in near if other.intensity >= table.DISTURBING * line.intensity]
    return len(strong) > any(other.kev == line.kev for other in strong)


def _rounded(value: float, unc: float) -> tuple[float, float]:
    """Both to two digits of the uncertainty."""
    digits = 1 - math.floor(math.log10(unc))
    return round(value, digits), round(unc, digits)


def rows_of(nuclide: str) -> list[Row]:
    """The rows of a nuclide, by energy."""
    mass, _ = table.mass_and_name(nuclide)
    lines, has_differences = _less_recoil(list(gammas(nuclide)), mass)
    from_isomer = list(isomer_gammas(nuclide)) if nuclide in ISOMERS else []
    by_hand = dict(isomeric_transitions().get(nuclide, ()))
    everything = [*(line for line in lines if line.kev not in {one.kev for one in by_hand}), *from_isomer, *by_hand]
    sources = {line.kev: ISOMER for line in from_isomer} | {line.kev: source for line, source in by_hand.items()}
    source = LESS_RECOIL if has_differences else ENSDF
    head = HEADS.get(nuclide, nuclide)
    rows: list[Row] = []
    for line in _shown(_together(everything)):
        doublet = _is_doublet(line, everything)
        intensity, unc = _rounded(line.intensity, line.intensity_unc)
        rows.append((
            nuclide, head, line.kev, line.kev_unc, intensity, unc, doublet, "decay of the nuclide", not doublet,
            not doublet, 0.0, sources.get(line.kev, source),
        ))  # fmt: skip
    photons, unc = _annihilation(nuclide)
    if photons >= LEAST_POSITRONS and unc < WORST_KNOWN * photons:
        quanta = Gamma(ANNIHILATION_KEV, 1.5e-7, photons, unc, 0.0)
        doublet = _has_neighbour(quanta, everything)
        rows.append((
            nuclide, head, quanta.kev, quanta.kev_unc, *_rounded(photons, unc), doublet, table.ANNIHILATION,
            not doublet, False, 0.0, CODATA,
        ))  # fmt: skip
    return sorted(rows, key=lambda row: row[2])


def _annihilation(nuclide: str) -> tuple[float, float]:
    """Photons of 511 keV per 100 decays, as if all positrons stopped in the source."""
    positrons = [one for decay in _positron_decays(nuclide) for one in ensdf._positrons(decay).values()]
    number = 2 * sum(value for value, _ in positrons)
    unc = 2 * math.hypot(*(unc for _, unc in positrons))
    return number, unc if unc > 1e-4 * number else NOT_GIVEN * number


def _positron_decays(nuclide: str) -> Iterator[dict[str, Any]]:
    if nuclide in POSITRONS_ONLY:
        name = nuclide.replace("-", "")
        for (parent, _), paths in _schemes().items():
            if parent == name:
                yield from (json.loads(path.read_bytes()) for path in paths)
    for path in ensdf._decays().get(nuclide, ()):
        decay = json.loads(path.read_bytes())
        if decay["decayMode"] == "electronCaptureBetaPlusDecay":
            yield decay


def nuclides_of_ensdf() -> list[str]:
    """The nuclides whose rows are made here."""
    return sorted({*FROM_ENSDF, *ISOMERS, *isomeric_transitions()})


def gamma_lines_text() -> str:
    """The table of gamma lines, by mass number, name and energy; what was put together by hand stays to the letter."""
    header, *old = (HOME / "gamma_lines.csv").read_text(encoding="utf-8").splitlines()
    made = nuclides_of_ensdf()
    kept = [line for line in old if line.split(",", 1)[0] not in made]
    new = [",".join(_field(value) for value in row) for name in made for row in rows_of(name)]
    return "\n".join([header, *sorted([*kept, *new], key=_place)]) + "\n"


def _field(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return np.format_float_positional(value, trim="-")
    return f'"{value}"' if "," in value else value


def _place(line: str) -> tuple[int, str, float]:
    nuclide, _, kev, *_ = line.split(",")
    return *table.mass_and_name(nuclide), float(kev)


X_RAY_COLUMNS: dict[str, Any] = {
    "nuclide": pl.String,
    "element": pl.String,
    "line": pl.String,
    "energy_kev": pl.Float64,
    "intensity": pl.Float64,
}
SHOWN_X_RAYS = ("Kalpha1", "Kalpha2", "Kbeta1", "Kbeta2", "Kbeta3")
FLUORESCENCE = ("Cu", "Cd", "Sn", "Ba", "W", "Pb", "Bi", "U")
"""Elements of shields, contacts and samples: they fluoresce beside any source."""


def x_ray_table() -> pl.DataFrame:
    """K X-rays: per 100 decays of a nuclide, or of elements alone (no nuclide) per 100 of their K X-rays."""
    rows: dict[tuple[str, str, str, float], float] = defaultdict(float)
    elements: dict[str, list[tuple[str, float, float]]] = {}
    for name in sorted(set(table.load()["nuclide"])):
        for path in ensdf._decays().get(name, ()):
            with_x_rays = path.with_name(path.name.replace("j_gg", "j_gx"))
            decay = json.loads(with_x_rays.read_bytes()) if with_x_rays.exists() else {"totalProjectionXrays": []}
            for photons in decay["totalProjectionXrays"]:
                element = decay["bindingEnergies"][0]["elementID"]
                lines = [
                    (line, photons[f"energy{line}"], photons[f"intensity{line}"])
                    for line in SHOWN_X_RAYS
                    if photons.get(f"intensity{line}")
                ]
                total = sum(number for *_, number in lines)
                if total:
                    elements.setdefault(element, [(line, kev, 100 * number / total) for line, kev, number in lines])
                if total < LEAST_X_RAYS:
                    continue
                for line, kev, number in lines:
                    rows[name, element, line, kev] += number
    for element in FLUORESCENCE:
        for line, kev, share in elements.get(element, ()):
            rows["", element, line, kev] = share
    result = pl.DataFrame([(*key, value) for key, value in rows.items()], schema=X_RAY_COLUMNS, orient="row")
    shown = result.filter(pl.col("energy_kev") >= LEAST_KEV, pl.col("intensity") > 0.02)
    return shown.with_columns(pl.col("intensity").round_sig_figs(4)).sort("nuclide", "element", "energy_kev")


def main() -> None:
    """Write both tables into the package."""
    (HOME / "gamma_lines.csv").write_text(gamma_lines_text(), encoding="utf-8")
    table.load.cache_clear()
    (HOME / "x_rays.csv").write_text(x_ray_table().write_csv(), encoding="utf-8")
    lines = table.load()
    print(f"{lines['nuclide'].n_unique()} nuclides, {lines.height} lines")


if __name__ == "__main__":
    main()
