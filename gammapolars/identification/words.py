"""Words for the kinds of peaks in tables: the same on the terminal and on the page of a report."""

from typing import Any


def kind_text(peak: dict[str, Any]) -> str:
    """A peak's nuclide and line, or its kind and where it comes from: `Co-60 1332.5`, `sum: 1173.2 keV + 511.0 keV`."""
    kind, nuclide = peak["kind"], peak["nuclide"]
    if kind == "full energy":
        return f"{nuclide} {peak['line_kev']:.1f}" if nuclide else "full energy"
    if kind in ("annihilation", "unknown"):
        return f"{kind} ({nuclide})" if nuclide else str(kind)
    return f"{kind}: {peak['reason']}"
