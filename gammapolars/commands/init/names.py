"""Sources, and background, in the names that people give to runs."""

import re
from collections.abc import Iterable
from functools import cache

from gammapolars.gamma_lines import nuclides

BACKGROUND = re.compile(
    r"(?<![a-z])(background|backgrnd|bkgd?|bkgnd|bgd?|untergrund|hintergrund|nulleffekt|fondo|fond|bruit|"
    r"no[ _-]?source|without[ _-]?source|ohne[ _-]?quelle|empty|leer|blank|vuoto|ambient)(?![a-z])",
    re.IGNORECASE,
)
"""Words for a run without a source."""


def sources_in(name: str) -> tuple[str, ...]:
    """The nuclides that a name has in it, in its order: `Co-60`, `60Co`, `co60`, `run_Eu152_3`; not `run_co2`."""
    places = {match.start(): nuclide for nuclide, pattern in _patterns().items() if (match := pattern.search(name))}
    return tuple(places[place] for place in sorted(places))


def is_background(name: str) -> bool:
    """Whether a name says that there is no source."""
    return BACKGROUND.search(name) is not None


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    return dict(_made(nuclides()))


def _made(names: Iterable[str]) -> Iterable[tuple[str, re.Pattern[str]]]:
    """Several nuclides may follow each other without a gap: a number between two elements belongs to one of them."""
    for name in names:
        if match := re.fullmatch(r"([A-Z][a-z]?)-(\d+)(m\d?)?", name):
            element, mass = match[1], match[2] + (match[3] or "")
            forms = (
                rf"(?<![a-z0-9]){element}[ _-]?{mass}(?![0-9])",
                rf"(?<=[0-9]){element}{mass}(?![0-9])",
                rf"(?<![0-9]){mass}{element}(?![a-z]|[0-9]+(?![a-z0-9]))",
                rf"(?<![a-z0-9]){mass}[ _-]{element}(?![a-z0-9])",
            )
            yield name, re.compile("|".join(forms), re.IGNORECASE)
