"""A process that runs attacks, one after the other, as `tests.fuzz.worker` does."""

import atexit
import random
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.attack import files, odd, options, processes
from tests.attack.stage import Stage, remove_inputs, set_up
from tests.fuzz.outcomes import Wrong
from tests.fuzz.worker import serve

ATTACKS: dict[str, tuple[Callable[[Stage], None], int]] = {
    "replace": (files.replace, 220),
    "nulls": (files.nulls, 150),
    "pieces": (files.pieces, 60),
    "ends": (files.ends, 100),
    "renames": (files.renames, 50),
    "options": (options.absurd, 250),
    "escapes": (odd.escapes, 80),
    "odd": (odd.odd, 80),
    "bombs": (processes.bombs, 40),
    "segments": (processes.segments, 6),
    "killed": (processes.killed, 40),
    "streams": (processes.streams, 50),
    "limits": (processes.limits, 50),
}
"""What is tried, and how often."""

KINDS = {name: number for name, (_, number) in ATTACKS.items()}

LIMIT_S = 150.0


def run_case(name: str, seed: int, number: int, folder: Path | None = None) -> dict[str, Any]:
    """Run one case; the answer is what was done, or what went wrong."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="attack-") as temporary:
        stage = set_up(folder or Path(temporary), random.Random(f"{name} {seed} {number}"))
        answer: dict[str, Any] = {"read": True, "partial": False, "unnoticed": False}
        try:
            ATTACKS[name][0](stage)
            stage.nothing_hidden()
        except Wrong as wrong:
            answer = {"failure": f"{wrong} [{stage.commands[-1] if stage.commands else ''}]"}
        except Exception as error:  # of the check itself
            answer = {"failure": f"the check failed: {error!r}", "trace": traceback.format_exc()}
    return answer | {"commands": stage.commands, "seconds": time.perf_counter() - started}


if __name__ == "__main__":
    atexit.register(remove_inputs)
    serve(run_case)
