"""Names of the columns of a spectrum in files of other programs, and the meaning of each."""

import re
from collections.abc import Sequence
from typing import NamedTuple


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


CHANNEL = _words(
    "channel channels channelnumber channelno channelnr channelid chan chno chn ch adc adcchannel mcachannel bin bins "
    "binnumber kanal kanalnummer kanalnr kanäle canal canale canali canaux kanaal kanał канал index number nr"
)

ENERGY = ("energy", "energie", "energia", "energía", "énergie", "energi", "энергия", "photonenergy", "gammaenergy")
"""How the names of energies begin."""

ENERGIES = frozenset(("e", "eγ", "egamma"))

KEV_PER_UNIT = {"ev": 1e-3, "kev": 1.0, "mev": 1e3}

COUNTS = _words(
    "count counts cts countspersecond countrate countrates countsperchannel countsperbin countskev countss cps rate "
    "contents content channelcontents bincontent events entries intensity n data netcounts nettocounts nettocount "
    "impulse impuls zählungen ereignisse anzahl zählrate coups comptage comptages conteggi conteggio cuentas contagens "
    "impulsy zliczenia импульсы отсчеты"
)

VARIANCE = frozenset(("variance", "variances", "var", "countsvariance", "variancecounts"))

SIGMA = _words(
    "sigma error errors err unc uncertainty uncertainties std stdev stddev countsunc countserror countsuncertainty "
    "countserr countssigma countunc counterror fehler unsicherheit"
)

HITS = _words("t ts tag tdc toa tns tps tus tms flags energyshort calibenergy dtps")
"""Names of columns of hits or pairs, which no spectrum has; so are those that begin with `time`."""

DETECTOR_TABLE = ("board", "channel", "counts")
"""The columns of a table with the spectra of several detectors."""


class Role(NamedTuple):
    """The role of a column: `adc`, `energy_kev`, `counts`, `variance`, `sigma` or `hits`; and its unit as a factor."""

    name: str
    factor: float = 1.0


def role_of(name: str) -> Role | None:
    """The role of a column of this name; None where the name does not say."""
    words = name.strip().strip("\"'").lower()
    unit = re.search(r"(?:^|[\s_(\[/,.]|energy)(kev|mev|ev)\W*$", words)
    factor = KEV_PER_UNIT[unit[1]] if unit else 1.0
    letters = "".join(re.findall(r"[^\W_]+", words))
    bare = "".join(re.findall(r"[^\W_]+", re.sub(r"[(\[].*?[)\]]", "", words)))
    if letters.startswith("time") or {letters, bare} & HITS:
        return Role("hits")
    if "%" in words:
        return None
    for role, known in (("counts", COUNTS), ("variance", VARIANCE), ("sigma", SIGMA)):
        if {letters, bare} & known:
            return Role(role)
    if re.search(r"width|fwhm|unc|err|sigma|low|high|min|max|edge|upper|lower|from|to$", letters):
        return None
    if unit or letters.startswith(ENERGY) or bare in ENERGIES:
        return Role("energy_kev", factor)
    return Role("adc") if {letters, bare} & CHANNEL else None


def names_of(line: str, separator: str, columns: int) -> tuple[str, ...]:
    """The names in a line, where it has one for each column, divided as the numbers are or otherwise; () where not.

    Names that are divided only by blanks, as in any sentence, must all be known ones, and different.
    """
    attached = re.sub(r"\s+(?=[(\[])", "", line)
    for between in dict.fromkeys((separator or ",", "\t", ";", ",", "  ", " ")):
        parts = re.split(r"\s{2,}" if between == "  " else r"\s+" if between == " " else re.escape(between), attached)
        names = tuple(part.strip().strip("\"'") for part in parts)
        while len(names) > columns and not names[-1]:
            names = names[:-1]
        if len(names) != columns or any(re.match(r"[+-]?[.,]?[0-9]", name) for name in names):
            continue
        roles = [role_of(name) or (name in DETECTOR_TABLE and Role(name)) for name in names]
        if (
            between == " "
            and columns > 1
            and not (all(roles) and len({role.name for role in roles if role}) == columns)
        ):
            continue
        return names
    return ()


def roles_of(names: Sequence[str]) -> dict[str, tuple[int, float]] | None:
    """The place of each role among named columns, with its factor; None where they do not say which are the counts.

    For two columns one name is enough. Where several could be the counts, one that is called just that is.
    """
    places: dict[str, list[tuple[int, float]]] = {}
    for place, role in enumerate(map(role_of, names)):
        if role is not None:
            places.setdefault(role.name, []).append((place, role.factor))
    plain = [place for place, name in enumerate(names) if name.strip().lower() in ("counts", "count")]
    if len(plain) == 1:
        places["counts"] = [(plain[0], 1.0)]
    exact = [place for place, name in enumerate(names) if name.strip().lower() == "adc"]
    if len(exact) == 1 and len(places.get("adc", [])) > 1:
        places["adc"] = [(exact[0], 1.0)]
    if any(len(of_role) > 1 for of_role in places.values()) or not places:
        return None
    roles = {role: of_role[0] for role, of_role in places.items()}
    if "counts" not in roles and len(names) == 2 and len(roles) == 1 and ("adc" in roles or "energy_kev" in roles):
        roles["counts"] = (1 - next(iter(roles.values()))[0], 1.0)
    return roles if "counts" in roles else None


def own_names(names: Sequence[str]) -> dict[str, str]:
    """Our names of a table's columns, unless `counts` and an axis have our names already."""
    if "counts" in names and {"adc", "energy_kev", "channel"} & set(names):
        return {}
    roles = roles_of(names) or {}
    if "counts" not in roles or not {"adc", "energy_kev"} & set(roles) or "hits" in roles:
        return {}
    return {names[place]: role for role, (place, factor) in roles.items() if factor == 1.0 and role != "sigma"}
