"""One file of hits: its place, its metadata, and its hits as recorded."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import polars as pl

from gammapolars.core.errors import GammapolarsError, InputError, UsageError
from gammapolars.core.fingerprint import fingerprint
from gammapolars.core.quantities import axis_columns
from gammapolars.core.schema import HITS, require
from gammapolars.core.small_files import check_regular
from gammapolars.core.types import Key
from gammapolars.io.foreign import as_hits
from gammapolars.io.formats import FORMATS, REMOTE, format_of
from gammapolars.io.pairs import NO_HITS, is_of_pairs
from gammapolars.io.reading import READING, Reading
from gammapolars.io.remote import is_remote
from gammapolars.io.rollover import Counter
from gammapolars.streaming.order_tally import OrderTally
from gammapolars.streaming.steps_back import StepBack


@dataclass
class Span:
    """The times (ps) of a file's first and last hit, as far as it has been read.

    Attributes:
        first_ps: of the first hit.
        last_ps: of the last hit.
        detectors: both, of each detector, by (board, channel).
    """

    first_ps: int | None = None
    last_ps: int | None = None
    detectors: dict[Key, tuple[int, int]] = field(default_factory=dict)

    def add(self, hits: pl.DataFrame) -> None:
        """Widen it by some hits."""
        times = hits["timestamp_ps"]
        if times.is_empty():
            return
        first, last = int(times.min()), int(times.max())  # type: ignore[arg-type]
        self.first_ps = first if self.first_ps is None else min(first, self.first_ps)
        self.last_ps = last if self.last_ps is None else max(last, self.last_ps)
        for key, begin, end in _by_detector(hits, first, last):
            self._widen(key, begin, end)

    def merge(self, other: "Span") -> None:
        """Widen it by that of further hits."""
        if other.first_ps is None or other.last_ps is None:
            return
        self.first_ps = other.first_ps if self.first_ps is None else min(other.first_ps, self.first_ps)
        self.last_ps = other.last_ps if self.last_ps is None else max(other.last_ps, self.last_ps)
        for key, (begin, end) in other.detectors.items():
            self._widen(key, begin, end)

    def _widen(self, key: Key, begin: int, end: int) -> None:
        known = self.detectors.get(key, (begin, end))
        self.detectors[key] = min(begin, known[0]), max(end, known[1])


def _by_detector(hits: pl.DataFrame, first: int, last: int) -> Iterator[tuple[Key, int, int]]:
    """Each detector, with its first and last time; of one detector those that are known."""
    ends = hits.select(pl.col("board", "channel").min().name.prefix("least_"), pl.col("board", "channel").max()).row(0)
    if ends[:2] == ends[2:]:
        yield ends[:2], first, last
        return
    time = pl.col("timestamp_ps")
    spans = hits.group_by("board", "channel").agg(first=time.min(), last=time.max())
    yield from (((board, channel), begin, end) for board, channel, begin, end in spans.iter_rows())


@dataclass
class Order:
    """How far the hits of a stream are out of time order, by the reading of it that went furthest.

    Attributes:
        hits: how many were read.
        inversions: hits that lie before their predecessor.
        largest_step_back_ps: by how much at most.
        step_back: where it looks as if the clock had started again, without a flag.
        run_again: a run that goes on after another one.
    """

    hits: int = 0
    inversions: int = 0
    largest_step_back_ps: int = 0
    step_back: StepBack | None = None
    run_again: int | None = None

    def take(self, tally: OrderTally) -> None:
        """Remember a reading, unless another one went further."""
        if tally.hits >= self.hits:
            self.hits, self.inversions = tally.hits, tally.inversions
            self.largest_step_back_ps = tally.largest_step_back_ps
            if len(tally.blocks) <= 1:  # several runs in one file begin again each
                self.step_back = tally.step_back
            again = [run for place, run in enumerate(tally.blocks) if run in tally.blocks[:place]]
            self.run_again = min(again, default=None)


@dataclass(frozen=True)
class InputFile:
    """One file of a run.

    Attributes:
        path: where it lies.
        hits: its hits as recorded.
        reading: how they are read.
        span: when they were recorded, known once the file has been read as one of several.
        order: how far the hits of its stream, whose first file it is, are out of time order, known once they are read.
        counter: that of its times, if it rolls over without a flag.
    """

    path: Path
    hits: pl.LazyFrame
    reading: Reading = field(default_factory=Reading)
    span: Span = field(default_factory=Span, compare=False)
    order: Order = field(default_factory=Order, compare=False)
    counter: Counter | None = None

    @property
    def size_bytes(self) -> int:
        return self.path.stat().st_size

    @cached_property
    def fingerprint(self) -> str:
        """A hash that distinguishes the file from others."""
        return fingerprint(self.path)

    def watched(self, batches: Iterable[pl.DataFrame], reorder_ps: int) -> Iterator[pl.DataFrame]:
        """The same hits, as recorded, of this file and those that follow it; their order is noted."""
        tally = OrderTally(reorder_ps)
        for batch in batches:
            tally.add(batch["timestamp_ps"])
            self.order.take(tally)
            yield batch

    def count(self) -> int | None:
        """How many hits it holds, if its metadata says so."""
        form = format_of(self.path)
        return form.count(self.path, self.reading, self.hits) if form else None


def open_file(path: Path, reading: Reading, *, follows: InputFile | None = None) -> InputFile:
    """Read the metadata of a file of hits.

    Args:
        path: where it lies.
        reading: how it is read.
        follows: the file before, of the same recording, whose counter goes on in this one.

    Raises:
        InputError: it is empty, damaged, or no table of hits.
        UsageError: it has a suffix that no reader is for.
    """
    form = format_of(path)
    if form is None:
        from gammapolars.io.spectrum_files import READ_FORMATS

        _check_no_spectrum(path)
        raise UsageError(
            f"{path}: unknown suffix '{path.suffix}': hits are read from {', '.join(FORMATS)}, and spectra, "
            f"by peaks and calibrate, from {', '.join(READ_FORMATS)}"
        )
    if is_remote(path) and not form.remote:
        raise InputError(
            f"{path}: only {' and '.join(REMOTE)} files can be read from a server: copy it to this computer first"
        )
    if not is_remote(path):
        check_regular(path)
    if path.stat().st_size == 0:
        raise InputError(f"{path}: is empty")
    period = reading.period_ps
    counter = Counter(period, follows.counter if follows else None) if period else None
    try:
        hits = as_hits(form.scan, path, reading, unchecked=form.unchecked, counter=counter)
    except InputError:
        _check_no_other(path)
        raise
    try:
        require(hits, HITS, columns=("board", "channel", "timestamp_ps"))
    except GammapolarsError as error:
        _check_no_other(path)
        raise InputError(
            f"{path}: {error}; if the columns have other names, give them in [columns] of detectors.toml"
        ) from None
    return InputFile(path, hits, reading, counter=counter)


def completed(hits: pl.LazyFrame, columns: pl.Schema) -> pl.LazyFrame:
    """A file's hits with the columns of its run, in their order: those that it does not have are null."""
    there = hits.collect_schema()
    if there == columns and list(there) == list(columns):
        return hits
    return hits.select(
        pl.lit(None, dtype).alias(name)
        if name not in there
        else pl.col(name)
        if there[name] == dtype
        else pl.col(name).cast(dtype)
        for name, dtype in columns.items()
    )


def _check_no_spectrum(path: Path) -> None:
    """Raise an InputError for a file of spectra, where one of hits should be."""
    from gammapolars.io.spectrum_files import is_spectrum  # the formats of spectra are many, and hardly ever needed

    if not is_remote(path) and is_spectrum(path):
        raise InputError(f"{path}: contains a spectrum, not hits: spectra are read by peaks and calibrate")


def _check_no_other(path: Path) -> None:
    """The same for files of pairs and of matrices, too."""
    if is_of_pairs(path):
        raise InputError(NO_HITS.format(path))
    form = format_of(path)
    columns = list[str]()
    with suppress(GammapolarsError):
        columns = form.scan(path, READING).collect_schema().names() if form else []
    if axis_columns(columns) and "counts" in columns:
        raise InputError(f"{path}: contains a matrix, not hits: matrices are read by gate and plot")
    _check_no_spectrum(path)
