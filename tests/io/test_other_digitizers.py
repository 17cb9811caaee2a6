"""Tables of other digitizers: clocks in parts, absolute, rolling over; names, events, text, and wide adc values."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import uproot

from gammapolars.core.errors import DetectorsError, InputError, UsageError
from gammapolars.core.schema import HITS
from gammapolars.detectors import Detector, Detectors, format_detectors, parse_detectors
from gammapolars.detectors.columns import Column, parse_columns, rollover_ps
from gammapolars.io import Losses, Reading, open_runs
from gammapolars.io.compass.file_names import counts_back
from gammapolars.io.rollover import Counter
from tests.commandline import gammapolars
from tests.rootfiles import write_branches

CASES = Path(os.environ.get("GAMMAPOLARS_CASES", "no cases"))
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="GAMMAPOLARS_CASES names no folder of cases")


def cascades(count: int = 500, seed: int = 1, *, step_ps: int = 1000, gap_s: float = 0.05) -> pl.DataFrame:
    """Hits of 1173.2 keV in channel 0 at adc 5000, each with one of 1332.5 keV in channel 1 at 5678 within 100 ns."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.exponential(gap_s * 1e12 / step_ps, count)).astype(np.int64) + 1000
    both = np.stack([times, times + rng.integers(0, max(100_000 // step_ps, 1), count)], axis=1).ravel()
    return pl.DataFrame(
        {
            "channel": np.tile([0, 1], count),
            "time": both,
            "adc": np.tile([5000, 5678], count),
        }
    )


def columns(toml: str, *detectors: Detector) -> dict[str, Column]:
    """The map that a `[columns]` table describes."""
    return dict(Detectors(detectors, parse_detectors("[columns]\n" + toml).columns).columns)


def read(*paths: Path, toml: str = "", keep_going: bool = False, **options: Any) -> tuple[pl.DataFrame, Losses]:
    losses = Losses(keep_going=keep_going)
    reading = Reading(columns=columns(toml) if toml else {}, losses=losses, **options)
    return open_runs(*paths, reading=reading).hits.collect(), losses


def pairs_in(path: Path, toml: str, *options: str) -> dict[str, Any]:
    """What `coincidences` sums up."""
    described = path.with_name("detectors.toml")
    described.write_text(toml)
    done = gammapolars(
        "coincidences",
        path,
        "--detectors",
        described,
        "-o",
        path.with_name("pairs.csv"),
        "--overwrite",
        "--json",
        *options,
    )
    assert done.code == 0, done.err
    summary: dict[str, Any] = json.loads(done.out)
    return summary


# Counters that roll over.


def rolling(bits: int, step_ps: int, count: int = 2000, gap_s: float = 0.05) -> tuple[pl.DataFrame, list[int]]:
    """Hits by a counter, and the true times (ps)."""
    hits = cascades(count, step_ps=step_ps, gap_s=gap_s)
    truth = (hits["time"] * step_ps).to_list()
    return hits.with_columns(pl.col("time") % 2**bits), truth


@pytest.mark.parametrize(("bits", "step", "step_ps", "gap_s"), [(31, "8ns", 8000, 0.05), (24, "10ns", 10_000, 0.002)])
def test_a_counter_that_rolls_over_goes_on(tmp_path: Path, bits: int, step: str, step_ps: int, gap_s: float) -> None:
    hits, truth = rolling(bits, step_ps, gap_s=gap_s)
    hits.write_csv(tmp_path / "run.csv")
    mapped = f'channel = "channel"\nadc = "adc"\ntimestamp_ps = {{name = "time", unit = "{step}"'

    found, losses = read(tmp_path / "run.csv", toml=f"{mapped}, bits = {bits}}}")
    by_option, _ = read(tmp_path / "run.csv", toml=f"{mapped}}}", rollover_ps=step_ps << bits)

    assert found["timestamp_ps"].to_list() == truth
    assert by_option.equals(found)
    rolled = truth[-1] // (step_ps << bits)
    assert rolled > 3
    assert f"rolled over {rolled} times" in losses.notes[0]


def test_a_counter_with_a_sign_and_one_of_floats(tmp_path: Path) -> None:
    hits, truth = rolling(32, 8000, count=500, gap_s=0.5)
    signed = hits.with_columns(time=pl.col("time").cast(pl.UInt32).reinterpret(signed=True))
    mapped = 'channel = "channel"\ntimestamp_ps = {name = "time", unit = "8ns", bits = 32}'

    for name, table in {"signed": signed, "floats": hits.with_columns(pl.col("time").cast(pl.Float64))}.items():
        table.write_parquet(tmp_path / f"{name}.parquet")
        found, _ = read(tmp_path / f"{name}.parquet", toml=mapped)
        assert found["timestamp_ps"].diff().drop_nulls().to_list() == np.diff(truth).tolist()


def test_hits_that_come_late_across_a_rollover_keep_their_times() -> None:
    truth = np.array([20, 80, 99, 104, 98, 107, 190, 203, 199, 260, 301])

    (frame,) = Counter(100).continuous(iter([pl.DataFrame({"timestamp_ps": truth % 100})]), Path("x"), Losses())

    assert frame["timestamp_ps"].to_list() == truth.tolist()


def test_boards_that_roll_over_apart_are_refused(tmp_path: Path) -> None:
    hits, _ = rolling(31, 8000, count=300)
    apart = hits.with_columns(board="channel", time=(pl.col("time") + pl.col("channel") * 2**30) % 2**31)
    apart.write_parquet(tmp_path / "run.parquet")
    mapped = 'channel = {value = 0}\ntimestamp_ps = {name = "time", unit = "8ns", bits = 31}'

    with pytest.raises(InputError, match=r"run\.parquet: the counters of its boards do not roll over together"):
        read(tmp_path / "run.parquet", toml=mapped)


def test_a_board_with_few_hits_rolls_over_with_the_others(tmp_path: Path) -> None:
    hits, truth = rolling(31, 8000)
    rare = hits.with_row_index().with_columns(board=(pl.col("index") % 1999 == 5).cast(pl.Int32)).drop("index")
    rare.write_parquet(tmp_path / "run.parquet")
    mapped = 'channel = "channel"\ntimestamp_ps = {name = "time", unit = "8ns", bits = 31}'

    found, _ = read(tmp_path / "run.parquet", toml=mapped)

    assert found["timestamp_ps"].to_list() == truth


def test_a_counter_of_more_bits_than_said_is_refused(tmp_path: Path) -> None:
    rolling(31, 8000)[0].write_parquet(tmp_path / "run.parquet")
    mapped = 'channel = "channel"\ntimestamp_ps = {name = "time", unit = "8ns"'

    with pytest.raises(InputError, match="the counter has more bits"):
        read(tmp_path / "run.parquet", toml=mapped + "}", rollover_ps=2**29 * 8000)
    with pytest.raises(InputError, match="values that are not a valid timestamp_ps"):
        read(tmp_path / "run.parquet", toml=mapped + ", bits = 29}")


@pytest.mark.parametrize("rows", [1, 7, 100])
def test_batches_of_any_length_go_on(rows: int) -> None:
    truth = np.cumsum(np.random.default_rng(3).integers(1, 60, 300))
    batches = (pl.DataFrame({"timestamp_ps": truth[at : at + rows] % 100}) for at in range(0, 300, rows))

    frames = list(Counter(100).continuous(batches, Path("x"), Losses()))

    assert pl.concat(frames)["timestamp_ps"].to_list() == truth.tolist()


def test_a_counter_goes_on_from_file_to_file(tmp_path: Path) -> None:
    hits, truth = rolling(31, 8000)
    for number, first in enumerate(range(0, 4000, 1000)):
        hits[first : first + 1000].write_csv(tmp_path / f"part{number}.csv")
    mapped = 'channel = "channel"\nadc = "adc"\ntimestamp_ps = {name = "time", unit = "8ns", bits = 31}'

    found, losses = read(*(tmp_path / f"part{number}.csv" for number in range(4)), toml=mapped)

    assert found["timestamp_ps"].to_list() == truth
    assert "its counter is assumed to continue from part0.csv" in "".join(losses.notes)


def numbered(folder: Path, stem: str = "run_", hits_each: int = 300) -> tuple[list[Path], list[int]]:
    """Twelve files, numbered from 1, of one counter with a rollover every 17 s, and all true times (ps)."""
    hits, truth = rolling(31, 8000, count=hits_each * 6)
    paths = [folder / f"{stem}{number}.csv" for number in range(1, 13)]
    for place, path in enumerate(paths):
        hits[place * hits_each : (place + 1) * hits_each].write_csv(path)
    return paths, truth


ROLLING_TOML = 'channel = "channel"\nadc = "adc"\ntimestamp_ps = {name = "time", unit = "8ns", bits = 31}'


@pytest.mark.parametrize("stem", ["run_", "LaBr-07 run", "2024.05.03_"])
@pytest.mark.parametrize("pattern", ["", "*.csv"])
def test_files_of_a_folder_or_a_pattern_follow_by_their_numbers(tmp_path: Path, stem: str, pattern: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    _, truth = numbered(folder, stem)

    found, _ = read(folder / pattern, toml=ROLLING_TOML)

    assert found["timestamp_ps"].to_list() == truth


def test_files_given_against_their_numbers_are_refused(tmp_path: Path) -> None:
    paths, truth = numbered(tmp_path)

    with pytest.raises(UsageError, match=r"run_2\.csv: follows run_12\.csv, which has a higher number, .* in quotes"):
        read(*sorted(paths), toml=ROLLING_TOML)
    assert read(*paths, toml=ROLLING_TOML)[0]["timestamp_ps"].to_list() == truth


@pytest.mark.parametrize(
    ("before", "after", "back"),
    [
        ("run_2", "run_10", False),
        ("run_10", "run_2", True),
        ("a/day10_1", "a/day2_1", True),
        ("run_10_1", "run_2_3", True),
        ("31-05-2024", "01-06-2024", False),
        ("b_2", "a_1", False),
        ("run", "run_1", False),
        ("run_01", "run_1", False),
    ],
)
def test_names_that_count_back(before: str, after: str, back: bool) -> None:
    assert counts_back(Path(f"{before}.csv"), Path(f"{after}.csv")) == back


def test_segments_of_compass_go_on_by_the_option(tmp_path: Path) -> None:
    hits, truth = rolling(31, 8000, count=1000)
    lines = [f"0;{c};{t * 8000};{a};0;0x0" for c, t, a in hits.iter_rows()]
    (tmp_path / "DataR_run.csv").write_text(
        "\n".join(["BOARD;CHANNEL;TIMETAG;ENERGY;ENERGYSHORT;FLAGS", *lines[:900], ""])
    )
    (tmp_path / "DataR_run_1.csv").write_text("\n".join([*lines[900:], ""]))

    found, _ = read(tmp_path / "DataR_run.csv", tmp_path / "DataR_run_1.csv", rollover_ps=2**31 * 8000)

    assert found["timestamp_ps"].to_list() == truth


def test_channels_in_files_of_their_own_stay_together(tmp_path: Path) -> None:
    hits, truth = rolling(31, 8000)
    for channel in (0, 1):
        hits.filter(channel=channel).write_csv(tmp_path / f"ch{channel}.csv")
    mapped = 'channel = "channel"\ntimestamp_ps = {name = "time", unit = "8ns", bits = 31}'

    found, losses = read(tmp_path / "ch0.csv", tmp_path / "ch1.csv", toml=mapped)

    assert found["timestamp_ps"].to_list() == sorted(truth)
    assert "continue from" not in "".join(losses.notes)


def two_boards(folder: Path, *, late_s: float = 0.0, early_s: float = 0.0) -> list[Path]:
    """Two files of a board each, whose counters of 17.18 s begin 0 s and `late_s` after the start of 100 s.

    The second board's last hit lies `early_s` before that of the first.
    """
    hits = cascades(count=2000, step_ps=8000)
    boards = []
    for board, (begin, end) in enumerate([(0.0, 0.0), (late_s, early_s)]):
        of_board = hits.filter(pl.col("channel") == board, pl.col("time") >= begin / 8e-9)
        of_board = of_board.filter(pl.col("time") <= hits["time"][-1] - end / 8e-9)
        boards.append(folder / f"l{board}.csv")
        of_board.select(board=pl.lit(board), channel=pl.lit(0), time=pl.col("time") % 2**31, adc="adc").write_csv(
            boards[-1]
        )
    return boards


@pytest.mark.parametrize(("late_s", "early_s"), [(20.0, 0.0), (60.0, 0.0), (0.0, 12.0)])
def test_a_counter_that_may_have_begun_late_is_noted(tmp_path: Path, late_s: float, early_s: float) -> None:
    _, losses = read(*two_boards(tmp_path, late_s=late_s, early_s=early_s), toml='board = "board"\n' + ROLLING_TOML)

    (noted,) = [note for note in losses.notes if "rolled over" not in note]
    assert noted.startswith("l1.csv: its last hit is ")
    assert (
        " earlier than that of l0.csv, and their counters are assumed to have started together: if one started later"
        in noted
    )
    assert "whole periods of 17.1799 s" in noted


@pytest.mark.parametrize(("late_s", "early_s"), [(0.0, 0.0), (15.0, 0.0), (0.0, 5.0)])
def test_counters_that_end_together_have_begun_together(tmp_path: Path, late_s: float, early_s: float) -> None:
    found, losses = read(*two_boards(tmp_path, late_s=late_s, early_s=early_s), toml='board = "board"\n' + ROLLING_TOML)

    assert [note for note in losses.notes if "rolled over" not in note] == []
    truth = cascades(count=2000, step_ps=8000).filter(channel=1)["time"] * 8000
    assert found.filter(board=1)["timestamp_ps"].is_in(truth.implode()).all()


def test_the_warning_of_a_late_counter_is_shown(tmp_path: Path) -> None:
    paths = two_boards(tmp_path, late_s=20.0)
    (tmp_path / "d.toml").write_text('[columns]\nboard = "board"\n' + ROLLING_TOML)

    done = gammapolars("convert", *paths, "--detectors", tmp_path / "d.toml", "-o", tmp_path / "out.parquet")

    assert done.code == 0, done.err
    assert "assumed to have started together" in done.out + done.err


@pytest.mark.parametrize("before", [100, 900])
def test_a_gap_behind_which_rollovers_cannot_be_counted_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    monkeypatch.chdir(tmp_path)
    gap = int(0.95 * 2**31)
    hits = cascades(step_ps=8000, gap_s=0.02).with_row_index()
    late = hits.with_columns(time=pl.when(pl.col("index") < before).then("time").otherwise(pl.col("time") + gap))
    late.with_columns(pl.col("time") % 2**31).write_csv("run.csv")
    Path("d.toml").write_text("[columns]\n" + ROLLING_TOML)
    stops = gammapolars("coincidences", "run.csv", "--detectors", "d.toml", "-o", "p.csv", "--reorder", "100ms")
    says = gammapolars("info", "run.csv", "--detectors", "d.toml", "--reorder", "100ms")

    for said in (stops.error, says.out + says.err):
        assert "its counter rolls over after 17.1799 s, and may have a gap without hits of more than 15.0324 s" in said
        assert "bits" not in said
        assert "--sort" not in said


def test_all_commands_judge_a_rollover_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rolling(31, 8000)[0].write_csv("run.csv")
    Path("d.toml").write_text(
        '[columns]\ntimestamp_ps = {name = "time", unit = "8ns"}\nchannel = "channel"\nadc = "adc"\n'
    )
    judgement = "counter of 31 bits in steps of 8 ns that rolled over without a flag"

    stopped = gammapolars("coincidences", "run.csv", "--detectors", "d.toml", "-o", "p.csv")
    reordered = gammapolars("coincidences", "run.csv", "--detectors", "d.toml", "-o", "p.csv", "--reorder", "20s")
    told = gammapolars("info", "run.csv", "--detectors", "d.toml")
    unrolled = gammapolars("info", "run.csv", "--detectors", "d.toml", "--bits", "31", "--json")

    assert judgement in stopped.error
    assert "bits = 31" in stopped.error
    assert "--bits 31:8ns" in stopped.error
    assert "--sort" not in stopped.error
    assert judgement in reordered.out + reordered.err
    assert judgement in told.out + told.err
    assert "--sort" not in told.out + told.err
    assert "--reorder" not in told.out + told.err
    assert json.loads(unrolled.out)["inversions"] == 0


def test_the_option_needs_a_step_and_a_number() -> None:
    mapped = {"timestamp_ps": Column("t", "8ns")}

    assert rollover_ps("31", mapped) == rollover_ps("31:8ns", {}) == 2**31 * 8000
    for wrong in ("31", "x:8ns", "31:8", "63:8ns", "31:0ns", "-3:8ns"):
        with pytest.raises(UsageError, match=r"^bits takes|^bits .* needs|is not a clock step"):
            rollover_ps(wrong, {})


# Times in two columns.


def test_seconds_and_nanoseconds_are_one_time(tmp_path: Path) -> None:
    hits = cascades()
    split = hits.with_columns(sec=pl.col("time") // 10**9, ns=pl.col("time") % 10**9).drop("time")
    toml = 'timestamp_ps = [{name = "sec", unit = "s"}, {name = "ns", unit = "ns"}]\nchannel = "channel"\nadc = "adc"\n'
    split.write_csv(tmp_path / "run.csv")

    found, _ = read(tmp_path / "run.csv", toml=toml)

    assert found["timestamp_ps"].to_list() == (hits["time"] * 1000).to_list()
    assert pairs_in(tmp_path / "run.csv", "[columns]\n" + toml)["pairs"] == 500


def test_a_coarse_and_a_fine_time_and_an_origin(tmp_path: Path) -> None:
    hits = cascades(step_ps=125, gap_s=0.01)
    split = hits.with_columns(
        coarse=(pl.col("time") // 64).cast(pl.UInt32) % 2**24, fine=(pl.col("time") % 64) * 125.0
    ).drop("time")
    split.write_parquet(tmp_path / "run.parquet")
    toml = 'timestamp_ps = [{name = "coarse", unit = "8ns", bits = 24}, {name = "fine", unit = "ps"}]\n'

    found, _ = read(tmp_path / "run.parquet", toml=toml + 'channel = "channel"')

    differences = found["timestamp_ps"].diff().drop_nulls()
    assert differences.to_list() == (hits["time"] * 125).diff().drop_nulls().to_list()


def test_unix_seconds_and_a_rest_have_an_origin(tmp_path: Path) -> None:
    hits = cascades()
    unix = hits.select("channel", s=pl.col("time") // 10**9 + 1_700_000_000, us=(pl.col("time") % 10**9) / 1000)
    unix.write_parquet(tmp_path / "run.parquet")
    toml = 'timestamp_ps = [{name = "s", unit = "s", origin = 1700000000}, {name = "us", unit = "us"}]\n'

    found, _ = read(tmp_path / "run.parquet", toml=toml + 'channel = "channel"')

    assert found["timestamp_ps"].to_list() == (hits["time"] * 1000).to_list()


@pytest.mark.parametrize("rest", ["ns", "nanosec", "tv_nsec", "time_ns", "Time (ns)", "frac_ps", "us", "fine"])
def test_whole_seconds_alone_are_refused_where_another_column_has_the_rest(tmp_path: Path, rest: str) -> None:
    table = cascades().select("channel", sec=pl.col("time") // 10**9, rest=pl.col("time") % 1000)
    table.rename({"rest": rest}).write_parquet(tmp_path / "run.parquet")
    mapped = 'channel = "channel"\n'

    with pytest.raises(
        InputError, match=r"whole steps of 1 s, but column '.*' looks like the fine time: write timestamp_ps = \["
    ):
        read(tmp_path / "run.parquet", toml=mapped + 'timestamp_ps = {name = "sec", unit = "s"}')
    found, _ = read(tmp_path / "run.parquet", toml=mapped + 'timestamp_ps = [{name = "sec", unit = "s"}]')

    assert found.height == 1000


@pytest.mark.parametrize("other", ["channel_no", "runs", "gains", "events", "adc_ns_gate"])
def test_other_columns_are_no_rest_of_the_time(tmp_path: Path, other: str) -> None:
    table = cascades().select("channel", sec=pl.col("time") // 10**9, rest=pl.lit(10**9 * 2000))
    table.rename({"rest": other}).write_parquet(tmp_path / "run.parquet")

    found, _ = read(tmp_path / "run.parquet", toml='channel = "channel"\ntimestamp_ps = {name = "sec", unit = "s"}')

    assert found.height == 1000


# Absolute times.


@pytest.mark.parametrize(
    ("unit", "origin"),
    [
        ("ns", "1700000000000000000"),
        ("us", "1700000000000000"),
        ("ns", '"1700000000s"'),
        ("us", "2023-11-14T22:13:20Z"),
        ("ns", "2023-11-14T23:13:20+01:00"),
    ],
)
def test_absolute_times_have_an_origin(tmp_path: Path, unit: str, origin: str) -> None:
    hits = cascades(step_ps=10**6)
    scale = {"ns": 1000, "us": 1}[unit]
    times = hits.select("channel", t=pl.col("time") * scale + 1_700_000_000 * scale * 10**6)
    times.write_parquet(tmp_path / "run.parquet")
    toml = f'channel = "channel"\ntimestamp_ps = {{name = "t", unit = "{unit}", origin = {origin}}}'

    found, _ = read(tmp_path / "run.parquet", toml=toml)

    assert found["timestamp_ps"].to_list() == (hits["time"] * 10**6).to_list()


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_dates_are_times_with_a_unit_of_their_own(tmp_path: Path, unit: Any) -> None:
    hits = cascades(step_ps=10**9)
    dates = hits.select(
        "channel", t=(pl.col("time") + 1_700_000_000_000).cast(pl.Datetime("ms")).cast(pl.Datetime(unit))
    )
    dates.write_parquet(tmp_path / "run.parquet")
    toml = 'channel = "channel"\ntimestamp_ps = {name = "t", origin = 2023-11-14T22:13:20Z}'

    found, _ = read(tmp_path / "run.parquet", toml=toml)

    assert found["timestamp_ps"].to_list() == (hits["time"] * 10**9).to_list()


def test_times_without_an_origin_name_one_that_fits(tmp_path: Path) -> None:
    hits = cascades().select("channel", t=pl.col("time") + 1_700_000_000 * 10**9)
    hits.write_parquet(tmp_path / "run.parquet")
    mapped = 'channel = "channel"\ntimestamp_ps = {name = "t", unit = "ns"'

    with pytest.raises(InputError) as refused:
        read(tmp_path / "run.parquet", toml=mapped + "}")
    advice = str(refused.value).partition("such as timestamp_ps = ")[2].partition("}")[0] + "}"
    found, _ = read(tmp_path / "run.parquet", toml=f'channel = "channel"\ntimestamp_ps = {advice}')

    assert found["timestamp_ps"][0] == 0


@pytest.mark.parametrize("zone", [None, "Europe/Helsinki"])
def test_dates_without_an_origin_name_one_that_fits(tmp_path: Path, zone: str | None) -> None:
    dates = cascades().select("channel", t=(pl.col("time") // 1000 + 1_714_761_500 * 10**6).cast(pl.Datetime("us")))
    dates = dates.with_columns(pl.col("t").dt.replace_time_zone("UTC").dt.convert_time_zone(zone)) if zone else dates
    dates.write_parquet(tmp_path / "run.parquet")

    with pytest.raises(InputError) as refused:
        read(tmp_path / "run.parquet", toml='channel = "channel"\ntimestamp_ps = "t"')
    advice = str(refused.value).partition("such as timestamp_ps = ")[2].partition("}")[0] + "}"
    found, _ = read(tmp_path / "run.parquet", toml=f'channel = "channel"\ntimestamp_ps = {advice}')

    assert advice == '{name = "t", origin = 2024-05-03T18:00:00Z}'
    assert found["timestamp_ps"][0] // 10**12 == 1_714_761_500 % 3600


def test_floats_that_are_too_coarse_are_noted(tmp_path: Path) -> None:
    hits = cascades().select("channel", t=pl.col("time") / 1e9 + 1_700_000_000)
    hits.write_parquet(tmp_path / "run.parquet")
    toml = 'channel = "channel"\ntimestamp_ps = {name = "t", unit = "s", origin = 1700000000}'

    found, losses = read(tmp_path / "run.parquet", toml=toml)

    assert found.height == 1000
    assert losses.notes == (
        "run.parquet: column 't' contains times as Float64, which has steps of 238.419 ns at 1.7e+09: time "
        "differences are no finer than this",
    )


# Units by board, detectors by name.


def test_boards_have_units_of_their_own(tmp_path: Path) -> None:
    hits = cascades(step_ps=8000)
    own = hits.select(b=pl.col("channel") + 3, t=pl.when(channel=0).then("time").otherwise(pl.col("time") * 4), E="adc")
    own.write_parquet(tmp_path / "run.parquet")
    toml = 'timestamp_ps = {name = "t", unit = {3 = "8ns", 4 = "2ns"}}\nchannel = {value = 0}\nboard = "b"\nadc = "E"\n'

    found, _ = read(tmp_path / "run.parquet", toml=toml)

    assert found["timestamp_ps"].to_list() == (hits["time"] * 8000).to_list()
    assert pairs_in(tmp_path / "run.parquet", "[columns]\n" + toml)["pairs"] == 500
    alone = open_runs(tmp_path / "run.parquet", reading=Reading(columns=columns(toml))).hits.select("timestamp_ps")
    assert alone.collect()["timestamp_ps"].equals(found["timestamp_ps"])


def test_a_board_without_a_unit_is_named(tmp_path: Path) -> None:
    cascades(step_ps=8000).write_parquet(tmp_path / "run.parquet")
    toml = 'timestamp_ps = {name = "time", unit = {0 = "8ns", 7 = "2ns"}}\nboard = "channel"\nchannel = {value = 0}'

    with pytest.raises(
        InputError,
        match=r"run\.parquet: board 1 has no unit in \[columns\] \(its first hit is in row 2\): "
        r'write timestamp_ps = \{name = "time", unit = \{0 = "8ns", 7 = "2ns", 1 = "…"\}\}',
    ):
        read(tmp_path / "run.parquet", toml=toml)
    found, losses = read(tmp_path / "run.parquet", toml=toml, keep_going=True)
    assert found["board"].unique().to_list() == [0]
    assert losses.count("out_of_range") == 500


NAMED = (Detector(0, 3, "Ge A"), Detector(2, 0, "LaBr"))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_detectors_are_found_by_name(tmp_path: Path, suffix: str) -> None:
    names = pl.col("channel").replace_strict([0, 1], ["Ge A", " LaBr"])
    table = cascades().select(det=names, t="time", E="adc")
    path = tmp_path / f"run{suffix}"
    if suffix == ".csv":
        table.write_csv(path)
    else:
        table.with_columns(pl.col("det").cast(pl.Categorical)).write_parquet(path)
    toml = format_detectors(
        Detectors(NAMED, columns('timestamp_ps = {name = "t", unit = "ns"}\nchannel = "det"\nadc = "E"'))
    )

    summary = pairs_in(path, toml)

    assert summary["pairs"] == 500
    (row,) = summary["pairs_by_detectors"]
    assert (row["board_a"], row["channel_a"], row["board_b"], row["channel_b"]) == (0, 3, 2, 0)


def test_names_that_no_detector_has_are_named(tmp_path: Path) -> None:
    pl.DataFrame({"det": ["Ge A", "BGO"], "t": [1, 2]}).write_parquet(tmp_path / "run.parquet")
    mapped = 'timestamp_ps = {name = "t", unit = "ns"}\nchannel = "det"'

    with pytest.raises(
        InputError,
        match=r"'det' has values that are not a valid (board|channel) \(the first: BGO in row 2\): describe it in a",
    ):
        open_runs(tmp_path / "run.parquet", reading=Reading(columns=columns(mapped, *NAMED))).hits.collect()
    with pytest.raises(
        InputError, match=r"column 'det' contains String.*describe each detector in a \[\[detector\]\] table"
    ):
        read(tmp_path / "run.parquet", toml=mapped)


def by_number(path: Path, numbers: list[int], *detectors: Detector) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """What is read of hits with these numbers in the column of channels."""
    pl.DataFrame({"det": numbers, "t": range(len(numbers))}).write_parquet(path)
    reading = Reading(columns=columns('timestamp_ps = {name = "t", unit = "ns"}\nchannel = "det"', *detectors))
    return open_runs(path, reading=reading).hits.collect(), reading.losses.notes


def test_numbers_that_name_detectors_are_no_channels(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"'det' contains the number 101, which is the name of a detector .* channel = 101"
    ):
        by_number(tmp_path / "a.parquet", [101, 102], Detector(0, 0, "101"), Detector(0, 1, "102"))
    with pytest.raises(InputError, match=r"'det' contains the number 3, which is the name of a detector"):
        by_number(tmp_path / "b.parquet", [1, 2, 3], *(Detector(0, number, str(number + 1)) for number in range(3)))
    found, notes = by_number(tmp_path / "c.parquet", [1, 2], *(Detector(0, n, str(n + 1)) for n in range(3)))
    assert found["channel"].to_list() == [1, 2]
    assert "they are read as channels" in notes[0]


@pytest.mark.parametrize("numbers", [[0, 1, 2], [0, 1, 2, 3], [0]])
def test_numbers_of_which_one_is_no_name_are_channels(tmp_path: Path, numbers: list[int]) -> None:
    detectors = [Detector(0, number, str(number + 1)) for number in range(3)]

    found, notes = by_number(tmp_path / "run.parquet", numbers, *detectors)

    assert found["channel"].to_list() == numbers
    assert notes == ()
    assert by_number(tmp_path / "run.parquet", [101], Detector(0, 101, "101"))[1] == ()


def test_a_column_of_another_meaning_is_not_taken_by_its_name(tmp_path: Path) -> None:
    table = pl.DataFrame({"t": [1, 2], "det": [0, 1], "adc": [1173.25, 1332.5]})
    table.write_parquet(tmp_path / "run.parquet")

    found, _ = read(tmp_path / "run.parquet", toml='timestamp_ps = "t"\nchannel = "det"\nenergy_kev = "adc"')

    assert found["energy_kev"].to_list() == [1173.25, 1332.5]
    assert "adc" not in found.columns


# Tables of events.


def events(count: int = 300, seed: int = 2) -> tuple[list[list[int]], list[list[int]]]:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 4, count)
    begin = np.cumsum(rng.integers(1000, 5000, count))
    times = [(start + np.sort(rng.integers(0, 300, n))).tolist() for start, n in zip(begin, lengths, strict=True)]
    return times, [rng.integers(0, 4, n).tolist() for n in lengths]


def jagged_root(path: Path, times: list[list[int]], channels: list[list[int]], **more: Any) -> Path:
    import awkward as ak

    with uproot.recreate(path) as file:
        branches = {
            "t": ak.values_astype(ak.Array(times), np.uint64),
            "ch": ak.values_astype(ak.Array(channels), np.int32),
        }
        file.mktree(
            "events", {name: getattr(array, "type", None) or array.dtype for name, array in (branches | more).items()}
        )
        for first in range(0, len(times), 100):
            file["events"].extend({name: array[first : first + 100] for name, array in (branches | more).items()})
    return path


@pytest.mark.parametrize("suffix", [".root", ".parquet", ".arrow"])
def test_lists_of_hits_are_flattened(tmp_path: Path, suffix: str) -> None:
    times, channels = events()
    path = tmp_path / f"run{suffix}"
    if suffix == ".root":
        jagged_root(path, times, channels, boards=np.arange(300, dtype=np.uint16) % 2)
    else:
        table = pl.DataFrame({"t": times, "ch": channels, "boards": np.arange(300) % 2})
        table.write_parquet(path) if suffix == ".parquet" else table.write_ipc(path)
    toml = 'timestamp_ps = {name = "t", unit = "ns"}\nchannel = "ch"\nboard = "boards"'
    flat = [time * 1000 for of_event in times for time in of_event]
    boards = [number % 2 for number, of_event in enumerate(times) for _ in of_event]

    found, losses = read(path, toml=toml)
    runs = open_runs(path, reading=Reading(columns=columns(toml)))

    assert found["timestamp_ps"].to_list() == flat
    assert found["channel"].to_list() == [channel for of_event in channels for channel in of_event]
    assert found["board"].to_list() == boards
    assert runs.hits.select("flags").collect().height == runs.hits.select(pl.len()).collect().item() == len(flat)
    assert runs.count() in (None, len(flat))
    assert losses.all == ()


@pytest.mark.parametrize("suffix", [".root", ".parquet"])
def test_lists_of_different_lengths_are_refused(tmp_path: Path, suffix: str) -> None:
    times, channels = events()
    broken = next(number for number, of_event in enumerate(times) if number > 120 and of_event)
    channels[broken] = channels[broken][1:]
    path = tmp_path / f"run{suffix}"
    if suffix == ".root":
        jagged_root(path, times, channels)
    else:
        pl.DataFrame({"t": times, "ch": channels}).write_parquet(path)

    with pytest.raises(InputError, match=rf"run\{suffix}: event \d+ has \d values in 't' and \d in 'ch'"):
        read(path, toml='timestamp_ps = "t"\nchannel = "ch"')


def test_a_tree_of_events_without_a_map_says_what_to_do(tmp_path: Path) -> None:
    path = jagged_root(tmp_path / "run.root", *events())

    with pytest.raises(InputError, match=r"no tree Data_R .*events.*with tree$"):
        read(path)
    with pytest.raises(InputError, match=r"\[columns\] of detectors\.toml"):
        read(path, tree="events")


# Text.


def spaced(separator: str, *, pad: str = "", comma: bool = False) -> Callable[[pl.DataFrame], str]:
    def text(table: pl.DataFrame) -> str:
        rows = [table.columns, *([str(value) for value in row] for row in table.iter_rows())]
        lines = [separator.join(f"{pad}{cell}{pad}" for cell in row) for row in rows]
        return "\n".join(lines).replace(".", "," if comma else ".") + "\n"

    return text


def remarks(table: pl.DataFrame) -> str:
    head, *lines = spaced(",")(table).splitlines()
    between = ["# run 2", ""]
    return "\n".join(["# of another program", "", head, *lines[:150], *between, *lines[150:], "", "# end"]) + "\n"


def header_as_remark(table: pl.DataFrame) -> str:
    return "# measured today\n# " + spaced(" ")(table)


TEXTS: dict[str, Callable[[pl.DataFrame], str]] = {
    "tab": spaced("\t"),
    "blank": spaced(" "),
    "blanks": spaced("   ", pad=" "),
    "padded": spaced(",", pad="  "),
    "padded semicolons": spaced(";", pad=" "),
    "padded tabs": spaced("\t", pad=" "),
    "bars": spaced("|"),
    "decimal commas": spaced(";", comma=True),
    "decimal commas and blanks": spaced("  ", comma=True),
    "remarks": remarks,
    "header as remark": header_as_remark,
    "lines end with returns": lambda table: spaced("\t")(table).replace("\n", "\r\n"),
}
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]
TEXT_TOML = 'timestamp_ps = {name = "time_us", unit = "us"}\nchannel = "det"\nadc = "E"'


@pytest.fixture
def table() -> pl.DataFrame:
    return cascades().select(time_us=pl.col("time") / 1000, det="channel", E="adc")


@pytest.mark.parametrize("kind", TEXTS)
def test_text_of_any_separator(tmp_path: Path, table: pl.DataFrame, kind: str) -> None:
    (tmp_path / "run.csv").write_bytes(TEXTS[kind](table).encode())

    found, losses = read(tmp_path / "run.csv", toml=TEXT_TOML)

    assert found["timestamp_ps"].to_list() == (table["time_us"] * 1e6).round().cast(pl.Int64).to_list()
    assert found["channel"].to_list() == table["det"].to_list()
    assert found["adc"].to_list() == table["E"].to_list()
    assert losses.all == ()


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("kind", ["tab", "padded", "remarks"])
def test_text_in_any_encoding(tmp_path: Path, table: pl.DataFrame, kind: str, encoding: str) -> None:
    (tmp_path / "run.csv").write_bytes(TEXTS[kind](table).encode(encoding))

    found, _ = read(tmp_path / "run.csv", toml=TEXT_TOML)

    assert found["timestamp_ps"].to_list() == (table["time_us"] * 1e6).round().cast(pl.Int64).to_list()


@pytest.mark.parametrize("kind", ["blanks", "remarks", "header as remark", "decimal commas"])
def test_a_wrong_line_is_named_by_its_number(tmp_path: Path, table: pl.DataFrame, kind: str) -> None:
    lines = TEXTS[kind](table).splitlines()
    lines[700] = lines[700].replace("5", "x", 1)
    (tmp_path / "run.csv").write_text("\n".join([*lines, ""]))

    with pytest.raises(InputError, match=r"run\.csv: line 701 is not"):
        read(tmp_path / "run.csv", toml=TEXT_TOML)
    found, losses = read(tmp_path / "run.csv", toml=TEXT_TOML, keep_going=True)

    assert found.height == table.height - 1
    assert losses.count("damaged") == 1


def test_blocks_of_utf_16_are_cut_between_characters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: pl.DataFrame
) -> None:
    monkeypatch.setattr("gammapolars.io.text.blocks.BLOCK_BYTES", 4097)
    (tmp_path / "run.csv").write_bytes(remarks(table).encode("utf-16"))

    found, losses = read(tmp_path / "run.csv", toml=TEXT_TOML)

    assert found.height == table.height
    assert losses.all == ()


@pytest.mark.parametrize("kind", ["tab", "blanks", "padded", "remarks"])
def test_columns_without_names_have_numbers(tmp_path: Path, table: pl.DataFrame, kind: str) -> None:
    lines = TEXTS[kind](table).splitlines(keepends=True)
    header = next(place for place, line in enumerate(lines) if "time_us" in line)
    (tmp_path / "run.csv").write_text("".join([*lines[:header], *lines[header + 1 :]]))
    toml = TEXT_TOML.replace("time_us", "column_1").replace("det", "column_2").replace('"E"', '"column_3"')

    found, _ = read(tmp_path / "run.csv", toml=toml)

    assert found["timestamp_ps"].to_list() == (table["time_us"] * 1e6).round().cast(pl.Int64).to_list()
    assert found["adc"].to_list() == table["E"].to_list()
    with pytest.raises(InputError, match=r"no column 'det', .* \(it has column_1, column_2, column_3\)"):
        read(tmp_path / "run.csv", toml=TEXT_TOML.replace("time_us", "column_1"))


@pytest.mark.parametrize("kind", ["tab", "blanks", "padded", "padded semicolons", "remarks"])
def test_text_with_our_names_needs_no_map(tmp_path: Path, kind: str) -> None:
    hits = cascades().select(board=pl.lit(0), channel="channel", timestamp_ps="time", adc="adc", flags=pl.lit(0))
    (tmp_path / "run.csv").write_text(TEXTS[kind](hits))

    found, _ = read(tmp_path / "run.csv")

    assert found.rows() == hits.rows()
    assert dict(found.schema) == HITS.columns


# Histograms alone.


def test_a_file_of_histograms_names_them_and_what_reads_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    with uproot.recreate(tmp_path / "Hcompass.root") as file:
        for channel in (0, 1):
            counts = np.histogram(np.append(rng.normal(500, 4, 5000), rng.uniform(0, 1000, 9000)), 1000, (0, 1000))
            file[f"Energy/_R_EnergyCH{channel}@DT5725"] = counts
    name = "Energy/_R_EnergyCH0@DT5725"

    refused = gammapolars("info", tmp_path / "Hcompass.root")
    done = gammapolars("peaks", tmp_path / "Hcompass.root", "--spectrum", name, "-o", tmp_path / "peaks.csv", "--json")

    assert name in refused.error
    assert "EnergyCH1" in refused.error
    assert f"--spectrum '{name}'" in refused.error
    assert done.code == 0, done.err
    (peak,) = json.loads(done.out)["peaks"]
    assert peak["centroid_adc"] == pytest.approx(500, abs=0.3)


# Detectors.toml.


@pytest.mark.parametrize(
    "toml",
    [
        'timestamp_ps = [{name = "sec", unit = "s", origin = 17}, {name = "ns", unit = "ns"}]',
        'timestamp_ps = [{name = "sec", unit = "s"}]',
        'timestamp_ps = {name = "t", unit = "8ns", bits = 31}',
        'timestamp_ps = {name = "t", unit = {0 = "4ns", 12 = "8ns"}}',
        'timestamp_ps = {name = "t", origin = 2023-11-14T22:13:20+00:00}',
        'timestamp_ps = {name = "t", unit = "ns", origin = "1700000000s"}',
        'adc = {name = "charge", bits = 32}',
        'adc = {name = "charge", unit = 0.001}',
    ],
)
def test_columns_come_back_as_they_were_written(toml: str) -> None:
    described = Detectors((Detector(0, 1, "Ge"),), columns(toml))

    assert parse_detectors(format_detectors(described)) == described


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"bits": 31}, r"bits belongs to a single column: write it as in timestamp_ps = \{name = …, bits = …\}"),
        ({"timestamp_ps": []}, "list of 1 to 3 columns of time"),
        ({"timestamp_ps": ["a", "b", "c", "d"]}, "list of 1 to 3 columns of time"),
        ({"timestamp_ps": ["a", {"name": "b", "bits": 31}]}, "bits belong to the first column"),
        ({"timestamp_ps": ["a", {"value": 1}]}, "cannot be one value"),
        ({"adc": ["a", "b"]}, "adc must be one column"),
        ({"adc": {"name": "E", "origin": 1}}, "has an origin, which is possible only for timestamp_ps"),
        ({"adc": {"name": "E", "bits": 24}}, "or 16 or 32 for adc values"),
        ({"adc": {"name": "E", "unit": -1}}, "a number, the width of one ADC channel"),
        ({"channel": {"name": "E", "bits": 16}}, "for a time counter"),
        ({"timestamp_ps": {"name": "t", "bits": 63}}, "bits must be 8 to 62 for a time counter"),
        ({"timestamp_ps": {"name": "t", "bits": True}}, "bits must be 8 to 62 for a time counter"),
        ({"timestamp_ps": {"name": "t", "unit": {}}}, "unit lists no board"),
        ({"timestamp_ps": {"name": "t", "unit": {"a": "4ns"}}}, "a unit for each board is written"),
        ({"timestamp_ps": {"name": "t", "unit": {"0": "4x"}}}, "unknown unit '4x'"),
        ({"timestamp_ps": {"name": "t", "unit": {"0": "4ns"}, "bits": 31}}, "bits need the same unit"),
        ({"timestamp_ps": {"name": "t", "unit": {"0": "4ns"}, "origin": 31}}, "give the origin with a unit"),
        ({"timestamp_ps": {"name": "t", "origin": 1.5}}, "origin must be a whole number"),
        ({"timestamp_ps": {"name": "t", "origin": "never"}}, "origin: 'never' is not a time"),
        ({"timestamp_ps": {"name": "t", "origin": datetime(2024, 1, 1)}}, "has no UTC offset"),
        (
            {"energy_kev": {"name": "E", "unit": {"0": "keV"}}},
            "a unit for each board, which is possible only for timestamp_ps",
        ),
    ],
)
def test_what_no_column_can_be_is_refused(table: object, said: str) -> None:
    with pytest.raises(DetectorsError, match=said):
        parse_columns(table)


def test_a_date_is_the_time_since_1970() -> None:
    (column,) = parse_columns(
        {"timestamp_ps": {"name": "t", "origin": datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)}}
    ).values()

    assert column.origin == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


# A clock that is too coarse.


def test_a_step_longer_than_the_window_is_a_warning(tmp_path: Path) -> None:
    hits = cascades(step_ps=10**6)
    hits.write_parquet(tmp_path / "run.parquet")
    toml = '[columns]\ntimestamp_ps = {name = "time", unit = "us"}\nchannel = "channel"\nadc = "adc"\n'

    narrow = pairs_in(tmp_path / "run.parquet", toml)
    wide = pairs_in(tmp_path / "run.parquet", toml, "--window", "2us")

    assert "the clock of 0/0, 0/1 has steps of 1 us, longer than the coincidence window of ±250 ns" in str(
        narrow["warnings"]
    )
    assert "steps of" not in str(wide["warnings"])


# The cases themselves.


@needs_cases
def test_the_cases_give_their_values(tmp_path: Path) -> None:
    truth = [int(line) for line in (CASES / "04_truth_ps.txt").read_text().split()]
    rolled, _ = read(
        CASES / "04_rollover.csv", toml=(CASES / "04_rollover.toml").read_text()[10:], rollover_ps=2**31 * 8000
    )
    expected = {
        "11_unix_ns.parquet": (
            'timestamp_ps = {name = "ts_ns", unit = "ns", origin = 1700000000000000000}\nchannel = "det"'
        ),
        "12_charge_32bit.parquet": 'timestamp_ps = "t"\nchannel = "det"\nadc = "charge"',
        "12_adc_float.parquet": 'timestamp_ps = "t"\nchannel = "det"\nadc = "adc"',
        "13_sec_ns.csv": 'timestamp_ps = [{name = "sec", unit = "s"}, {name = "ns", unit = "ns"}]\nchannel = "ch"',
        "15_tab.csv": (CASES / "15.toml").read_text()[10:],
        "15_blank.csv": (CASES / "15.toml").read_text()[10:],
    }
    pairs = {"13_sec_ns.csv": 500, "15_tab.csv": 100, "15_blank.csv": 100}

    assert rolled["timestamp_ps"].to_list() == truth
    for name, toml in expected.items():
        (tmp_path / name).write_bytes((CASES / name).read_bytes())
        assert pairs_in(tmp_path / name, "[columns]\n" + toml)["pairs"] == pairs.get(name, 300), name


@needs_cases
def test_the_jagged_case_and_the_file_of_histograms() -> None:
    found, _ = read(CASES / "14_jagged.root", toml='timestamp_ps = "t"\nchannel = "ch"')
    with uproot.open(CASES / "14_jagged.root") as file:
        lengths = int(file["events"]["nt"].array(library="np").sum())

    refused = gammapolars("coincidences", CASES / "17_Hcompass.root", "-o", "never.csv")

    assert found.height == lengths
    assert "Energy/_R_EnergyCH0@DT5725" in refused.error
    assert HITS.columns["timestamp_ps"] == found.schema["timestamp_ps"]


def test_branches_that_are_flat_stay_as_they_are(tmp_path: Path) -> None:
    path = write_branches(tmp_path / "run.root", {"t": np.arange(5), "ch": np.zeros(5, np.int32)}, tree="other")

    found, _ = read(path, toml='timestamp_ps = {name = "t", unit = "ns"}\nchannel = "ch"')

    assert found["timestamp_ps"].to_list() == [0, 1000, 2000, 3000, 4000]
