"""A process that runs cases, one after the other, as `tests.fuzz.worker` does."""

import random
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.commandline import gammapolars, gammapolars_process
from tests.fuzz.outcomes import Wrong
from tests.fuzz.worker import serve
from tests.oracle.pairs import check_events, check_hits, check_pairs, check_preselected, check_random_windows
from tests.oracle.recordings import REORDER_PS, Recording, drawn, in_one_file
from tests.oracle.spectra import check_energies_of_channels, check_matrix, check_side_outputs, check_spectra
from tests.oracle.trial import Refusal, Trial, column_rows, in_order, same_rows, values_of
from tests.oracle.writing import write_recording

CHECKS: tuple[Callable[[Trial], None], ...] = (
    check_hits,
    check_pairs,
    check_random_windows,
    check_preselected,
    check_events,
    check_spectra,
    check_energies_of_channels,
    check_matrix,
    check_side_outputs,
)

KINDS = {"oracle": 2000}
"""Of which kind there are so many cases."""

LIMIT_S = 120.0
"""A run takes half a second; a process of its own, where the machine is busy, some seconds."""

PROCESS = 10
"""One run in so many has a command in a process of its own."""

SORTED = 0.08
"""So large a share of the runs is out of order by any time, and sorted first."""


def run_case(name: str, seed: int, number: int, folder: Path | None = None) -> dict[str, Any]:
    """Run one case; the answer is what was done, or what went wrong."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="oracle-") as temporary:
        rng = random.Random(f"{name} {seed} {number}")
        recording = drawn(rng)
        trial = Trial.of(recording, folder or Path(temporary), rng)
        answer: dict[str, Any] = {"read": True, "partial": False, "unnoticed": False}
        try:
            if rng.random() < SORTED:
                _sort(trial)
            own = rng.randrange(len(CHECKS)) if number % PROCESS == 0 else None
            for place, check in enumerate(CHECKS):
                trial.run = gammapolars_process if place == own else gammapolars
                check(trial)
        except (Wrong, Refusal) as wrong:
            answer = {"failure": f"{wrong} [{trial.commands[-1]}]", "trace": traceback.format_exc()}
        except Exception as error:  # of the check itself
            answer = {"failure": f"the check failed: {error!r}", "trace": traceback.format_exc()}
    told = {"base": recording.clockwork, "steps": steps(recording), "commands": trial.commands}
    return answer | told | {"seconds": time.perf_counter() - started}


def steps(recording: Recording) -> list[str]:
    """What a recording is like, in words."""
    hits = len(recording.recorded)
    return [recording.suffix, recording.layout, f"{len(recording.files)} files", f"{hits} hits"]


def _sort(trial: Trial) -> None:
    """Shuffle the hits of each file, sort them by the command, and go on with what it wrote."""
    shuffled = []
    for file in trial.recording.files:
        # The hits of a column `run` stay in blocks.
        hits = sorted(trial.rng.sample(list(file.hits), len(file.hits)), key=lambda hit: hit["run"])
        shuffled.append(file._replace(hits=hits))
    recording = replace(trial.recording, files=tuple(shuffled), disorder_ps=REORDER_PS)
    plain = replace(trial.recording, detectors={})
    trial.words, trial.recording = write_recording(recording, trial.folder / "shuffled"), plain
    found = trial.output("convert", "--sort")
    names = ("run", "timestamp_ps", "board", "channel", "adc", "flags", "energy_kev")
    same_rows("sorted hits", column_rows(found, names), values_of(plain.recorded, names))
    in_order("sorted hits", found, "run", "timestamp_ps")
    trial.recording = in_one_file(recording, found.rows(named=True), "sorted.parquet")
    trial.words = write_recording(trial.recording, trial.folder)
    if recording.detectors:
        trial.words += ["--detectors", trial.folder / "detectors.toml"]


if __name__ == "__main__":
    serve(run_case)
