"""Differences of texts and of JSON values, in words."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice, zip_longest
from typing import Any

FEW = 4
"""So many differences of one thing are told."""

WIDTH = 100
"""Longer values are cut around the place where they differ."""

Differences = Iterator[str]
"""Each tells the place and both values; none where there is no difference."""


def few(differences: Iterable[str], where: str) -> Differences:
    """The first differences of a thing, each after its name."""
    rest = iter(differences)
    yield from (f"{where}{difference}" for difference in islice(rest, FEW))
    if next(rest, None) is not None:
        yield f"{where}: and more"


def both(here: object, there: object) -> str:
    """Two values side by side, cut around the place where they differ."""
    texts = [str(here), str(there)]
    place = next((n for n, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), min(map(len, texts)))
    start = max(0, place - WIDTH // 2)
    parts = [f"{'…' * bool(start)}{text[start : start + WIDTH]}{'…' * (len(text) > start + WIDTH)}" for text in texts]
    return f"{parts[0]} here, {parts[1]} there"


def text_differences(here: str, there: str) -> Differences:
    """Differences of two texts, line by line."""
    if here == there:
        return
    lines = zip_longest(here.split("\n"), there.split("\n"))
    for number, (one, other) in enumerate(lines, 1):
        if one != other:
            yield f", line {number}: {both(*('nothing' if line is None else repr(line) for line in (one, other)))}"


def json_differences(here: Any, there: Any, path: str = "") -> Differences:
    """Differences of two JSON values: other keys, types or values. A whole number is no fraction, nor true."""
    if isinstance(here, dict) and isinstance(there, dict):
        for key in dict.fromkeys([*here, *there]):
            place = f"{path}.{key}" if path else f" {key}"
            if key not in there or key not in here:
                yield f"{place}: only {'here' if key in here else 'there'}"
            else:
                yield from json_differences(here[key], there[key], place)
    elif isinstance(here, list) and isinstance(there, list):
        if len(here) != len(there):
            yield f"{path}: {len(here)} items here, {len(there)} there"
        for number, (one, other) in enumerate(zip(here, there, strict=False)):
            yield from json_differences(one, other, f"{path}[{number}]")
    elif type(here) is not type(there) or here != there:
        yield f"{path}: {both(*(json.dumps(value, ensure_ascii=False) for value in (here, there)))}"
