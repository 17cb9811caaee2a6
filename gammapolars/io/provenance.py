"""Where an output comes from: its inputs, parameters, versions and accounting, as text that a file can carry."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gammapolars.core.errors import DetectorsError
from gammapolars.core.flags import REMOVED
from gammapolars.core.versions import versions
from gammapolars.detectors import Detectors, format_detectors, parse_detectors
from gammapolars.io import InputFile, Run, Runs
from gammapolars.io.dataset import dataset_of, fingerprint_of, size_of
from gammapolars.io.formats import format_of
from gammapolars.io.remote import is_remote

KEY = "gammapolars"
"""The metadata entry, one JSON object, in Parquet, Arrow and ROOT outputs."""

REMOVED_BEFORE = "hits_removed"
"""The key of an input from which a selection had removed hits."""


def describe(runs: Runs, summary: dict[str, Any], detectors: Detectors | None = None) -> dict[str, str]:
    """The metadata entry for an output.

    Args:
        runs: the inputs.
        summary: parameters and hit accounting.
        detectors: whose calibrations the output was made with; those who read it need them.
    """
    inputs = [
        {"name": file.path.name, "bytes": file.size_bytes, "hash": file.fingerprint}
        | _times(file, run, number, summary)
        | ({REMOVED_BEFORE: removed} if (removed := removed_hits(file.path)) else {})
        for number, run in enumerate(runs.all, 1)
        for file in run.files
    ]
    recorded = [run.recorded.as_json() for run in runs.all if run.recorded]
    entry = {"inputs": inputs, "recorded": recorded, "summary": summary, "versions": versions()}
    if detectors is not None and (len(detectors) or detectors.clocks):
        entry["detectors"] = format_detectors(detectors)
    return {KEY: json.dumps(entry, ensure_ascii=False)}


def describe_files(paths: Sequence[Path], summary: dict[str, Any]) -> dict[str, str]:
    """The metadata entry of an output that was made from files of spectra or pairs.

    Args:
        paths: the inputs.
        summary: parameters and results.
    """
    inputs = [{"name": path.name, "bytes": size_of(path), "hash": fingerprint_of(path)} for path in paths]
    return {KEY: json.dumps({"inputs": inputs, "summary": summary, "versions": versions()}, ensure_ascii=False)}


def _times(file: InputFile, run: Run, number: int, summary: dict[str, Any]) -> dict[str, int | None]:
    """When a file's hits were recorded: its own times, or its run's where it is the only file."""
    times = {"first_timestamp_ps": file.span.first_ps, "last_timestamp_ps": file.span.last_ps}
    if len(run.files) > 1:
        return times
    of_run = next((one for one in summary.get("runs", []) if one["run"] == number), summary)
    return {name: of_run.get(name) for name in times}


def finite_json(text: str) -> Any:
    """The content of a JSON text, with nulls for what Python's reader takes for a number, and JSON has not: NaN, 1e999.

    Raises:
        ValueError: it is no JSON.
    """

    def finite(number: str) -> float | None:
        return value if math.isfinite(value := float(number)) else None

    return json.loads(text, parse_float=finite, parse_constant=lambda _: None)


def of_file(path: Path) -> dict[str, Any] | None:
    """The provenance that `describe` wrote into a file, or the dataset that it is part of; None where there is none."""
    if whole := dataset_of(path):
        path = whole.folder
    form = format_of(path)
    if form is None or form.text is None:
        return None
    try:
        entry = finite_json(form.text(path, KEY))
    except Exception:  # its hits may be read all the same; uproot raises any error of its parser
        return None
    return _known(entry) if isinstance(entry, dict) else None


def removed_hits(path: Path) -> int:
    """How many hits a selection removed when a file was written, or before from its inputs; 0 where it does not say."""
    if is_remote(path) and path.suffix.lower() == ".root":
        return 0  # uproot alone could read it, from afar
    entry = of_file(path) or {}
    numbers = [entry.get("summary", {}).get(f"hits_{reason}") for reason in REMOVED]
    numbers += [one.get(REMOVED_BEFORE) for one in entry.get("inputs", ())]
    return sum(number for number in numbers if type(number) is int and number > 0)


def _known(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry without content that `describe` would not have written: other programs may use the same key."""
    of_kind = {
        "inputs": lambda value: isinstance(value, list),
        "versions": lambda value: isinstance(value, dict),
        "summary": lambda value: isinstance(value, dict),
        "simulation": lambda value: isinstance(value, dict),
    }
    known = {name: value for name, value in entry.items() if of_kind.get(name, lambda _: True)(value)}
    if "inputs" in known:
        known["inputs"] = [
            one
            for one in known["inputs"]
            if isinstance(one, dict) and isinstance(one.get("name"), str) and type(one.get("bytes")) is int
        ]
    sources = known.get("simulation", {}).get("sources", {})
    if not isinstance(sources, dict) or any(type(value) not in (int, float) for value in sources.values()):
        del known["simulation"]
    return known


def detectors_of(path: Path) -> Detectors:
    """The detectors that `describe` wrote into a file; none where it carries nothing of the kind."""
    toml = (of_file(path) or {}).get("detectors")
    try:
        return parse_detectors(toml) if isinstance(toml, str) else Detectors()
    except DetectorsError:  # of another version, or by another hand
        return Detectors()
