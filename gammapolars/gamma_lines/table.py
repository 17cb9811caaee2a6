"""The table of gamma lines: one nuclide or chain of it, and the lines near an energy."""

import math
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple, cast

import polars as pl

from gammapolars.core.errors import UsageError
from gammapolars.core.frames import AnyFrame, eager
from gammapolars.core.schema import LINES

_NAME = re.compile(r"([A-Z][a-z]?)-(\d{1,3})(m\d?)?")
"""Nuclides as the table writes them: `Eu-152`, `Ag-110m`."""

ANNIHILATION = "annihilation"
"""The normalisation of the line of positrons that meet an electron."""

INSEPARABLE_KEV = 1.0
"""Lines nearer to each other than this are one peak, in any germanium detector at most energies."""

DISTURBING = 0.02
"""A neighbour with this share of a line's intensity makes a doublet of it: it can shift the line by 0.02 keV."""


AnyLines = AnyFrame | str | Sequence[str]
"""A table of lines, or the nuclides that have them, such as `Eu-152`."""


class Branch(NamedTuple):
    """How many decays of a nuclide there are in a decay of its chain's head."""

    ratio: float
    ratio_unc: float


_INCLUDES = {
    "Th-232": ("Th-232", "Th-228"),
    "U-232": ("U-232", "Th-228"),
    "Ac-227": ("Ac-227", "Ra-223"),
    "Th-229": ("Th-229", "Ac-225"),
}
"""Chains that hold another chain of the table."""

_BRANCHES = {"Tl-208": Branch(0.3594, 0.0006), "Tl-209": Branch(0.0214, 0.0001)}
"""Where it is not every decay, to 0.3 %: the alpha branches of Bi-212 and Bi-213 (ENSDF)."""


def lines(nuclide: str | None = None, *, least_intensity: float = 0.0) -> pl.DataFrame:
    """The gamma lines of a nuclide, or of the chain that it heads in equilibrium; without a name, the whole table.

    Heads of chains are Ra-226 (with Pb-214 and Bi-214), Th-228, Th-232 (with Ac-228 and all of Th-228), U-238 (down
    to Pa-234m, as in purified uranium), and parents that outlive their daughters by far, such as Ac-225, Ru-106 or
    Np-237. Their lines come with intensities per 100 decays of the head, and lines of two
    nuclides of the chain that are one peak are doublets.

    Args:
        nuclide: such as `Eu-152`, `eu152`, `152Eu`, `Ag-110m`.
        least_intensity: leave out lines with fewer photons per 100 decays.

    Returns:
        A table of LINES (`gp.LINES` explains the columns), by energy; the whole table by mass number, then by energy.

    Raises:
        UsageError: the table has no such nuclide.
    """
    table = load()
    if nuclide is not None:
        table = _of(canonical(nuclide), table)
    return table.filter(pl.col("intensity") >= least_intensity)


def lines_of(source: AnyLines) -> pl.DataFrame:
    """A table of lines as it is, or the lines of the nuclides that are named.

    Raises:
        UsageError: the built-in table has no such nuclide.
        TableError: neither a table nor names.
    """
    names = [source] if isinstance(source, str) else source
    if isinstance(names, list | tuple) and names and all(isinstance(name, str) for name in names):
        return pl.concat([lines(name) for name in names]).unique(maintain_order=True)
    return source if isinstance(source, pl.DataFrame) else eager(cast(AnyFrame, source), "lines")


def nearest_lines(
    energy_kev: float,
    *,
    within_kev: float = 3.0,
    least_intensity: float = 0.0,
    among: Iterable[str] | None = None,
) -> pl.DataFrame:
    """The lines near an energy, the nearest first.

    Distance by itself identifies no peak: compare the intensities, and look for the other lines of the nuclide.

    Args:
        energy_kev: of a peak.
        within_kev: how far a line may lie from it.
        least_intensity: leave out lines with fewer photons per 100 decays of their nuclide.
        among: nuclides or heads of chains that may be present; the whole table, if not given.

    Returns:
        A table of LINES with `distance_kev` in front, the line's energy less that of the peak.

    Raises:
        UsageError: an impossible energy or distance, or an unknown nuclide.
    """
    if not (math.isfinite(energy_kev) and energy_kev > 0):
        raise UsageError(f"energy {energy_kev} is not the energy of a peak: it must be a positive number of keV")
    if not (math.isfinite(within_kev) and within_kev >= 0):
        raise UsageError(f"a line cannot lie within {within_kev} keV: give 0 or more")
    table = load()
    if among is not None:
        keys = {row for name in among for row in lines(name).select("nuclide", "energy_kev").rows()}
        mask = [row in keys for row in table.select("nuclide", "energy_kev").rows()]
        table = table.filter(pl.Series(mask, dtype=pl.Boolean))
    return (
        table.select((pl.col("energy_kev") - energy_kev).round(6).alias("distance_kev"), pl.all())
        .filter(pl.col("distance_kev").abs() <= within_kev, pl.col("intensity") >= least_intensity)
        .sort(pl.col("distance_kev").abs(), pl.col("intensity"), descending=[False, True])
    )


COMMON = frozenset({
    "Be-7", "F-18", "Na-22", "K-40", "Cr-51", "Mn-54", "Co-57", "Co-58", "Co-60", "Zn-65", "Se-75", "Sr-85", "Y-88",
    "Tc-99m", "Cd-109", "Ag-110m", "In-111", "Sn-113", "Sb-125", "I-123", "I-131", "Ba-133", "Cs-134", "Cs-137",
    "La-138", "Ce-139", "Eu-152", "Eu-154", "Lu-176", "Hf-181", "Ir-192", "Hg-203", "Bi-207", "Tl-208", "Pb-210",
    "Bi-212", "Pb-212", "Bi-214", "Pb-214", "Ra-224", "Ra-226", "Ac-228", "Th-228", "Th-232", "Pa-234m", "Th-234",
    "U-235", "U-238", "Am-241",
})  # fmt: skip
"""Calibration sources, natural nuclides and other common ones: they name a peak sooner than others."""


def x_rays(names: Iterable[str] | None = None) -> pl.DataFrame:
    """K X-rays that nuclides emit, and the fluorescence of common elements (`nuclide` is empty).

    Args:
        names: of nuclides, empty for fluorescence; None: all.

    Returns:
        `nuclide`, `element`, `line` (`Kalpha1` and so on), `energy_kev`, `intensity` per 100 decays of the nuclide, or
        per 100 K X-rays of the element.
    """
    table = _x_rays()
    return table if names is None else table.filter(pl.col("nuclide").is_in(list(names)))


@cache
def _x_rays() -> pl.DataFrame:
    text = files("gammapolars.gamma_lines").joinpath("x_rays.csv").read_bytes()
    return pl.read_csv(text, schema_overrides={"nuclide": pl.String}).with_columns(pl.col("nuclide").fill_null(""))


@cache
def nuclides() -> tuple[str, ...]:
    """The names that `lines` knows: nuclides of the table by mass number, with the heads of chains."""
    table = load()
    names = {*table["nuclide"], *table["parent"]}
    return tuple(sorted(names, key=mass_and_name))


def mass_and_name(nuclide: str) -> tuple[int, str]:
    """The sort key of nuclides: the mass number, and the name."""
    name = _NAME.fullmatch(nuclide)
    return (int(name[2]) if name else 0), nuclide


def heads() -> frozenset[str]:
    """The names that comprise more than one nuclide: heads of chains."""
    further = load().filter(pl.col("parent") != pl.col("nuclide"))["parent"]
    return frozenset({*further, *_INCLUDES})


def canonical(nuclide: str) -> str:
    """The table's name of a nuclide or chain.

    Raises:
        UsageError: the table has no such nuclide.
    """
    return nuclide_name(nuclide, nuclides(), where="the table of gamma lines")


def members(head: str) -> dict[str, Branch]:
    """The nuclides whose lines a name comprises, each with how often it decays in a decay of the head."""
    table = load()
    names = table.filter(pl.col("parent").is_in(_INCLUDES.get(head, (head,))))["nuclide"].unique(maintain_order=True)
    certain = Branch(1.0, 0.0)
    return {name: _BRANCHES.get(name, certain) for name in names} or {head: certain}


@cache
def load() -> pl.DataFrame:
    """The whole table as it is in the package, intensities as their sources normalise them."""
    text = files("gammapolars.gamma_lines").joinpath("gamma_lines.csv").read_bytes()
    return pl.read_csv(text, schema=LINES.columns)


def _of(name: str, table: pl.DataFrame) -> pl.DataFrame:
    """A nuclide's lines; or those of a chain's head, per decay of the head."""
    chain = members(name)
    if len(chain) == 1 and name in chain:
        return table.filter(pl.col("nuclide") == name)
    rows = table.filter(pl.col("nuclide").is_in(list(chain)))
    ratio, ratio_unc = (
        pl.col("nuclide").replace_strict({key: branch[place] for key, branch in chain.items()}, return_dtype=pl.Float64)
        for place in (0, 1)
    )
    unc = ((pl.col("intensity_unc") * ratio).pow(2) + (pl.col("intensity") * ratio_unc).pow(2)).sqrt()
    rows = rows.with_columns(
        pl.col("intensity") * ratio,
        intensity_unc=unc,
        parent=pl.lit(name),
        normalisation=pl.lit(f"decay of {name} in equilibrium"),
    )
    return _mark_doublets(rows.sort("energy_kev"))


def _mark_doublets(table: pl.DataFrame) -> pl.DataFrame:
    """Mark the lines that another line of the frame disturbs, and take them out of calibrations."""
    neighbours = table.select("nuclide", "energy_kev", "intensity")
    doublets = (
        neighbours.join(neighbours, how="cross", suffix="_other")
        .filter(
            (pl.col("energy_kev") - pl.col("energy_kev_other")).abs() < INSEPARABLE_KEV,
            (pl.col("energy_kev") != pl.col("energy_kev_other")) | (pl.col("nuclide") != pl.col("nuclide_other")),
            pl.col("intensity_other") >= DISTURBING * pl.col("intensity"),
        )
        .select("nuclide", "energy_kev", one_of_two=pl.lit(True))
        .unique()
    )
    result = table.join(doublets, on=["nuclide", "energy_kev"], how="left", maintain_order="left")
    two = pl.col("one_of_two").fill_null(value=False)
    return result.with_columns(
        pl.col("doublet") | two, pl.col("calibrate") & ~two, pl.col("calibrate_fwhm") & ~two
    ).drop("one_of_two")


def nuclide_name(text: str, names: Iterable[str], *, where: str) -> str:
    """The one of `names` that a text such as `152eu` means; case, dashes, spaces and the order of parts do not matter.

    `where` says in the error where the names are from: `the table of gamma lines`.

    Raises:
        UsageError: it means none of them; the error names the nearest.
    """
    by_spelling = _by_spelling(frozenset(names))
    plain = re.sub(r"[^a-z0-9]", "", text.lower())
    if plain in by_spelling:
        return by_spelling[plain]
    near = sorted({by_spelling[match] for match in get_close_matches(plain, by_spelling, n=6, cutoff=0.6)})
    suggestion = f": did you mean {' or '.join(near[:4])}?" if near else ": write it like Eu-152 or Ag-110m"
    raise UsageError(f"nuclide '{text}' is not in {where}{suggestion}")


@lru_cache(maxsize=8)
def _by_spelling(names: frozenset[str]) -> dict[str, str]:
    """Names by how people write them."""
    return {spelling: name for name in sorted(names) for spelling in _spellings(name)}


def _spellings(name: str) -> tuple[str, ...]:
    match = _NAME.fullmatch(name)
    if not match:
        raise ValueError(f"'{name}' is not the name of a nuclide")
    symbol, mass, isomer = match[1].lower(), match[2], match[3] or ""
    return f"{symbol}{mass}{isomer}", f"{mass}{isomer}{symbol}", f"{mass}{symbol}{isomer}"
