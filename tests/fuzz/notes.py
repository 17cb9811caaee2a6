"""What CoMPASS writes beside the hits, run.info and settings.xml: whatever stands in them, a run can be read."""

import json
import math
from pathlib import Path
from typing import Any

from gammapolars.io.compass.run_info import RunInfo, read_run_info
from tests.fuzz.cases import Base, Case, Verdict
from tests.fuzz.outcomes import Refused, Wrong, attempt
from tests.io.test_run_info import BOARD, RUN_INFO, settings


def bases(folder: Path) -> list[Base]:
    """Both files, each beside the other one undamaged."""
    info, xml = RUN_INFO.encode(), settings(BOARD, BOARD.replace("0-14-292", "2-14-17")).encode()
    return [
        Base("run.info", "run.info", info, None, neighbours={"settings.xml": xml}),
        Base("settings.xml", "settings.xml", xml, None, neighbours={"run.info": info}),
    ]


def check(case: Case, path: Path) -> Verdict:
    """Something is always read; what is wrong becomes warnings, and no number is none."""
    found = attempt(path, lambda: read_run_info(path.parent))
    if isinstance(found, Refused) or found is None:
        raise Wrong(f"refused, and not warned of: {found}")
    text = json.dumps(found.as_json(), default=str)
    if not _are_finite(json.loads(text)):
        raise Wrong(f"numbers that are none: {text[:300]}")
    if case.is_untouched and found.warnings:
        raise Wrong(f"warnings of a valid file: {found.warnings}")
    if any("\n" in warning or not warning.startswith(("run.info: ", "settings.xml: ")) for warning in found.warnings):
        raise Wrong(f"warnings that are no single line with the file's name: {found.warnings}")
    return Verdict(read=not found.warnings, partial=bool(found.warnings))


def _are_finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_are_finite, value.values()))
    if isinstance(value, list):
        return all(map(_are_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


__all__ = ["RunInfo", "bases", "check"]
