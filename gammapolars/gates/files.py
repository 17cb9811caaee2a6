"""Polygon gates from files: gates.toml, or a CSV of vertices."""

import csv
import tomllib
from pathlib import Path
from typing import Any

from gammapolars.core.errors import InputError, UsageError
from gammapolars.core.small_files import read_small
from gammapolars.gates.polygon import PolygonGate

KEYS = ("name", "x", "y", "vertices", "detectors")


def load_gates(path: str | Path, *, of_hits: bool = False) -> tuple[PolygonGate, ...]:
    """The polygon gates of a file.

    Args:
        path: a .toml with a table for each gate,

                [[gate]]
                name = "neutrons"
                x = "adc_a"
                y = "adc_short_a"
                vertices = [[100, 20], [4000, 900], [4000, 2000]]

            (of pairs, a is the earlier hit, or the start; of a matrix there are its axes too, as `adc_x` and `adc_y`),
            or a .csv whose first line names the two columns and whose others are a vertex each, of one gate.
        of_hits: whether single hits are to be selected: then a gate may have `detectors = ["n-1", "n-2"]`, and judges
            only the hits of these.

    Raises:
        InputError: the file is missing, or is none of these; the message names the gate.
        UsageError: an invalid polygon, or another suffix.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".toml", ".csv"):
        raise UsageError(f"{path}: unknown suffix '{path.suffix}': polygon gates are read from .toml, .csv")
    try:
        text = read_small(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    try:
        gates = _from_toml(text) if suffix == ".toml" else (_from_csv(text, path.stem),)
        if not of_hits and (limited := [gate.name for gate in gates if gate.detectors]):
            raise UsageError(f"gate '{limited[0]}' has 'detectors', which only a selection of single hits takes")
    except (InputError, UsageError) as error:
        raise type(error)(f"{path}: {error}") from None
    return gates


def _from_toml(text: str) -> tuple[PolygonGate, ...]:
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"cannot be read as TOML: {error}") from None
    if unknown := document.keys() - {"gate"}:
        raise InputError(f"unknown key '{min(unknown)}': gates belong in [[gate]] tables")
    tables = document.get("gate", [])
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise InputError("contains no gates: write [[gate]] tables with name, x, y and vertices")
    gates = tuple(_gate(table, number) for number, table in enumerate(tables, 1))
    names = [gate.name for gate in gates]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputError(f"two gates are named '{min(twice)}': rename one")
    return gates


def _gate(table: dict[str, Any], number: int) -> PolygonGate:
    name = table.get("name", f"gate {number}")
    where = f"gate '{name}'"
    if unknown := table.keys() - set(KEYS):
        raise InputError(f"{where} has the unknown key '{min(unknown)}' (known: {', '.join(KEYS)})")
    if missing := [key for key in ("x", "y", "vertices") if key not in table]:
        raise InputError(f"{where} has no {' and no '.join(missing)}: a gate needs two columns, x and y, and vertices")
    for key in ("x", "y"):
        if not isinstance(table[key], str):
            raise InputError(f"{where}: {key} must be the name of a column, not {table[key]!r}")
    vertices = table["vertices"]
    if wrong := [vertices] if not isinstance(vertices, list) else [one for one in vertices if not _is_vertex(one)]:
        example = "[[100, 20], [4000, 900], [4000, 2000]]"
        raise InputError(f"{where}: vertices must be pairs of numbers, such as {example}, not {str(wrong[0])[:40]}")
    detectors = table.get("detectors", [])
    if not isinstance(detectors, list) or not all(isinstance(one, str) for one in detectors):
        raise InputError(f'{where}: detectors must be a list of names, such as ["n-1", "n-2"], not {detectors!r}')
    vertices = tuple((x, y) for x, y in vertices)
    return PolygonGate(table["x"], table["y"], vertices, str(name), tuple(detectors))


def _is_vertex(value: Any) -> bool:
    numbers = isinstance(value, list) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
    return numbers and len(value) == 2


def _from_csv(text: str, name: str) -> PolygonGate:
    lines = [(number, row) for number, row in enumerate(csv.reader(text.splitlines()), 1) if any(row)]
    if not lines or len(lines[0][1]) != 2 or _numbers(lines[0][1]):
        problem = f"not '{','.join(lines[0][1])[:40]}'" if lines else "and the file is empty"
        raise InputError(
            f"its first line must give two column names separated by a comma, such as adc_a,adc_short_a, {problem}"
        )
    (_, columns), *others = lines
    vertices = []
    for number, row in others:
        vertex = _numbers(row)
        if vertex is None or len(vertex) != 2:
            raise InputError(
                f"line {number} must hold two numbers, the x and y of a vertex, not '{','.join(row)[:40]}'"
            )
        vertices.append((vertex[0], vertex[1]))
    return PolygonGate(columns[0].strip(), columns[1].strip(), tuple(vertices), name)


def _numbers(row: list[str]) -> list[float] | None:
    try:
        return [float(word) for word in row]
    except ValueError:
        return None
