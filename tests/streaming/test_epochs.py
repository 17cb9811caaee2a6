"""Resets and rollovers of timestamps, against a recording that was never reset."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gammapolars.coincidences import pairs
from gammapolars.core.errors import TimeOrderError
from gammapolars.io import open_runs
from gammapolars.io.order import Source, merged
from gammapolars.streaming import epochs as cutting
from gammapolars.streaming.slices import slices
from gammapolars.streaming.time_order import RESET_GAP_PS, Repair, time_ordered
from tests.commandline import gammapolars
from tests.drawing import examples
from tests.hits import SIZES, Hit, brute_pairs, frame, in_batches, numbered, pair_rows, stream, times

S = 10**12
RESET, ROLLOVER, FAKE_ROLLOVER = 0x4, 0x2, 0x8 | 0x10000
REORDER = 100

Recorded = list[tuple[int, Hit]]
"""Hits with their time since the run's start: what the digitizer recorded, and what is true."""


@st.composite
def recordings(draw: st.DrawFn) -> tuple[list[Recorded], list[int]]:
    """Up to three epochs of three channels; each channel flags its own first hit after a reset.

    Returns:
        The hits of each epoch in true order, and the latest time of each epoch by its own clock.
    """
    found, lasts = [], []
    for number in range(draw(st.integers(1, 3))):
        time = draw(st.integers(0, 50))
        entered: set[int] = set()
        hits: Recorded = []
        # Long against the reorder buffer, and every channel is hit before the first reset.
        gaps = [draw(st.integers(0, 30)) for _ in range(draw(st.integers(3, 12)))]
        gaps += [
            20 * REORDER,
            *(draw(st.integers(0, 30) | st.integers(0, 300)) for _ in range(draw(st.integers(0, 12)))),
        ]
        for place, gap in enumerate(gaps):
            time += gap
            channel = place if place < 3 else draw(st.integers(0, 2))
            flags = RESET if number and channel not in entered else 0
            entered.add(channel)
            hits.append((time, Hit(time, channel, 0, 0, flags)))
        found.append(hits)
        lasts.append(time)
    return found, lasts


def continued(epochs: list[Recorded], lasts: list[int]) -> pl.DataFrame:
    """The same hits by a clock that was never reset, the gap apart."""
    offset, hits = 0, []
    for recorded, last in zip(epochs, lasts, strict=True):
        hits += [hit._replace(time=time + offset) for time, hit in recorded]
        offset += last + RESET_GAP_PS
    return numbered(hits)


def as_recorded(epochs: list[Recorded], truth: pl.DataFrame) -> pl.DataFrame:
    """The truth's hits with the times that the digitizer wrote."""
    at = [time for recorded in epochs for time, _ in recorded]
    return truth.with_columns(timestamp_ps=pl.Series(at, dtype=pl.Int64))


@st.composite
def interleaved(draw: st.DrawFn, epochs: list[Recorded]) -> list[int]:
    """An order in which hits near the borders are read out: late hits of one channel behind early ones of another.

    A channel's own hits keep their order, and no hit is further back than the reorder buffer.
    """
    order: list[int] = []
    first = 0
    for number, recorded in enumerate(epochs):
        rows = list(range(first, first + len(recorded)))
        first += len(recorded)
        if number:
            begin = recorded[0][0]
            early = [row for row, (time, _) in zip(rows, recorded, strict=True) if time - begin <= REORDER]
            last = epochs[number - 1][-1][0]
            before = dict(zip(range(rows[0] - len(epochs[number - 1]), rows[0]), epochs[number - 1], strict=True))
            channel = draw(st.integers(0, 2))
            # Of one channel the last hits come behind the first hits of the others.
            stragglers = [
                row
                for row in order
                if row in before and before[row][1].channel == channel and last - before[row][0] <= REORDER
            ]
            kept = [time for row, (time, _) in before.items() if row not in stragglers]
            if not kept or last - max(kept) > REORDER:
                stragglers = []  # nothing else would tell how far the epoch had come
            others = [row for row in early if recorded[row - rows[0]][1].channel != channel]
            lead = others[: draw(st.integers(0, len(others)))]
            lead = [row for row in lead if all(earlier in lead for earlier in others if earlier < row)]
            # Only hits that come before any early one of the late channel may overtake its stragglers.
            order = [row for row in order if row not in stragglers] + lead + stragglers
            rows = [row for row in rows if row not in lead]
        order += rows
    return order


@examples(150)
@given(st.data(), SIZES)
def test_after_resets_times_go_on_as_if_they_had_never_been(data: st.DataObject, rows: int) -> None:
    epochs, lasts = data.draw(recordings())
    truth = continued(epochs, lasts)
    order = data.draw(interleaved(epochs))
    recorded = as_recorded(epochs, truth)[order]
    repairs: list[Repair] = []

    found = pl.concat(time_ordered(in_batches(recorded, rows), reorder_ps=REORDER, on_repair=repairs.append))

    assert found.sort("timestamp_ps", "adc").equals(truth.sort("timestamp_ps", "adc"))
    assert times(found) == sorted(times(found))
    assert [repair.kind for repair in repairs] == ["reset"] * (len(epochs) - 1)


@examples(80)
@given(recordings(), st.lists(SIZES, min_size=3, max_size=3))
def test_files_of_one_channel_each_get_the_same_offsets(
    drawn: tuple[list[Recorded], list[int]], rows: list[int]
) -> None:
    epochs, lasts = drawn
    truth = continued(epochs, lasts)
    recorded = as_recorded(epochs, truth)
    repairs: list[Repair] = []

    found = pl.concat(merged(by_channel(recorded, rows), reorder_ps=REORDER, on_repair=repairs.append))

    assert found.equals(truth.sort("timestamp_ps", "channel", maintain_order=True))
    assert len(repairs) == len(epochs) - 1


def by_channel(hits: pl.DataFrame, rows: list[int]) -> list[Source]:
    """A source for each of three channels."""
    return [source(hits.filter(channel=channel), channel, rows[channel]) for channel in range(3)]


def source(hits: pl.DataFrame, channel: int, rows: int) -> Source:
    return Source(hits["timestamp_ps"][0], lambda: iter(in_batches(hits, rows)), (0, channel))


def files(*recorded: Sequence[tuple[int, ...]]) -> list[Source]:
    """A source for each list of hits."""
    return [source(frame(hits), channel, 2) for channel, hits in enumerate(recorded)]


@examples(60)
@given(recordings(), SIZES, st.integers(0, 60))
def test_pairs_are_those_of_the_run_that_was_never_reset(
    drawn: tuple[list[Recorded], list[int]], rows: int, window: int
) -> None:
    epochs, lasts = drawn
    truth = continued(epochs, lasts)

    found = pairs(stream(as_recorded(epochs, truth), rows), window, reorder_ps=REORDER, slice_hits=5)

    assert pair_rows(found) == brute_pairs(truth, (-window, window))


def test_a_channel_that_is_seldom_hit_enters_the_epoch_by_its_flag_alone() -> None:
    often = [(time * S, 0) for time in range(10)] + [(0, 0, 0, 0, RESET), *((time * S, 0) for time in range(1, 10))]
    seldom = [(2 * S + 1, 1), (5 * S + 1, 1, 0, 0, RESET), (7 * S + 1, 1)]

    found = pl.concat(merged(files(often, seldom), reorder_ps=REORDER))

    assert times(found.filter(channel=0)) == [time * S for time in range(20)]
    assert times(found.filter(channel=1)) == [2 * S + 1, 15 * S + 1, 17 * S + 1]


def test_files_without_a_border_belong_to_the_first_epoch() -> None:
    long = [(0, 0), (5 * S, 0), (1, 0, 0, 0, RESET)]
    ended, late = [(1 * S, 1)], [(7 * S, 2), (8 * S, 2)]

    found = pl.concat(merged(files(long, ended, late)))

    assert times(found) == [0, 1 * S, 5 * S, 7 * S, 8 * S, 8 * S + RESET_GAP_PS + 1]


def counter(hits: int, *, tick: int, period: int, flags: int = ROLLOVER) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A counter's recording with a flag on the first hit after each rollover, and the truth."""
    truth = numbered(((place * 7 + place % 3) * tick * 1000, place % 2) for place in range(hits))
    recorded = truth.with_columns(timestamp_ps=pl.col("timestamp_ps") % period)
    back = recorded["timestamp_ps"].diff() < 0
    return truth, recorded.with_columns(flags=pl.when(back).then(flags).otherwise(0).cast(pl.UInt32))


@pytest.mark.parametrize("rows", [pytest.param(1, marks=pytest.mark.slow), 7, 1000])
@pytest.mark.parametrize("tick", [1, 2000, 4000])
def test_a_rollover_adds_the_counters_period(rows: int, tick: int) -> None:
    period = tick * 1000 * 2**12
    truth, recorded = counter(2000, tick=tick, period=period)
    repairs: list[Repair] = []

    found = pl.concat(time_ordered(in_batches(recorded, rows), reorder_ps=REORDER, on_repair=repairs.append))

    assert times(found) == times(truth)
    assert [(repair.kind, repair.period_ps) for repair in repairs] == [("rollover", period)] * 3
    assert [repair.offset_ps for repair in repairs] == [period, 2 * period, 3 * period]


def test_a_rollover_at_no_power_of_two_is_treated_like_a_reset() -> None:
    _, recorded = counter(1000, tick=4000, period=4000 * 1000 * 4500)
    repairs: list[Repair] = []

    found = times(list(time_ordered([recorded], reorder_ps=REORDER, on_repair=repairs.append)))

    assert found == sorted(found)
    (repair,) = repairs
    assert (repair.kind, repair.period_ps) == ("rollover", None)
    assert repair.offset_ps == repair.before_ps + RESET_GAP_PS


@pytest.mark.parametrize("rows", [1, 2, 100])
def test_a_fake_event_may_tell_of_the_rollover_before_the_step_back(rows: int) -> None:
    truth, recorded = counter(700, tick=4000, period=4000 * 1000 * 2**12)
    row = int(recorded["flags"].arg_max() or 0)
    fake = recorded[row - 1 : row].with_columns(flags=pl.lit(FAKE_ROLLOVER, pl.UInt32))
    plain = recorded.with_columns(flags=pl.lit(0, pl.UInt32))

    found = pl.concat(time_ordered(in_batches(pl.concat([plain[:row], fake, plain[row:]]), rows), reorder_ps=REORDER))

    assert times(found.filter(flags=0)) == times(truth)
    assert found.height == 701


def test_without_a_flag_a_step_back_to_the_beginning_is_called_what_it_looks_like() -> None:
    hits = frame([(100 * S, 0), (200 * S, 0), (1, 0), (2, 0)])

    with pytest.raises(
        TimeOrderError, match=r"hit 3 is 200 s earlier .* starts again near 0.*without a flag.*separate runs"
    ):
        list(time_ordered([hits]))
    with pytest.raises(TimeOrderError, match="hit 3 is 200 s earlier"):
        list(time_ordered([hits.drop("flags")]))


def test_a_step_back_elsewhere_points_to_the_sort() -> None:
    with pytest.raises(TimeOrderError, match=r"hit 3 is 50 s earlier .*reorder_ps.*convert RUN\.\.\. --sort"):
        list(time_ordered([frame([(100 * S, 0), (200 * S, 0), (150 * S, 0)])]))


def test_an_error_behind_a_reset_counts_hits_from_the_files_beginning() -> None:
    hits = frame([(9 * S,), (0, 0, 0, 0, RESET), (5 * S,), (6 * S,), (4 * S,)])

    with pytest.raises(TimeOrderError, match="hit 5 is 2 s earlier"):
        list(time_ordered(in_batches(hits, 2)))


def test_flags_where_time_does_not_step_back_change_nothing() -> None:
    hits = frame([(time * S, 0, 0, 0, RESET | ROLLOVER) for time in range(5)])

    assert pl.concat(time_ordered([hits])).equals(hits)


def test_flags_are_not_looked_at_as_long_as_times_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def looked(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(cutting._Cutter, "_flags_with_those_before", looked)

    assert len(times(list(time_ordered(in_batches(frame((time,) for time in range(100)), 7))))) == 100


def test_times_that_no_run_can_reach_are_an_error() -> None:
    far = [(2**62, 0), (0, 0, 0, 0, RESET), (2**62, 0), (2**62 + 2**61, 0)]

    with pytest.raises(TimeOrderError, match="106 days"):
        list(time_ordered([frame(far)]))


def test_slices_pass_repairs_on() -> None:
    repairs: list[Repair] = []
    hits = frame([(9 * S,), (0, 0, 0, 0, RESET)])

    cut = list(slices(stream(hits), 10, on_repair=repairs.append))

    assert [time for part in cut for time in times(part.own)] == [9 * S, 9 * S + RESET_GAP_PS]
    assert [str(repair) for repair in repairs] == [
        "timestamp reset at hit 2, from 9 s to 0 ps: from there on 10 s are added (the time between unknown)"
    ]


def test_commands_tell_of_resets(tmp_path: Path) -> None:
    for channel in range(2):
        hits = [(9 * S + channel, channel), (channel, channel, 0, 0, RESET), (S + channel, channel)]
        frame(hits).write_parquet(tmp_path / f"{channel}.parquet")
    both = tmp_path / "*.parquet"

    info = json.loads(gammapolars("info", both, "--json").out)
    found = json.loads(gammapolars("coincidences", both, "-o", tmp_path / "pairs.csv", "--json").out)

    assert "timestamp reset at hit 2" in " ".join(info["warnings"])
    assert "--sort" not in " ".join(info["warnings"])
    assert [row["hit"] for row in info["restarts"]] == [2, 2]
    assert found["pairs"] == 3
    assert found["warnings"] == info["warnings"]


def test_segments_may_hold_an_epoch_together() -> None:
    def batches() -> Iterator[pl.DataFrame]:
        yield frame([(5 * S,), (0, 0, 0, 0, RESET)])
        yield frame([(1 * S,), (2 * S,)])

    found = pl.concat(merged([Source(5 * S, batches)]))

    assert times(found) == [5 * S, 6 * S, 7 * S, 8 * S]


def test_a_single_file_is_repaired_too(tmp_path: Path) -> None:
    frame([(9 * S, 0), (0, 1, 0, 0, RESET), (1, 0, 0, 0, RESET)]).write_parquet(tmp_path / "a.parquet")
    run = open_runs(tmp_path / "a.parquet")

    assert pair_rows(pairs(run.hits, 10)) == [(0, 1, 0, 0, 0, 0, 10 * S, 1)]
