"""The part of a run that a task reads, opened as runs are, and what is to be known of it when it has been read."""

from dataclasses import dataclass, field, replace
from typing import Any

from gammapolars.analysis.tasks.plan import RunPart
from gammapolars.io import Run, Runs
from gammapolars.io.input_file import Order, Span
from gammapolars.io.reading import Losses
from gammapolars.io.runs import reopened
from gammapolars.io.stretches import OwnHits, StretchFile, open_stretch
from gammapolars.streaming.steps_back import StepBack
from gammapolars.streaming.time_order import Repair
from gammapolars.streaming.wild_times import WildTime


class IrregularTimesError(Exception):
    """Times of a part of a run that can only be judged with all of the run before them."""


@dataclass(frozen=True)
class StretchRun(Run):
    """A run of which only a stretch is read: what is to be judged by the whole run is not judged here.

    Attributes:
        irregular: why the run has to be read as a whole, if it has.
    """

    irregular: list[str] = field(default_factory=list, compare=False)

    def note_repair(self, repair: Repair | StepBack) -> None:
        self.irregular.append(str(repair))

    def note_wild(self, path: Any, wild: WildTime) -> bool:
        del path
        self.irregular.append(wild.verdict)
        return True


@dataclass
class PartReading:
    """A part of a run that is being read.

    Attributes:
        part: of the run.
        runs: to be read as others are.
        stretches: by stream, where it is not the whole run.
    """

    part: RunPart
    runs: Runs
    stretches: list[list[StretchFile]]

    @property
    def is_irregular(self) -> bool:
        """Whether times have turned up that are to be judged by the whole run."""
        run = self.runs.all[0]
        return isinstance(run, StretchRun) and bool(run.irregular)

    def check(self) -> None:
        """Raise where times have turned up that are to be judged by the whole run.

        Raises:
            IrregularTimesError: there are such.
        """
        run = self.runs.all[0]
        if isinstance(run, StretchRun) and run.irregular:
            raise IrregularTimesError(run.irregular[0])

    def own(self) -> list[dict[str, OwnHits]]:
        """What was seen of its own hits, by stream and file; of a whole run nothing."""
        return [{str(one.file.path): one.own for one in stream} for stream in self.stretches]

    def orders(self) -> list[tuple[Order, Span]]:
        """How far each file of a whole run was out of order, and when it was recorded."""
        return [] if self.stretches else [(file.order, file.span) for file in self.runs.files]


def open_part(part: RunPart) -> PartReading:
    """The hits of a part of a run.

    Raises:
        InputError: a file is missing, or is not the one that was planned with.
    """
    reading = replace(part.reading, losses=Losses(keep_going=part.reading.losses.keep_going))
    if part.is_whole:
        run = reopened(part.source, reading, part.reorder_ps, part.columns)
        whole = replace(run, drop_duplicates=part.drop_duplicates)
        return PartReading(part, Runs((whole,), reading, part.number), [])
    by_flag = len(part.source.paths) > 1
    stretches = [
        [open_stretch(one, reading, part.columns, part.reorder_ps, by_flag=by_flag) for one in stream]
        for stream in part.streams
    ]
    streams = tuple(tuple(one.file for one in stream) for stream in stretches)
    cut = StretchRun(part.source, streams, part.reorder_ps, detectors=part.detectors)
    return PartReading(part, Runs((cut,), reading, part.number), stretches)
