"""What no two runs have alike: times that a clock measured, dates, versions."""

import re
from typing import Any

MASK = "…"

TEXTS = (
    (re.compile(r"written in [\d.]+ s \([\d.]+ million hits/s\)"), f"written in {MASK} s"),
    (re.compile(r"Report of \d{4}-\d\d-\d\d \d\d:\d\d( \w+)?"), f"Report of {MASK}"),
    (re.compile(r"<dt>(Written|Versions)</dt><dd>[^<]*</dd>"), rf"<dt>\1</dt><dd>{MASK}</dd>"),
)
"""Patterns of such texts, on stdout and in the report's page."""

CLOCK = ("elapsed_s", "hits_per_s")
"""Keys of times that a clock measured."""

OF_FILES = ("bytes", "hash")
"""Keys of inputs, in provenance, that follow from every byte of them."""


def without_times(text: str) -> str:
    """A text without what a clock or a calendar put there."""
    for pattern, mask in TEXTS:
        text = pattern.sub(mask, text)
    return text


def without_clock(value: Any) -> Any:
    """A JSON value without times that a clock measured, wherever they stand."""
    if isinstance(value, list):
        return [without_clock(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: MASK if key in CLOCK and _is_number(part) else without_clock(part) for key, part in value.items()}


def without_versions(entry: dict[str, Any], *, own_inputs: bool) -> dict[str, Any]:
    """The provenance of a file without the versions of packages.

    Args:
        entry: as the file has it.
        own_inputs: whether each side made the inputs itself, so that their bytes may differ as outputs' do.
    """
    entry = without_clock(entry) | ({"versions": MASK} if "versions" in entry else {})
    if own_inputs:
        masks = dict.fromkeys(OF_FILES, MASK)
        entry["inputs"] = [one | {key: masks[key] for key in OF_FILES if key in one} for one in entry.get("inputs", ())]
    return entry


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
