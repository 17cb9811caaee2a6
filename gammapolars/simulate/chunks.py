"""A simulated run in chunks, in order of time."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import polars as pl

from gammapolars.core.errors import UsageError
from gammapolars.simulate.decays import START_PS, Deposits, Emitter
from gammapolars.simulate.digitizer import Chunk, Digitizer
from gammapolars.simulate.emission import Correlation
from gammapolars.simulate.response import SimulatedDetector
from gammapolars.simulate.sources import Source

_CHUNK_HITS = 1_000_000

_AHEAD = 3  # blocks that are computed or wait

_FOREVER_PS = 2**62


def simulate(
    sources: Sequence[Source],
    detectors: Sequence[SimulatedDetector],
    *,
    seed: int = 1,
    hits: int | None = None,
    duration_s: float | None = None,
    correlations: Sequence[Correlation] = (),
    chunk_hits: int = _CHUNK_HITS,
) -> Iterator[Chunk]:
    """Hits and their truth in order of time, in memory that does not grow with their number.

    Equal arguments give equal hits; the chunk size changes nothing but the chunks, and a run with fewer hits is the
    beginning of one with more.

    Args:
        sources: nuclides and activities; none for background only.
        detectors: around them.
        seed: of the random numbers, 0 or more.
        hits: stop after this many.
        duration_s: stop with the last decay before this time.
        correlations: of gamma rays in cascade.
        chunk_hits: rows of each chunk but the last.

    Raises:
        UsageError: no end (neither `hits` nor `duration_s`), or an argument out of its range.
    """
    if hits is None and duration_s is None:
        raise UsageError("the simulation has no end: give a number of hits, a duration, or both")
    if (hits is not None and hits < 0) or (duration_s is not None and not 0 < duration_s < 4e6):
        raise UsageError("the number of hits must not be negative, and the duration must be 0 to 4 million seconds")
    if chunk_hits < 1 or seed < 0:
        raise UsageError("the seed must not be negative, and a chunk must hold at least one hit")
    emitter = Emitter(sources, detectors, seed, correlations)
    stop_ps = None if duration_s is None else START_PS + round(duration_s * 1e12)
    return _rechunk(_pieces(emitter, stop_ps), chunk_hits, hits)


def _pieces(emitter: Emitter, stop_ps: int | None) -> Iterator[Chunk]:
    """The run as it comes, one piece a block; without a stop it never ends."""
    digitizer = Digitizer(emitter.detectors, emitter.sources)
    blocks = None if stop_ps is None else -(-(stop_ps - START_PS) // emitter.block_ps)
    waiting: deque[Future[tuple[Deposits, int]]] = deque()
    started = finished = decays = 0
    pool = ThreadPoolExecutor(2)
    try:
        while blocks is None or finished < blocks:
            while len(waiting) < _AHEAD and (blocks is None or started < blocks):
                waiting.append(pool.submit(emitter.block, started, stop_ps))
                started += 1
            deposits, count = waiting.popleft().result()
            deposits.decay[deposits.decay > 0] += decays
            finished, decays = finished + 1, decays + count
            yield digitizer.push(deposits, emitter.earliest_ps(START_PS + finished * emitter.block_ps))
        yield digitizer.push(deposits.take(slice(0, 0)), _FOREVER_PS)
    finally:
        pool.shutdown(cancel_futures=True)


def _rechunk(pieces: Iterator[Chunk], chunk_hits: int, hits: int | None) -> Iterator[Chunk]:
    """Chunks of one size, and no more hits than wanted."""
    left = _FOREVER_PS if hits is None else hits
    parts: list[Chunk] = []
    count = 0
    for piece in pieces if left else ():
        parts.append(Chunk(piece.hits[:left], piece.truth[:left]))
        left -= len(parts[-1].hits)
        count += len(parts[-1].hits)
        if count >= chunk_hits or not left:
            whole = Chunk(*(pl.concat(frames) for frames in zip(*parts, strict=True)))
            full = count - count % chunk_hits if left else count
            for begin in range(0, full, chunk_hits):
                end = min(full, begin + chunk_hits)
                yield Chunk(whole.hits[begin:end], whole.truth[begin:end])
            parts, count = [Chunk(whole.hits[full:], whole.truth[full:])], count - full
        if not left:
            return
    if count:
        yield Chunk(*(pl.concat(frames) for frames in zip(*parts, strict=True)))
