"""What `info` warns of, every command warns of that reads the run, in the same words."""

import html
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import gammapolars as gp
from gammapolars.streaming.repeats import without_repeats
from tests.commandline import gammapolars
from tests.hits import frame, in_batches

MS, S = 10**9, 10**12
BIT = 2**31 * 8000
"""The highest bit of a counter with 31 bits of 8 ns, ps."""
LOST, SATURATED, TOO_HOT, FAKE = 0x200, 0x80, 0x100000, 0x8

CASES = Path(os.environ.get("GAMMAPOLARS_CASES", "/nowhere"))
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="the recorded cases are not here")

COMMANDS = {
    "coincidences": "-o pairs.parquet",
    "convert": "-o hits.parquet",
    "spectrum": "-o spectrum.csv",
    "matrix": "-o matrix.csv",
    "matrix of hits": "--axes adc:time -o matrix.csv",
    "events": "-o events.parquet",
    "rates": "",
    "gate": "--on 500 --unit adc -o gate.csv",
    "peaks": "-o peaks.csv",
    "report": "-o report",
    "view": "--no-browser --idle-min 0",
    "lifetime": "--start 0/0 --stop 0/1 --window=-1us:1us -o lifetime.csv",
}
"""Commands that read runs, with what else they need."""


def pairs_of(seed: int, pairs: int = 1000, seconds: float = 10.0) -> pl.DataFrame:
    """Hits of two detectors, of which each one has a partner 20 ns away, more or less."""
    draw = np.random.default_rng(seed)
    begin = np.sort(draw.integers(0, int(seconds * S), pairs))
    table = pl.concat(
        frame((time, channel, 0, adc) for time, adc in zip(times.tolist(), adcs.tolist(), strict=True))
        for channel, times in enumerate((begin, begin + draw.integers(1000, 40_000, pairs)))
        for adcs in [draw.integers(100, 1000, pairs)]
    )
    return table.sort("timestamp_ps")


def told(name: str, *runs: Path | str, folder: Path, further: str = "", words: str | None = None) -> dict[str, Any]:
    """What a command sums up of runs, as JSON."""
    own = COMMANDS.get(name, "") if words is None else words
    own = own.replace("-o ", f"-o {folder}/{name.replace(' ', '_')}-")
    outcome = gammapolars(name.split(maxsplit=1)[0], *runs, *own.split(), *further.split(), "--json")
    assert outcome.code == 0, outcome.err
    found: dict[str, Any] = json.loads(outcome.out)
    return found


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run out of order, with flags that tell of trouble, and one hit twice."""
    hits = pairs_of(seed=1)
    rows = pl.int_range(pl.len())
    flags = pl.when(rows % 5 == 0).then(SATURATED).when(rows % 97 == 1).then(LOST).when(rows == 3).then(TOO_HOT)
    hits = hits.with_columns(flags=flags.otherwise(0).cast(pl.UInt32))
    hits = pl.concat([hits[:100], hits[99], hits[100:600], hits[601], hits[600], hits[602:]])
    path = tmp_path_factory.mktemp("troubled") / "run.parquet"
    hits.write_parquet(path)
    return path


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == "report" else name for name in COMMANDS]
)
def test_every_command_warns_of_what_info_warns_of(name: str, troubled: Path, tmp_path: Path) -> None:
    of_info = told("info", troubled, folder=tmp_path)["warnings"]

    found = told(name, troubled, folder=tmp_path)["warnings"]

    assert [warning.split(" hit ")[0] for warning in of_info if "out of time order" in warning] == ["1"]
    assert sum("have the board, channel and time of another hit" in warning for warning in of_info) == 1
    assert "the digitizer was too hot (1 hit with flag over_temperature)" in of_info
    assert any(warning.startswith("hits were lost in the digitizer's memory (") for warning in of_info)
    assert "20 % of the hits have the flag saturation" in of_info
    assert len(of_info) == 5
    assert [warning for warning in found if warning in of_info] == of_info
    if name == "report":
        page = next(tmp_path.glob("report-*/index.html")).read_text().replace("\xa0", " ")
        assert all(html.escape(warning) in page[: page.index('class="tiles"')] for warning in of_info)


@pytest.mark.parametrize(("flagged", "said"), [(1000, "100 %"), (999, "99.9 %"), (126, "12.6 %")])
def test_the_share_of_flagged_hits_is_written_out(flagged: int, said: str, tmp_path: Path) -> None:
    hits = frame((row * 10**9, 0, 0, 0, 0x8000 * (row < flagged)) for row in range(1000))
    hits.write_parquet(tmp_path / "run.parquet")

    found = told("info", tmp_path / "run.parquet", folder=tmp_path)["warnings"]

    assert f"{said} of the hits have the flag pile_up" in found


def test_the_text_of_convert_and_query_warns_too(troubled: Path, tmp_path: Path) -> None:
    converted = gammapolars("convert", troubled, "-o", tmp_path / "hits.arrow").out

    assert converted.startswith("2,001 hits written to ")
    assert converted.count("Warning: ") == 5


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs of which each hit stands there twice, some of them with another adc value."""
    hits = pairs_of(seed=2)
    again = hits.with_columns(adc=pl.when(pl.int_range(pl.len()) < 12).then(pl.col("adc") + 1).otherwise("adc"))
    path = tmp_path_factory.mktemp("twice") / "run.parquet"
    pl.concat([hits, again]).sort("timestamp_ps", maintain_order=True).write_parquet(path)
    return path


@pytest.mark.parametrize("name", ["coincidences", "rates", "convert", "info", "events"])
def test_hits_that_stand_there_twice_are_named_and_dropped(name: str, twice: Path, tmp_path: Path) -> None:
    found = told(name, twice, folder=tmp_path)
    left = told(
        name,
        twice,
        folder=tmp_path,
        further="--drop-duplicates --overwrite" if COMMANDS.get(name) else "--drop-duplicates",
    )

    warned = "2,000 of 4,000 hits have the board, channel and time of another hit"
    assert [warned in warning for warning in found["warnings"]].count(True) == 1
    assert (found["hits_read"], found["hits_used"], found["hits_repeated"]) == (4000, 4000, 0)
    assert (left["hits_read"], left["hits_used"], left["hits_repeated"]) == (4000, 2000, 2000)
    assert left["warnings"] == [
        "left out: run.parquet: 1,988 hits with the board, channel and time of another hit",
        "left out: run.parquet: 12 hits with the board, channel and time of another hit, but a different ADC value: "
        "only the first was kept",
    ]
    if name == "coincidences":
        assert (found["pairs"], left["pairs"]) == (4000, 1000)


@pytest.mark.parametrize("rows", [1, 2, 3, 1000])
def test_repeats_are_dropped_across_batches(rows: int) -> None:
    hits = frame([(1, 0), (5, 0), (5, 1), (5, 0, 0, 7), (5, 0, 0, 0, FAKE), (5, 0), (5, 1, 1), (6, 0), (7, 0), (7, 0)])
    counted: list[tuple[int, int]] = []

    left = pl.concat(without_repeats(in_batches(hits, rows), lambda *counts: counted.append(counts)))

    assert left.equals(hits[[0, 1, 2, 4, 6, 7, 8]])
    assert counted[-1] == (3, 1)


def test_a_clock_that_stands_still_is_named(tmp_path: Path) -> None:
    hits = frame([*((time * MS, 0) for time in range(100)), *((100 * MS, channel) for channel in (0, 1) * 50)])
    hits.write_parquet(tmp_path / "run.parquet")

    warning = told("rates", tmp_path / "run.parquet", folder=tmp_path)["warnings"][0]

    assert warning.startswith("the clock stopped, or its steps are far too long: 50 hits of 0/0 at 0.1 s have")


def test_files_of_clocks_that_began_again(tmp_path: Path) -> None:
    for name, seed, pairs in (("a", 3, 300), ("b", 4, 200)):
        pairs_of(seed, pairs).write_parquet(tmp_path / f"{name}.parquet")
    runs = tmp_path / "a.parquet", tmp_path / "b.parquet"

    for name in ("coincidences", "rates", "info"):
        (warning,) = told(name, *runs, folder=tmp_path)["warnings"]
        assert warning.startswith("detector 0/0 (and 1 more) has hits of both a.parquet and b.parquet from ")
        assert warning.endswith("these are separate runs: read them with --apart")

    apart = told("coincidences", *runs, folder=tmp_path, further="--apart --overwrite")
    assert apart["pairs"] == 500
    assert apart["warnings"] == []


def test_files_that_follow_each_other_or_hold_other_detectors_may_be_one_run(tmp_path: Path) -> None:
    hits = pairs_of(seed=5)
    hits[:1000].write_parquet(tmp_path / "a.parquet")
    hits[1000:].write_parquet(tmp_path / "b.parquet")
    hits.with_columns(board=pl.lit(1, pl.UInt16)).write_parquet(tmp_path / "c.parquet")

    assert told("rates", *sorted(tmp_path.iterdir()), folder=tmp_path)["warnings"] == []


@needs_cases
def test_the_cases(tmp_path: Path) -> None:
    twice, one, other = (CASES / f"{name}.parquet" for name in ("05_every_hit_twice", "06_run_a", "06_run_b"))

    left = told("coincidences", twice, folder=tmp_path, further="--drop-duplicates")
    apart = told("coincidences", one, other, folder=tmp_path, further="--apart --overwrite")
    merged = told("coincidences", one, other, folder=tmp_path, further="--overwrite")

    assert (left["pairs"], left["hits_repeated"]) == (1000, 2000)
    assert (apart["pairs"], merged["pairs"]) == (220 + 212, 808)
    assert "read them with --apart" in merged["warnings"][0]


def crowded(path: Path, *, still: int = 0) -> Path:
    """20,000 hits a second of two detectors, and then as many at one time as the clock stands still for."""
    times = [time * 50_000_000 for time in range(20_000)]
    frame((time, place % 2) for place, time in enumerate([*times, *[S] * still])).write_parquet(path)
    return path


HOPELESS = {
    "coincidences": "-o pairs.parquet --window 2ms",
    "coincidences of two": "-o pairs.parquet --start 0/0 --stop 0/1 --window=-1ms:3ms",
    "matrix": "-o m.csv --window 2ms",
    "gate": "--on 0 --unit adc -o g.csv --window 2ms",
    "report": "-o report --window 1ms",
}


@pytest.mark.parametrize("name", HOPELESS)
def test_hopeless_windows_are_refused_before_anything_is_written(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = crowded(tmp_path / "run.parquet")

    outcome = gammapolars(name.split(maxsplit=1)[0], run, *HOPELESS[name].split())

    assert outcome.code == 2
    assert "per hit, more than the limit of 10 per hit or 10^10 in total: --window " in outcome.error
    assert outcome.error.endswith(" would stay below it (--many-pairs continues anyway)")
    assert list(tmp_path.iterdir()) == [run]


def test_the_window_that_is_named_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = crowded(tmp_path / "run.parquet")

    outcome = gammapolars("coincidences", run, *HOPELESS["coincidences"].split())
    every = told("coincidences", run, folder=tmp_path, words=f"{HOPELESS['coincidences']} --many-pairs")
    fitting = told("coincidences", run, folder=tmp_path, words="-o pairs.parquet --window 980us --overwrite")

    # 40 hits lie within 2 ms behind each, and every second one is of the other detector.
    assert "about 400,000 pairs are expected, 20" in outcome.error
    assert "--window 980us would stay below it" in outcome.error
    assert every["pairs"] == 399_600
    assert 9 < fitting["pairs"] / 20_000 <= 10


@pytest.mark.parametrize("words", ["", "--random auto", "--window 0ns"])
def test_pairs_of_a_clock_that_stands_still_are_refused(words: str, tmp_path: Path) -> None:
    run = crowded(tmp_path / "run.parquet", still=20_000)

    outcome = gammapolars("coincidences", run, "-o", tmp_path / "pairs.parquet", *words.split())

    assert outcome.code == 2
    assert "the clock stopped, or its steps are far too long: 20,000 hits have the time 1 s" in outcome.error
    assert "no window stays below it (--many-pairs continues anyway)" in outcome.error


@pytest.mark.parametrize(("channels", "boards"), [(2, 1), (3, 1), (1, 4)])
def test_align_refuses_a_clock_that_stands_still(channels: int, boards: int, tmp_path: Path) -> None:
    """In one line, before any pair is made: those of 60,000 hits at one time would fill any memory."""
    places = [(channel, board) for channel in range(channels) for board in range(boards)]
    frame((S, *places[row % len(places)]) for row in range(60_000)).write_parquet(tmp_path / "run.parquet")

    outcome = gammapolars("align", tmp_path / "run.parquet", "-o", tmp_path / "detectors.toml")

    assert outcome.code != 0
    assert "the clock stopped, or its steps are far too long: 60,000 hits have the time 1 s" in outcome.error
    assert outcome.err.strip().count("\n") == 0
    assert not (tmp_path / "detectors.toml").exists()


def test_align_refuses_a_few_hits_at_one_time(tmp_path: Path) -> None:
    frame((S, row % 2) for row in range(20)).write_parquet(tmp_path / "run.parquet")

    outcome = gammapolars("align", tmp_path / "run.parquet", "-o", tmp_path / "detectors.toml")

    assert outcome.error.endswith("the clock stopped: all hits have the same time, so detectors cannot be aligned")


@pytest.mark.parametrize("place", [1000, 0, 1999])
@pytest.mark.parametrize("late", [True, False])
def test_a_hit_that_is_off_is_left_out_and_counted(place: int, late: bool, tmp_path: Path) -> None:
    hits = pairs_of(seed=6)
    off = pl.when(pl.int_range(pl.len()) == place).then(BIT if late else -BIT).otherwise(0)
    run = tmp_path / "run.parquet"
    hits.with_columns(pl.col("timestamp_ps") + off).write_parquet(run)
    at_end = place == (1999 if late else 0)
    whom = "all others" if at_end else "the hits around it"
    said = f"hit {place + 1:,} is 17.2 s {'later' if late else 'earlier'} than {whom}"

    for name in ("coincidences", "rates", "spectrum", "convert", "events"):
        found = told(name, run, folder=tmp_path, further="--keep-going")
        assert (found["hits_read"], found["hits_used"], found["hits_out_of_range"]) == (2000, 1999, 1)
        assert found["real_time_s"] == pytest.approx(10, abs=0.1)
        assert [warning.startswith(f"left out: run.parquet: {said}") for warning in found["warnings"]] == [True]
        if name == "coincidences":
            assert found["pairs"] == 999
    outcome = gammapolars("rates", run)
    info = told("info", run, folder=tmp_path)

    assert said in outcome.out + outcome.err
    assert "--keep-going skips it and reports how much was skipped" in outcome.out + outcome.err
    assert outcome.code == (0 if at_end else 1)
    assert info["hits"] == (2000 if at_end else 1999)
    assert info["real_time_s"] == pytest.approx(27.2 if at_end else 10, abs=0.1)
    if at_end:
        assert info["real_time_s"] == told("rates", run, folder=tmp_path)["real_time_s"]
    assert said in info["warnings"][0]
    assert ("may be wrong" in info["warnings"][0]) is at_end
    assert ("other commands stop here without --keep-going" in info["warnings"][0]) is not at_end
    assert not any("--sort" in warning or "--reorder" in warning for warning in info["warnings"])


def test_info_counts_what_all_commands_count_of_hits_far_behind_the_others(tmp_path: Path) -> None:
    """A source is taken away, and two hits of the background come 40 s later: they are good hits."""
    rng = np.random.default_rng(8)
    times = np.sort(rng.integers(0, 10 * S, 10_000))
    hits = frame([(int(time), channel % 2) for channel, time in enumerate([*times, 50_999 * 10**9, 51_000 * 10**9])])
    run = tmp_path / "run.parquet"
    hits.write_parquet(run)

    info, spectrum, rates = (told(name, run, folder=tmp_path) for name in ("info", "spectrum", "rates"))
    going_on = told("info", run, folder=tmp_path, further="--keep-going")

    assert info["hits"] == info["hits_read"] == spectrum["hits_read"] == rates["hits_read"] == 10_002
    assert info["real_time_s"] == spectrum["real_time_s"] == rates["real_time_s"] == pytest.approx(51, abs=0.01)
    assert sum("its time may be wrong (--keep-going skips it" in text for text in info["warnings"]) == 2
    assert (going_on["hits"], going_on["hits_out_of_range"]) == (10_000, 2)


def test_a_hit_that_is_off_in_one_of_several_files_is_named(tmp_path: Path) -> None:
    hits = pairs_of(seed=7)
    for channel in range(2):
        times = pl.col("timestamp_ps") + pl.when(pl.int_range(pl.len()) == 0).then(BIT * channel).otherwise(0)
        hits.filter(pl.col("channel") == channel).with_columns(times).write_parquet(tmp_path / f"{channel}.parquet")
    runs = tmp_path / "0.parquet", tmp_path / "1.parquet"

    found = told("coincidences", *runs, folder=tmp_path, further="--keep-going")

    assert found["pairs"] == 999
    assert found["left_out"][0]["file"] == str(runs[1])
    assert found["left_out"][0]["what"].startswith("hit 1 is 17.2 s later than the hits around it")
    assert f"{runs[1]}: hit 1 is" in gammapolars("rates", *runs).error


@needs_cases
def test_the_case_of_a_hit_that_is_off(tmp_path: Path) -> None:
    found = told("coincidences", CASES / "07_glitch_mid.csv", folder=tmp_path, further="--keep-going")

    assert (found["pairs"], found["hits_out_of_range"]) == (999, 1)
    assert found["real_time_s"] == pytest.approx(9.98173, abs=1e-5)


def test_info_gives_rates_of_the_time_with_data_and_names_gaps(tmp_path: Path) -> None:
    """As rates does; a detector of which fewer hits were recorded has the rate of its own time."""
    rng = np.random.default_rng(5)
    stretches = [(0.0, 3.0, 4000), (91.0, 93.0, 4000)], [(0.0, 2.0, 1000), (91.0, 93.0, 1000)]
    parts = [
        pl.DataFrame({"timestamp_ps": np.sort(rng.integers(int(a * 1e12), int(b * 1e12), int((b - a) * rate)))}).select(
            board=pl.lit(0, pl.UInt16), channel=pl.lit(channel, pl.UInt16), timestamp_ps="timestamp_ps",
            adc=pl.lit(7, pl.UInt16), flags=pl.lit(0, pl.UInt32),
        )
        for channel, of in enumerate(stretches) for a, b, rate in of
    ]  # fmt: skip
    gp.save(pl.concat(parts).sort("timestamp_ps").lazy(), tmp_path / "run.parquet")

    info, rates = (
        json.loads(gammapolars(command, tmp_path / "run.parquet", "--json").out) for command in ("info", "rates")
    )

    for row, other, rate in zip(info["detectors"], rates["detectors"], (4000, 1000), strict=True):
        assert row["rate_cps"] == pytest.approx(rate, rel=0.01)
        assert row["rate_cps"] == pytest.approx(other["rate_cps"], rel=0.01)
    assert info["warnings"] == rates["warnings"]
    assert [text.split(" for ")[0] for text in info["warnings"]] == ["no detector has hits", "0/1 has no hits"]
