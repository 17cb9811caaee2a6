"""Use from Python: names, paths and frames are taken wherever the command line takes them, by all public functions."""

import inspect
import re
from collections.abc import Callable
from dataclasses import fields
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

import gammapolars as gp
from gammapolars.commands.cluster import OnCluster
from gammapolars.commands.report.parse import ReportOptions
from gammapolars.commands.simulate.parse import SimulateOptions
from gammapolars.core.frames import AnyFrame
from gammapolars.detectors import AnyDetectors
from tests.commandline import REPOSITORY, gammapolars

FUNCTIONS = {name: getattr(gp, name) for name in gp.__all__ if inspect.isroutine(getattr(gp, name))}

TOML = """
[[detector]]
name = "HPGe-1"
board = 0
channel = 4
energy = [0.0, 0.5]
fwhm = [4.0]
kind = "HPGe"
group = "clover"

[[detector]]
name = "LaBr-2"
board = 0
channel = 5
energy = [0.0, 0.5]
time_offset_ps = 100
kind = "HPGe"
group = "clover"

[[detector]]
name = "shield"
board = 0
channel = 6
kind = "BGO"
"""


def with_frames() -> list[str]:
    """The functions whose first argument is a table."""
    tables = {pl.LazyFrame, pl.DataFrame}
    names = []
    for name, function in FUNCTIONS.items():
        first = next(iter(inspect.signature(function).parameters.values()), None)
        if first and (name == "named" or tables & {first.annotation, *get_args(first.annotation)}):
            names.append(name)
    return names


def called(function: Callable[..., Any], *first: Any, **given: Any) -> Any:
    """A function with its first arguments, and None for all others that it needs."""
    needed = list(inspect.signature(function).parameters.values())[len(first) :]
    for one in needed:
        if one.default is one.empty and one.kind is not one.VAR_POSITIONAL and one.name not in given:
            given[one.name] = None
    return function(*first, **given)


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    path = tmp_path / "detectors.toml"
    path.write_text(TOML)
    return path


@pytest.fixture
def hits() -> pl.LazyFrame:
    rows = {
        "board": [0, 0, 0, 0],
        "channel": [4, 5, 5, 4],
        "timestamp_ps": [0, 50_000, 9_000_000, 9_000_100],
        "adc": [1000, 2000, 500, 600],
        "flags": [0, 0, 0, 0],
    }
    return pl.LazyFrame(rows, schema=gp.HITS.columns)


def test_tables_are_taken_lazy_or_eager_by_all() -> None:
    assert len(with_frames()) > 35
    for name in with_frames():
        first = next(iter(inspect.signature(FUNCTIONS[name]).parameters.values()))
        assert name in ("named", "slices") or set(get_args(AnyFrame)) <= set(get_args(first.annotation)), name


@pytest.mark.parametrize("name", with_frames())
def test_other_tables_are_refused_with_advice(name: str) -> None:
    function = FUNCTIONS[name]
    pandas = type("DataFrame", (), {"__module__": "pandas.core.frame"})()
    for wrong, advice in (
        (pandas, "not a pandas DataFrame: convert it with pl.from_pandas"),
        (pa.table({"a": [1]}), "not a pyarrow Table: convert it with pl.from_arrow"),
        ("run.root", r"not the name of a file: read it with \w+\.\w+\('run.root'\)"),
        ({"adc": [1]}, "not a dict: make a table of it with pl.DataFrame"),
        (None, "not None$"),
    ):
        with pytest.raises(gp.TableError, match=rf"^\w+: a polars LazyFrame or DataFrame is needed, {advice}"):
            next(called(function, wrong, **({"detectors": gp.Detectors()} if name == "named" else {})))  # of slices


WITH_DETECTORS = [
    name
    for name, function in FUNCTIONS.items()
    if (one := inspect.signature(function).parameters.get("detectors"))
    and (set(get_args(AnyDetectors)) <= set(get_args(one.annotation)))
]


def test_all_that_take_detectors_take_the_path_of_their_file() -> None:
    assert [
        name for name, one in FUNCTIONS.items() if "detectors" in inspect.signature(one).parameters
    ] == WITH_DETECTORS


def test_detectors_may_be_given_by_path(hits: pl.LazyFrame, toml: Path) -> None:
    detectors = gp.load_detectors(toml)

    for function in (gp.calibrate, gp.align, gp.add_back, gp.named):
        assert_frame_equal(function(hits, str(toml)).collect(), function(hits, detectors).collect())
    assert_frame_equal(gp.veto(hits, toml).collect(), gp.veto(hits, detectors).collect())
    with pytest.raises(gp.DetectorsError, match=r"nowhere\.toml: no such file"):
        gp.calibrate(hits, "nowhere.toml")
    with pytest.raises(gp.UsageError, match=r"detectors: give gp\.load_detectors\(\.\.\.\) or the path .* not a dict"):
        gp.calibrate(hits, {})  # type: ignore[arg-type]


@pytest.mark.parametrize("start", ["0/4", "4", (0, 4), "HPGe-1"])
def test_start_and_stop_may_be_named(hits: pl.LazyFrame, toml: Path, start: str | tuple[int, int]) -> None:
    detectors = gp.load_detectors(toml)
    expected = gp.pairs(hits, "250ns", start=detectors["HPGe-1"], stop=detectors[0, 5]).collect()

    assert expected["dt_ps"].to_list() == [50_000, -100]
    assert_frame_equal(gp.pairs(hits, "250ns", start=start, stop="LaBr-2", detectors=toml).collect(), expected)
    assert_frame_equal(gp.nearest(hits, start, "LaBr-2", "250ns", detectors=toml).collect(), expected)


def test_names_need_detectors(hits: pl.LazyFrame) -> None:
    with pytest.raises(gp.UsageError, match=r"^unknown detector 'HPGe-1': .*0/3; `detectors` describes names$"):
        gp.pairs(hits, start="HPGe-1", stop="0/5")
    with pytest.raises(gp.UsageError, match="a detector is"):
        gp.pairs(hits, start=(0, 4, 1), stop="0/5")  # type: ignore[arg-type]
    with pytest.raises(gp.UsageError, match="there is no detector 0/70000"):
        gp.pairs(hits, start=(0, 70000), stop="0/5")


def test_a_gate_takes_its_width_and_background_as_the_command_does(hits: pl.LazyFrame, toml: Path) -> None:
    pairs = gp.pairs(hits.pipe(gp.calibrate, toml), "250ns")

    rows = gp.gate(pairs, 501.9, background="auto", of="HPGe-1", detectors=toml).collect()
    beyond = gp.gate(pairs, 494.1, background="auto", of=[(0, 4)], detectors=toml).collect()

    assert rows["energy_kev"].to_list() == [1000.0]  # 500 keV is within 2 keV
    assert rows["weight"].to_list() == [1.0]
    assert beyond["weight"].to_list() == [-1.0]  # 2 keV of gate and 2 keV away: from 498.1 to 500.1
    assert gp.gate(pairs, 501.9, of="0/5").collect().is_empty()


def test_tables_are_saved_lazy_or_eager(hits: pl.LazyFrame, tmp_path: Path) -> None:
    gp.save(hits.collect(), tmp_path / "eager.parquet")
    gp.save(hits, tmp_path / "lazy.parquet")

    assert_frame_equal(gp.scan(tmp_path / "eager.parquet").collect(), gp.scan(tmp_path / "lazy.parquet").collect())


def test_sources_may_be_named() -> None:
    peaks = pl.DataFrame(
        {"centroid_adc": [11732.3, 13324.9], "centroid_adc_unc": [0.5, 0.5], "fwhm_adc": [20.0, 20.0]},
    ).with_columns(fwhm_adc_unc=0.1, area=1e5, area_unc=400.0)

    by_name = gp.calibrate_peaks(peaks, "Co-60", "0/3", start=[0.0, 0.1])
    by_table = gp.calibrate_peaks(peaks, gp.lines("Co-60"), gp.Detector(0, 3), start=[0.0, 0.1])

    assert by_name.detector == by_table.detector
    assert by_name.detector.energy == pytest.approx((0.0, 0.1), abs=0.2)


def test_detectors_are_found_as_in_a_dictionary(toml: Path) -> None:
    detectors = gp.load_detectors(toml)

    assert detectors["HPGe-1"] is detectors[0, 4] is detectors["0/4"] is detectors["4"]
    assert "HPGe-1" in detectors
    assert (0, 4) in detectors
    assert detectors["shield"] in detectors
    assert "HPGe-2" not in detectors
    assert (0, 7) not in detectors
    assert detectors.get("0/7") is None
    with pytest.raises(KeyError):
        detectors["0/7"]
    wrong: list[Any] = [0, None, (0,), ([], 1)]
    for key in wrong:
        assert key not in detectors
        with pytest.raises(gp.UsageError, match=r"^unknown detector .*: write board/channel"):
            detectors[key]
    with pytest.raises(gp.UsageError, match=r"^unknown detector '1/4': write .*\(HPGe-1, LaBr-2, shield\)$"):
        detectors[1, 4]


def test_a_gate_around_a_line_is_that_of_the_command() -> None:
    assert gp.Gate.around(511, fwhm=45) == gp.Gate(466.0, 556.0, ((376.0, 421.0), (601.0, 646.0)))
    assert gp.Gate.around(511, fwhm=45, width=60, background="550:560,570:580") == gp.Gate.on(
        511, 60, [(550, 560), (570, 580)]
    )
    assert gp.Gate.on(511, 90, "auto") == gp.Gate.around(511, fwhm=45)
    assert gp.Gate.on(511, 60, (550, 560)) == gp.Gate(481.0, 541.0, ((550.0, 560.0),))
    with pytest.raises(gp.UsageError, match="must be above 0, not 0"):
        gp.Gate.around(511, fwhm=0)
    with pytest.raises(gp.UsageError, match=r"^fwhm must be a number \(keV, or adc\), not '8'$"):
        gp.Gate.around(511, fwhm="8")  # type: ignore[arg-type]


def test_a_run_is_simulated_as_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = gp.simulate_run("Co-60=20kBq", tmp_path / "a.root", hits=300, truth=tmp_path / "truth.parquet", tick="4ns")
    words = ["--source", "Co-60=20kBq", "--hits", "300", "--tick", "4ns"]

    assert path == tmp_path / "a.root"
    assert gammapolars("simulate", *words, "-o", tmp_path / "b.root").code == 0
    assert path.read_bytes() == (tmp_path / "b.root").read_bytes()
    assert pl.read_parquet(tmp_path / "truth.parquet").height == 300
    assert capsys.readouterr() == ("", "")
    with pytest.raises(gp.OutputError, match="already exists: choose another output, or add overwrite=True"):
        gp.simulate_run(["Co-60"], path, hits=3)


@pytest.mark.parametrize(
    ("name", "value", "kind"), [("hits", "x", "a whole"), ("seed", 1.5, "a whole"), ("drift", "x", "a")]
)
def test_what_is_no_number_is_named_before_a_run_is_simulated(name: str, value: Any, kind: str, tmp_path: Path) -> None:
    with pytest.raises(gp.UsageError, match=f"^{name} is {kind} number, not {value!r}$"):
        gp.simulate_run("Co-60=20kBq", tmp_path / "run.root", **{"hits": 3} | {name: value})
    assert not list(tmp_path.iterdir())


def test_no_simulated_run_replaces_what_was_recorded(tmp_path: Path, toml: Path) -> None:
    (tmp_path / "run.csv").write_text("BOARD;CHANNEL;TIMETAG;ENERGY;ENERGYSHORT;FLAGS\n0;1;5;7;6;0x0\n")

    with pytest.raises(gp.OutputError, match="read by this command"):
        gp.simulate_run("Co-60", tmp_path / "run.root", hits=3, truth=toml, detectors=toml, overwrite=True)


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_a_report_is_written_as_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = gp.simulate_run("Co-60=20kBq", tmp_path / "a.root", hits=2000)
    detectors = gp.load_detectors(REPOSITORY / "data" / "detectors.toml")
    losses = gp.Losses()

    page = gp.write_report(run, tmp_path / "report", detectors=detectors, random="1us:3us", losses=losses)

    assert page == tmp_path / "report" / "index.html"
    assert "Co-60" in page.read_text(encoding="utf-8") or "HPGe" in page.read_text(encoding="utf-8")
    assert gp.scan_pairs(tmp_path / "report" / "pairs.parquet").collect()["region"].unique().len() <= 2
    assert capsys.readouterr() == ("", "")
    with pytest.raises(gp.OutputError, match="choose another folder, or add overwrite=True"):
        gp.write_report(run, tmp_path / "report")


def test_progress_is_shown_in_its_block_alone(
    hits: pl.LazyFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gp.save(hits, tmp_path / "hits.parquet")
    read = gp.scan(tmp_path / "hits.parquet")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("gammapolars.core.status_line.REFRESH_S", 0)

    read.collect()
    assert capsys.readouterr().err == ""
    with gp.progress():
        gp.save(gp.pairs(read, "250ns"), tmp_path / "pairs.parquet")
    shown = capsys.readouterr()

    assert shown.out == ""
    first, *_, last = shown.err.removeprefix("\r").split("\r")
    assert re.fullmatch(r"4 hits of 4, 0 s left, \d+\.\d million/s *", first)
    assert re.fullmatch(r"4 hits read in \d+\.\d s, \d+\.\d million/s *\n", last)
    assert "\033" not in shown.err
    read.collect()
    assert capsys.readouterr().err == ""


def test_progress_in_a_file_of_messages_is_a_line_at_the_end(
    hits: pl.LazyFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gp.save(hits, tmp_path / "hits.arrow")

    with gp.progress():
        gp.scan(tmp_path / "hits.arrow").collect()
        gp.scan(tmp_path / "hits.arrow").collect()

    assert re.fullmatch(r"4 hits read in \d+\.\d s, \d+\.\d million/s\n", capsys.readouterr().err)
    with gp.progress():
        pass
    assert capsys.readouterr().err == ""


RENAMED = {"names": "runs", "reorder": "reorder_ps", "min_energy": "min_energy_kev", "keep_going": "losses"}
"""Options that functions call otherwise."""


@pytest.mark.parametrize(
    ("function", "options", "renamed"),
    [
        (gp.simulate_run, SimulateOptions, {}),
        (gp.write_report, ReportOptions, RENAMED | {"output": "folder"}),
    ],
)
def test_functions_take_all_that_their_command_does(
    function: Callable[..., Any], options: Any, renamed: dict[str, str]
) -> None:
    on_cluster = {one.name for one in fields(OnCluster)}  # a cluster is a client in Python: see pairs_on
    asked = {renamed.get(one.name, one.name) for one in fields(options)} - on_cluster

    assert asked == set(inspect.signature(function).parameters)


def test_runs_are_named_one_by_one_or_in_a_list(hits: pl.LazyFrame, tmp_path: Path) -> None:
    names: list[str | Path] = [tmp_path / "a.parquet", str(tmp_path / "b.parquet")]
    for name, offset in zip(names, (0, 10**9), strict=True):
        gp.save(hits.with_columns(pl.col("timestamp_ps") + offset), name)
    wrong: list[Any] = [hits, hits.collect(), None, [names[0], 3]]
    follow = partial(gp.track_drift, detectors=gp.Detectors(), lines_kev=[511.0])

    assert_frame_equal(gp.scan(names).collect(), gp.scan(*names).collect())
    for runs in wrong:
        for function in (gp.scan, gp.measure_timing, follow):
            with pytest.raises(gp.UsageError, match=r"named by files, patterns or folders|file names instead of hits"):
                function(runs)


def test_dates_may_be_written() -> None:
    when = datetime(2024, 5, 1, 14, 30)
    source = gp.CalibrationSource("Co-60", 1e4, 100.0, date(2020, 1, 1))

    assert gp.activity_at(source, "2024-05-01T14:30") == gp.activity_at(source, when)
    numbers = {"intensity": 100.0, "efficiency": 0.01, "live_time_s": 10.0, "half_life_s": 1e6}
    written = gp.activity(1e4, 100.0, started="2024-05-01T14:30", at="2024-05-03", **numbers)
    assert written == gp.activity(1e4, 100.0, started=when, at=date(2024, 5, 3), **numbers)
    with pytest.raises(gp.UsageError, match="'yesterday' is not a date: write 2024-05-01"):
        gp.activity_at(source, "yesterday")
