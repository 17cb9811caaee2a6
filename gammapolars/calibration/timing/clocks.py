"""Clocks of boards that run at different rates, measured from how the prompt peaks of their pairs move through runs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from gammapolars.calibration.timing import solve
from gammapolars.calibration.timing.clock_fit import ClockFit, Moves, fit_clocks
from gammapolars.calibration.timing.follow import MOST_RATE, Follower
from gammapolars.calibration.timing.lines import MOST_TRIALS
from gammapolars.calibration.timing.reading import PairReader
from gammapolars.calibration.timing.sample import ends_of
from gammapolars.calibration.timing.search import Search
from gammapolars.core.schema import DType, floats
from gammapolars.core.types import Floats
from gammapolars.core.units import PS_PER_S, format_ps
from gammapolars.detectors import BoardClock, combined
from gammapolars.streaming.slices import run_of

CLOCK_COLUMNS: dict[str, DType] = {
    "board": pl.UInt16,
    "reference": pl.Boolean,
    **floats("rate_ppm", "rate_ppm_unc", "change_ppm"),
    "rates": pl.Int64,
    **floats("moves_ps"),
}

CHANCE = 1e-9
"""Clocks differ if the probability that their pairs say so by chance is no more than this,"""

MOVES = 0.1
"""and if the peak moves by more than this part of its FWHM: less does not make it wider."""

LEAST_STRETCHES = 2

MOST_CHANNELS = 8
"""Channels of a board whose detectors are looked at one by one."""

LEAST_TRIALS = 5_000_000
"""Trials for each of many pairs of boards, which would take minutes otherwise."""

MISFIT = 2.0
"""A warning says that the peak still moves if χ²/n of its positions is larger, and the move matters."""

DECIMALS = 10
"""Decimals of rates in ppm: they are wrong by 5 ps in a day."""


@dataclass(frozen=True)
class _Tied:
    """Boards that prompt peaks tie to each other: their moves, the fit to them, and which clocks are the same.

    `same` gives for each board the first one that has its clock; that of the reference is `reference`.
    """

    reference: int
    moves: Sequence[Moves]
    fit: ClockFit
    same: Mapping[int, int]


@dataclass(frozen=True)
class Clocks:
    """Results for the clocks of boards.

    Attributes:
        clocks: those of detectors.toml as they should be; as they were where nothing differs.
        offset_ps: where clocks have changed: how much later than those of the reference a board's hits are when all
            clocks are right and show 0.
        table: one row per board: whether it is the `reference`; `rate_ppm`, how fast its clock is (in the mean, as it
            is now corrected), with `rate_ppm_unc`; `change_ppm`, how fast beyond the rate that detectors.toml gave
            before; `rates`, how many were fitted; `moves_ps`, how far the peak with the reference's moves by it.
        notes: the steps taken, one sentence each.
        warnings: doubts to consider, one sentence each.
    """

    clocks: tuple[BoardClock, ...]
    offset_ps: Mapping[int, float]
    table: pl.DataFrame
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    tied: tuple[_Tied, ...]

    @property
    def changed(self) -> bool:
        """Whether clocks are others than before."""
        return bool(self.offset_ps)

    def offset_covariance(self, boards: Sequence[int], time_s: float) -> Floats:
        """The contribution of the rates of changed clocks to the covariance of offsets measured at a time, ps²."""
        covariance = np.zeros((len(boards), len(boards)))
        for one in self.tied if self.changed else ():
            arm = one.fit.knots.basis(np.array([time_s]))[0]
            of_clocks = np.einsum("i,aibj,j->ab", arm, one.fit.covariance, arm)
            places = [
                one.fit.boards.index(clock) if (clock := one.same.get(board)) in one.fit.boards else -1
                for board in boards
            ]
            with_zero = np.pad(of_clocks, (0, 1))  # at -1, the last place
            covariance += with_zero[np.ix_(places, places)]
        return covariance


def measure_clocks(reading: PairReader, search: Search, reach_ps: int, reference: int | None) -> Clocks | None:
    """The rates of boards' clocks, where pairs of two boards show a prompt peak that can be followed; else None.

    Args:
        reading: how the runs are read.
        search: for the peaks that do not move.
        reach_ps: how far from where offsets put it the peak may lie at first.
        reference: the board whose clock stays as it is; else the first of those that are tied together.
    """
    boards = sorted({board for board, _ in search.keys})
    followers = _followers(reading, _board_pairs(search, boards), reach_ps)
    moves = [Moves(run, f.boards, f.stretches) for run, f in followers if len(f.stretches) >= LEAST_STRETCHES]
    if not moves:
        return None
    group = dict(zip(boards, solve.groups(_ends(moves, boards), len(boards)).tolist(), strict=True))
    tied, rows = [], []
    for number in sorted(set(group.values()) - {-1}):
        members = [board for board in boards if group[board] == number]
        own = [one for one in moves if one.boards[0] in members]
        one, of_boards = _tied(own, members, reference if reference in members else members[0])
        if np.abs(one.fit.rates).max(initial=0.0) <= 2 * MOST_RATE:  # else there is too little time for a rate
            tied.append(one)
            rows += of_boards
    if not tied:
        return None
    clocks = _clocks(reading, tied, rows)
    # Where no clock is corrected, a peak that is not followed to the end stands still as far as it was followed.
    lost = _lost(follower for _, follower in followers) if clocks.clocks else ()
    return replace(clocks, warnings=(*clocks.warnings, *lost))


def detectors_apart(reading: PairReader, search: Search, reach_ps: int) -> str:
    """A clause, where detectors of the only board have a prompt peak that moves as if each had a clock of its own."""
    channels = sorted({channel for _, channel in search.keys})
    if not 1 < len(channels) == len(search.keys) <= MOST_CHANNELS or len({board for board, _ in search.keys}) > 1:
        return ""
    followers = _followers(reading, list(combinations(channels, 2)), reach_ps, by="channel")
    moves = [Moves(run, f.boards, f.stretches) for run, f in followers if len(f.stretches) >= LEAST_STRETCHES]
    for one in moves:
        fit = fit_clocks([one], one.boards[0])
        if _differ(fit, 0, None):
            a, b = (reading.detectors.at(search.keys[0][0], channel).name for channel in one.boards)
            row = _row(fit, one.boards[1], one.boards[0])
            return f"the peak of {a} and {b} moves by {row['change_ppm']:.6g} ppm, {_about(row['moves_ps'])} in all"
    return ""


def _board_pairs(search: Search, boards: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs of boards that show a peak, if those tie all boards together; else all of them."""
    peaks = sorted({(a[0], b[0]) for a, b in search.peaks if a[0] != b[0]})
    group = solve.groups(ends_of([((a, 0), (b, 0)) for a, b in peaks], [(board, 0) for board in boards]), len(boards))
    return peaks if len(boards) and (group == 0).all() else list(combinations(boards, 2))


def _ends(moves: Sequence[Moves], boards: Sequence[int]) -> solve.Ends:
    return ends_of([((a, 0), (b, 0)) for _, (a, b), _ in moves], [(board, 0) for board in boards])


def _followers(
    reading: PairReader, pairs: Sequence[tuple[int, int]], reach_ps: int, *, by: str = "board"
) -> list[tuple[int, Follower]]:
    """The followers of all pairs of boards (or of other units with clocks) through each run, with the run's number."""
    trials = max(MOST_TRIALS // len(pairs), LEAST_TRIALS)
    found: list[tuple[int, Follower]] = []
    none = np.zeros(0, np.int64)
    run, own = None, list[Follower]()
    for frame in reading.accepted_hits():
        if run_of(frame) != run:
            for follower in own:
                follower.add(none, none, none, end=True)
            run, own = run_of(frame), [Follower(pair, reach_ps, trials) for pair in pairs]
            found += [(run, follower) for follower in own]
        columns = [frame[name].to_numpy() for name in (by, "channel", "timestamp_ps")]
        for follower in own:
            follower.add(*columns)
    for follower in own:
        follower.add(none, none, none, end=True)
    return found


def _tied(moves: Sequence[Moves], boards: Sequence[int], reference: int) -> tuple[_Tied, list[dict[str, Any]]]:
    """The fit to moves of boards, those with the same clock taken together, and the rates of each board's own clock."""
    fit = fit_clocks(moves, reference)
    rows = [_row(fit, board, reference) for board in boards]
    same = _same_clocks(fit, reference)
    if any(board != other for board, other in same.items()):
        joined = [one._replace(boards=(same[one.boards[0]], same[one.boards[1]])) for one in moves]
        fit = fit_clocks(joined, reference, number=fit.knots.number)
    return _Tied(reference, moves, fit, same), rows


def _same_clocks(fit: ClockFit, reference: int) -> dict[int, int]:
    """For each board the first one that has the same clock, as far as pairs show: the reference before others."""
    own = dict(zip(fit.boards, range(len(fit.boards)), strict=True))
    same, clocks = {reference: reference}, [reference]
    for board in fit.boards:
        same[board] = next((other for other in clocks if not _differ(fit, own[board], own.get(other))), board)
        if same[board] == board:
            clocks.append(board)
    return same


def _differ(fit: ClockFit, one: int, other: int | None) -> bool:
    """Whether two clocks, or one and the reference's, differ significantly, and by enough to matter."""
    from scipy.stats import chi2

    rates, covariance = fit.rates[one], fit.covariance[one, :, one, :]
    if other is not None:
        mixed = fit.covariance[one, :, other, :]
        rates = rates - fit.rates[other]
        covariance = covariance + fit.covariance[other, :, other, :] - mixed - mixed.T
    square = float(rates @ np.linalg.pinv(covariance, rcond=1e-14, hermitian=True) @ rates)
    return bool(square > chi2.isf(CHANCE, len(rates)) and _moves_ps(fit, rates) > MOVES * fit.fwhm_ps)


def _moves_ps(fit: ClockFit, rates: Floats) -> float:
    return float(np.ptp(fit.shifts(rates)))


def _row(fit: ClockFit, board: int, reference: int) -> dict[str, Any]:
    """Results for a board's own clock."""
    if board == reference:
        return {"board": board, "reference": True, "change_ppm": 0.0, "rates": 0, "moves_ps": 0.0}
    place, (first, last, number) = fit.boards.index(board), fit.knots
    ends = fit.knots.basis(np.array([first, last]))
    mean = (ends[1] - ends[0]) / (last - first) if last > first else np.full(number, 1 / number)
    unc = np.sqrt(max(float(mean @ fit.covariance[place, :, place, :] @ mean), 0.0))
    return {
        "board": board,
        "reference": False,
        "change_ppm": float(_ppm(mean @ fit.rates[place])),
        "rate_ppm_unc": unc / PS_PER_S * 1e6,
        "rates": number,
        "moves_ps": _moves_ps(fit, fit.rates[place]),
    }


def _ppm(share_ps_per_s: Floats) -> Floats:
    """How fast a clock runs, of how much of its time is too much."""
    share = share_ps_per_s / PS_PER_S
    return np.asarray(share / (1 - share) * 1e6)


def _clocks(reading: PairReader, tied: Sequence[_Tied], rows: list[dict[str, Any]]) -> Clocks:
    """All that was found, with the clocks that detectors.toml gets."""
    before = {clock.board: clock for clock in reading.detectors.clocks}
    after, offsets = dict(before), dict[int, float]()
    notes, warnings = list[str](), list[str]()
    for one in tied:
        different = [board for board, same in one.same.items() if same != one.reference]
        for board in different:
            found = _board_clock(one.fit, board, one.fit.boards.index(one.same[board]))
            after[board] = combined(before.get(board), found)
            notes.append(_note(after[board], one.reference, rows))
        if different:
            offsets |= _offsets(one)
            warnings += _remaining(one, several=len({move.run for move in one.moves}) > 1)
    for row in rows:
        clock = after.get(row["board"])
        row["rate_ppm"] = sum(clock.rates) / len(clock.rates) if clock else 0.0
    clocks = tuple(after[board] for board in sorted(after, key=lambda board: (board not in before, board)))
    table = pl.DataFrame(rows, CLOCK_COLUMNS).sort("board")
    return Clocks(clocks, offsets, table, tuple(notes), tuple(warnings), tuple(tied))


def _board_clock(fit: ClockFit, board: int, place: int) -> BoardClock:
    rates = tuple(round(float(rate), DECIMALS) for rate in _ppm(fit.rates[place]))
    if len(rates) == 1:
        return BoardClock(board, rates[0])
    return BoardClock(board, rates, (fit.knots.first_s, fit.knots.last_s))


def _offsets(tied: _Tied) -> dict[int, float]:
    """How much later the hits of each board are than those of the reference when their clocks are right and show 0."""
    boards = sorted(tied.same)
    ends = _ends(tied.moves, boards)
    offsets = solve.tree_offsets(ends, tied.fit.offsets, [len(one.stretches) for one in tied.moves], len(boards))
    by_board = dict(zip(boards, offsets.tolist(), strict=True))
    return {board: float(offset - by_board[tied.reference]) for board, offset in by_board.items()}


def _note(clock: BoardClock, reference: int, rows: Sequence[dict[str, Any]]) -> str:
    moves_ps = next(row["moves_ps"] for row in rows if row["board"] == clock.board)
    return (
        f"the clock of board {clock.board} is {_rates(min(clock.rates), max(clock.rates))} relative to that "
        f"of board {reference}: without correction the peak moves by {_about(moves_ps)}"
    )


def _rates(low: float, high: float) -> str:
    """Between which rates a clock runs, in words."""
    word, least, most = ("fast", low, high) if low >= 0 else ("slow", -high, -low) if high <= 0 else ("off", low, high)
    return f"{word} by {least:.6f} ppm" if least == most else f"{word} by {least:.6f} to {most:.6f} ppm"


def _about(time_ps: float) -> str:
    """A time with three digits."""
    return format_ps(round(float(f"{time_ps:.3g}")))


def _remaining(tied: _Tied, *, several: bool) -> Iterator[str]:
    """Whether peaks still move after the correction, in a sentence."""
    fit = tied.fit
    if fit.chi2_ndf > MISFIT and fit.remaining_ps > MOVES * fit.fwhm_ps:
        advice = "align each run separately" if several else "the rates change too fast to be tracked"
        names = ", ".join(map(str, sorted(tied.same)))
        moves = _about(fit.remaining_ps)
        yield f"the prompt peaks of boards {names} still move by about {moves} after the correction: {advice}"


def _lost(followers: Iterator[Follower]) -> Iterator[str]:
    for one in followers:
        if one.stretches and one.lost_s is not None:
            a, b = one.boards
            yield (
                f"the prompt peak of boards {a} and {b} could be tracked only up to {one.lost_s:.6g} s of "
                f"{one.last_s:.6g} s: after that, the last rates of their clocks are used"
            )
