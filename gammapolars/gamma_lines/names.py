"""Nuclides as people write them: `Eu-152`, `eu152`, `152Eu`, `Ag-110m`, `110mAg`."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

from gammapolars.core.errors import UsageError

_NAME = re.compile(r"([A-Z][a-z]?)-(\d{1,3})(m\d?)?")


def nuclide_name(text: str, names: Iterable[str], *, where: str) -> str:
    """The one of `names` that a text means; case, dashes, spaces and the order of its parts do not matter.

    Args:
        text: such as `152eu`.
        names: such as `Eu-152` or `Ag-110m`.
        where: what the names are, for the error: `the table of gamma lines`.

    Raises:
        UsageError: it means none of them; the error names the nearest.
    """
    by_spelling = {spelling: name for name in names for spelling in _spellings(name)}
    plain = _plain(text)
    if plain in by_spelling:
        return by_spelling[plain]
    near = sorted({by_spelling[match] for match in get_close_matches(plain, by_spelling, n=6, cutoff=0.6)})
    suggestion = f": did you mean {' or '.join(near[:4])}?" if near else ": write it like Eu-152 or Ag-110m"
    raise UsageError(f"nuclide '{text}' is not in {where}{suggestion}")


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _spellings(name: str) -> tuple[str, ...]:
    match = _NAME.fullmatch(name)
    if not match:
        raise ValueError(f"'{name}' is no nuclide's name")
    symbol, mass, isomer = match[1].lower(), match[2], match[3] or ""
    return f"{symbol}{mass}{isomer}", f"{mass}{isomer}{symbol}", f"{mass}{symbol}{isomer}"
