"""The command line: what it prints, word for word, and the JSON that other programs rely on.

`UPDATE_GOLDEN=1 pytest tests/commands/test_cli.py` writes the texts in tests/golden anew; read the difference first.
"""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import gammapolars as gp
from gammapolars.commands.app import COMMANDS
from gammapolars.detectors import Detector
from gammapolars.io.root.writer import Layout
from gammapolars.streaming.order_tally import OrderTally
from tests.commandline import REPOSITORY, files_in, gammapolars, gammapolars_process
from tests.rootfiles import made_hits, write_hits

GOLDEN = Path(__file__).parents[1] / "golden"

TOLD_OF_TINY = [
    "1 hit out of time order, by up to 500 ns: repaired while reading",
    "triggers were lost (1 hit with flag trigger_lost)",
]
"""What every command warns of that reads tiny.root."""

US = 1_000_000
FINE, PILE_UP, SATURATED, TRIGGER_LOST = 0x4000, 0x8000, 0x400, 0x20

# time, channel, adc, flags: four pairs within 1 us, one of them with a rejected hit; one hit before its predecessor.
TINY = [
    (1_000 * US, 1, 1000, FINE),
    (1_000 * US + 400_000, 2, 2000, FINE),
    (2_000 * US, 1, 1001, FINE),
    (2_000 * US + 300_000, 1, 1002, FINE),
    (3_000 * US, 2, 2001, FINE),
    (2_999 * US + 500_000, 3, 3000, 0),
    (4_000 * US, 1, 0, FINE | PILE_UP),
    (4_000 * US, 2, 2002, FINE),
    (5_000 * US, 3, 16383, FINE | SATURATED),
    (6_000 * US, 2, 2003, FINE | TRIGGER_LOST),
    (6_000 * US + 1 * US, 3, 3001, FINE),
    (7_000 * US, 1, 1003, FINE),
]

DETECTORS = """\
[[detector]]
name = "left"
channel = 1
energy = [0.5, 0.25]

[[detector]]
name = "right"
channel = 2
energy = [1.0, 0.5]
"""


@pytest.fixture(autouse=True)
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of twelve hits and its detectors.toml, in the folder in which tests work."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    columns = {
        "board": [0 for _ in TINY],
        "channel": [hit[1] for hit in TINY],
        "timestamp_ps": [hit[0] for hit in TINY],
        "adc": [hit[2] for hit in TINY],
        "flags": [hit[3] for hit in TINY],
    }
    Path("d.toml").write_text(DETECTORS)
    return write_hits(Path("tiny.root"), pl.DataFrame(columns, gp.HITS.columns), Layout(entries=5))


def parsed(text: str) -> dict[str, Any]:
    """One JSON object in one line, without NaN or infinity."""

    def refused(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    assert text.count("\n") == 1
    found = json.loads(text, parse_constant=refused)
    assert isinstance(found, dict)
    return found


# Word for word.


CALLS = {
    "help": ["--help"],
    **{f"{command}_help": [command, "--help"] for command in COMMANDS if command != "detectors"},
    "detectors_import_help": ["detectors", "import", "--help"],
    "info": ["info", "tiny.root"],
    "info_of_pairs": ["info", "pairs.parquet"],
    "coincidences": ["coincidences", "tiny.root", "--window", "1us", "-o", "out.parquet"],
    "coincidences_with_detectors": [
        *["coincidences", "tiny.root", "--window", "1us", "-o", "out.root"],
        *["--detectors", "d.toml", "--reject", "none"],
    ],
    "coincidences_start_stop": [
        *["coincidences", "tiny.root", "--window=-1us:500ns", "-o", "out.csv"],
        *["--start", "0/2", "--stop", "3"],
    ],
    "spectrum": ["spectrum", "tiny.root", "--detectors", "d.toml", "-o", "out.spe"],
    "matrix": ["matrix", "tiny.root", "--window", "1us", "--detectors", "d.toml", "-o", "out.m4b"],
    "lines": ["lines", "Th-228"],
    "lines_near": ["lines", "661.7", "--within", "20"],
    "lines_names": ["lines"],
    "query_explained": ["query", str(REPOSITORY / "queries" / "gated_spectrum.py")],
}


@pytest.mark.parametrize("name", CALLS)
def test_the_text_is_as_it_was(name: str) -> None:
    if "pairs.parquet" in CALLS[name]:
        assert gammapolars("coincidences", "tiny.root", "--window", "1us", "-o", "pairs.parquet").code == 0

    done = gammapolars(*CALLS[name])

    assert done.code == 0, done.err
    assert done.err == ""
    text = re.sub(r"written in .*", "written in TIME", done.out)
    text = re.sub(r"with gammapolars .*", "with VERSIONS", text).replace(str(REPOSITORY), "HERE")
    text = re.sub(r"\b[\d,]+ bytes", "SOME bytes", text)
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_help_names_every_command_and_common_option() -> None:
    commands = gammapolars("--help").out
    options = gammapolars("coincidences", "-h").out

    for command in (
        "info",
        "convert",
        "coincidences",
        "spectrum",
        "matrix",
        "report",
        "view",
        "lines",
        "drift",
        "query",
        "simulate",
        "detectors",
    ):
        assert re.search(rf"^  {command}\b", commands, re.MULTILINE)
    for option in ("--window", "--reject", "--detectors", "--output", "--overwrite", "--json", "--start", "--reorder"):
        assert option in options


def test_the_version_is_a_number() -> None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        installed = version("gammapolars")
    except PackageNotFoundError:
        installed = "not installed"
    assert gammapolars("--version").out == f"{installed}\n"


# JSON for other programs.


def test_the_summary_of_coincidences() -> None:
    words = ["coincidences", "tiny.root", "--window", "1us", "-o", "out.parquet", "--json"]

    summary = parsed(gammapolars(*words).out)

    assert summary["hits_read"] == 12
    assert summary["hits_used"] == 10
    assert summary["rejected"] == {"saturation": 1, "pile_up": 1, "fake_event": 0}
    assert summary["pairs"] == 3
    assert summary["window_ps"] == [-1_000_000, 1_000_000]
    assert summary["real_time_s"] == 0.006
    assert summary["outputs"] == ["out.parquet"]
    assert summary["elapsed_s"] > 0
    assert summary["hits_per_s"] == pytest.approx(12 / summary["elapsed_s"])
    assert summary["warnings"] == TOLD_OF_TINY
    by_detectors = {(row["channel_a"], row["channel_b"]): row for row in summary["pairs_by_detectors"]}
    assert {key: row["pairs"] for key, row in by_detectors.items()} == {(1, 2): 1, (1, 3): 0, (2, 3): 2}
    # 4 good hits in channel 1, 4 in channel 2, over 6 ms, in a window 2 us wide.
    assert by_detectors[1, 2]["chance_pairs_expected"] == pytest.approx(4 * 4 * 2e-6 / 6e-3)
    assert summary["chance_pairs_expected"] == pytest.approx((4 * 4 + 4 * 2 + 4 * 2) * 2e-6 / 6e-3)


SUMMARY_TYPES: dict[str, type | tuple[type, ...]] = {
    "hits_read": int,
    "hits_used": int,
    "rejected": dict,
    "pairs": int,
    "pairs_by_detectors": list,
    "window_ps": list,
    "real_time_s": float,
    "chance_pairs_expected": float,
    "elapsed_s": float,
    "hits_per_s": float,
    "outputs": list,
}

INFO_TYPES: dict[str, type | tuple[type, ...]] = {
    "hits": int,
    "detectors": list,
    "flags": dict,
    "first_timestamp_ps": int,
    "last_timestamp_ps": int,
    "real_time_s": float,
    "inversions": int,
    "largest_step_back_ps": int,
    "warnings": list,
}


@pytest.mark.parametrize("count", [1, 2, 2000])
def test_summaries_have_the_agreed_keys_and_types(count: int) -> None:
    write_hits(Path("run.root"), made_hits(count))

    summary = parsed(gammapolars("coincidences", "run.root", "-o", "out.csv", "--json").out)
    found = parsed(gammapolars("info", "run.root", "--json").out)

    for table, types in ((summary, SUMMARY_TYPES), (found, INFO_TYPES)):
        for key, kind in types.items():
            assert isinstance(table[key], kind), key
    for row in summary["pairs_by_detectors"]:
        assert set(row) >= {"board_a", "channel_a", "board_b", "channel_b", "pairs", "chance_pairs_expected"}
    for row in found["detectors"]:
        assert set(row) >= {"board", "channel", "hits", "rate_cps"}


def test_an_empty_run_is_no_error_but_a_warning() -> None:
    write_hits(Path("none.root"), made_hits(0))

    summary = parsed(gammapolars("coincidences", "none.root", "-o", "out.parquet", "--json").out)
    found = parsed(gammapolars("info", "none.root", "--json").out)

    assert summary["hits_read"] == summary["pairs"] == 0
    assert found["hits"] == 0
    assert found["first_timestamp_ps"] is None
    assert summary["warnings"] == found["warnings"] == ["the run contains no hits"]
    assert gp.scan_pairs("out.parquet").collect().height == 0
    for words in (["info", "none.root"], ["coincidences", "none.root", "-o", "out.csv"]):
        assert "Warning: the run contains no hits" in gammapolars(*words).out


def test_info_tells_what_was_recorded() -> None:
    found = parsed(gammapolars("info", "tiny.root", "--json").out)

    assert found["hits"] == 12
    assert [(row["channel"], row["hits"]) for row in found["detectors"]] == [(1, 5), (2, 4), (3, 3)]
    assert found["detectors"][0]["rate_cps"] == pytest.approx(5 / 6e-3)
    assert found["flags"]["pile_up"] == 1
    assert found["flags"]["saturation"] == 1
    assert found["flags"]["fine_timestamp"] == 11
    assert (found["first_timestamp_ps"], found["last_timestamp_ps"]) == (1_000 * US, 7_000 * US)
    assert found["real_time_s"] == 0.006
    assert (found["inversions"], found["largest_step_back_ps"]) == (1, 500_000)
    assert any("triggers were lost (1 hit with flag trigger_lost)" in warning for warning in found["warnings"])
    assert any("1 hit out of time order, by up to 500 ns" in warning for warning in found["warnings"])
    (file,) = found["files"]
    assert file["tree"] == "Data_R"
    assert file["branches"]["Timestamp"] == "uint64"
    assert file["baskets"]["Timestamp"] == 3


def test_info_of_a_run_that_begins_and_ends_with_inversions() -> None:
    times = [20, 10, 30, 50, 40]
    hits = made_hits(5).with_columns(timestamp_ps=pl.Series(times))
    write_hits(Path("run.root"), hits)

    found = parsed(gammapolars("info", "run.root", "--json").out)

    assert (found["first_timestamp_ps"], found["last_timestamp_ps"]) == (10, 50)
    assert (found["inversions"], found["largest_step_back_ps"]) == (2, 10)


@pytest.mark.parametrize("rows", [1, 2, 7, 151, 300])
def test_inversions_are_counted_across_batches(rows: int) -> None:
    times = list(range(0, 3000, 10))
    times[150], times[280] = 1000, 2700
    tally = OrderTally()

    for first in range(0, 300, rows):
        tally.add(pl.Series(times[first : first + rows]))

    assert (tally.inversions, tally.largest_step_back_ps) == (2, 490)


def test_info_of_segments_far_apart() -> None:
    write_hits(Path("run_0.root"), made_hits(10))
    later = made_hits(10).with_columns(pl.col("timestamp_ps") + 120 * 10**12)
    write_hits(Path("run_1.root"), later)

    found = parsed(gammapolars("info", "run_*.root", "--json").out)

    assert found["hits"] == 20
    assert any("120 s without a hit between run_0.root and run_1.root" in warning for warning in found["warnings"])


def test_energies_come_from_detectors_toml_and_unknown_ones_are_named() -> None:
    words = ["coincidences", "tiny.root", "--window", "1us", "--detectors", "d.toml", "-o", "out.parquet", "--json"]

    summary = parsed(gammapolars(*words).out)

    bare = "no energy calibration for 0/3: energies of these hits are null"
    assert summary["warnings"] == [*TOLD_OF_TINY, bare]
    pairs = gp.scan_pairs("out.parquet").collect()
    columns = ["adc_a", "energy_kev_a", "adc_b", "energy_kev_b", "dt_ps"]
    assert pairs.select(columns).rows() == [
        (1000, 250.5, 2000, 1001.0, 400_000),
        (3000, None, 2001, 1001.5, 500_000),
        (2003, 1002.5, 3001, None, 1_000_000),
    ]


def test_start_and_stop_give_signed_differences() -> None:
    words = ["coincidences", "tiny.root", "--window", "1us", "--start", "0/2", "--stop", "0/3", "-o", "out.csv"]

    assert gammapolars(*words).code == 0

    pairs = gp.scan_pairs("out.csv").collect()
    assert pairs.select("channel_a", "channel_b", "timestamp_ps", "dt_ps").rows() == [
        (2, 3, 3_000 * US, -500_000),
        (2, 3, 6_000 * US, 1_000_000),
    ]


def test_convert_puts_hits_in_order() -> None:
    written = gammapolars("convert", "tiny.root", "-o", "hits.parquet").out.splitlines()
    assert written == ["12 hits written to hits.parquet", *(f"Warning: {told}" for told in TOLD_OF_TINY)]
    summary = parsed(gammapolars("convert", "hits.parquet", "-o", "hits.root", "--json").out)

    hits = gp.scan("hits.root").collect()
    assert hits["timestamp_ps"].to_list() == sorted(hit[0] for hit in TINY)
    assert summary["hits_read"] == 12
    assert gp.scan("hits.parquet").collect().equals(hits)


def test_simulated_runs_go_through() -> None:
    words = ["simulate", "--source", "Na-22=50kBq", "--hits", "5000", "-o", "sim.root", "--json"]

    made = parsed(gammapolars(*words).out)
    summary = parsed(gammapolars("coincidences", "sim.root", "-o", "out.parquet", "--json").out)

    assert made["hits"] == summary["hits_read"] == 5000
    assert summary["pairs"] > 0


# detectors import.


CALP = """#PeakEasy CALp File Ver:  4.00
Offset (keV)           :  0.0625
Gain (keV / Chan)      :  0.25
2nd Order Coef         :  -1.5e-9
3rd Order Coef         :  0
4th Order Coef         :  0
#END"""


def test_calibrations_are_imported() -> None:
    Path("ch1.CALp").write_text(CALP)
    Path("other.CALp").write_text(CALP.replace("0.25", "0.5").replace("-1.5e-9", "0"))

    done = gammapolars("detectors", "import", "1=ch1.CALp", "2/13=other.CALp", "-o", "made.toml")

    assert done.out == "2 detectors written to made.toml\n"
    detectors = gp.load_detectors("made.toml")
    assert [(detector.key, detector.energy) for detector in detectors] == [
        ((0, 1), (0.0625, 0.25, -1.5e-9)),
        ((2, 13), (0.0625, 0.5)),
    ]
    assert isinstance(detectors.at(2, 13), Detector)
    assert "other.CALp" in detectors.at(2, 13).notes
    assert "already exists" in gammapolars("detectors", "import", "1=ch1.CALp", "-o", "made.toml").error
    assert gammapolars("detectors", "import", "1=ch1.CALp", "-o", "made.toml", "--overwrite").code == 0


# Terminals, pipes and interruptions.


def test_nothing_is_written_to_stderr_that_is_no_terminal() -> None:
    write_hits(Path("run.root"), made_hits(20_000))

    done = gammapolars_process("coincidences", "run.root", "-o", "out.parquet")

    assert done.code == 0
    assert done.err == ""
    assert done.out.startswith("20,000 hits in ")


def test_progress_is_shown_on_a_terminal() -> None:
    write_hits(Path("run.root"), made_hits(20_000))
    program = (
        "import sys; from gammapolars.commands import main, progress; progress.REFRESH_S = 0;"
        "sys.argv = ['gammapolars', 'coincidences', 'run.root', '-o', 'out.parquet']; main()"
    )
    terminal, device = pty.openpty()

    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=device,
        text=True,
        timeout=60,
        check=True,
    )

    os.close(device)
    shown = os.read(terminal, 65_536).decode()
    os.close(terminal)
    assert re.search(r"20,000 hits of 20,000, 0 s left, [\d.]+ million/s", shown)
    assert shown.endswith("\r\033[K")  # wiped away at the end
    assert done.stdout.startswith("20,000 hits in ")
    assert "\033" not in done.stdout


@pytest.mark.slow
def test_a_pipe_that_is_closed_early_is_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)

    done = subprocess.run(
        [sys.executable, "-m", "gammapolars", "info", "tiny.root"],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )

    os.close(writing)
    assert done.returncode == 1
    assert done.stderr == ""


PLACES = pytest.mark.parametrize(
    "place",
    ["gammapolars.analysis.accumulators.PairTally.add_pairs", "gammapolars.spectra.tallies.Tally.add"],
    ids=["in a pass", "after it"],
)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (MemoryError(), 1, "Error: out of memory: choose a narrower window or use a machine with more memory"),
        (RuntimeError("first\nsecond"), 1, "Error: unexpected RuntimeError: first (set GAMMAPOLARS_TRACEBACK=1"),
    ],
)
@PLACES
def test_whatever_happens_is_one_line(
    monkeypatch: pytest.MonkeyPatch, place: str, error: BaseException, code: int, line: str
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(place, failing)
    monkeypatch.delenv("GAMMAPOLARS_TRACEBACK", raising=False)

    done = gammapolars("coincidences", "tiny.root", "-o", "out.parquet")

    assert done.code == code
    assert done.out == ""
    assert done.err.startswith(line)
    assert done.err.count("\n") == 1
    assert files_in(Path()) == ["d.toml", "tiny.root"]


@PLACES
def test_an_interruption_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(place, interrupted)

    done = gammapolars("coincidences", "tiny.root", "-o", "out.parquet")

    assert done.code == 130
    assert "Traceback" not in done.err
    assert files_in(Path()) == ["d.toml", "tiny.root"]


def test_a_traceback_is_there_for_those_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object, **__: object) -> None:
        raise RuntimeError("here")

    monkeypatch.setattr("gammapolars.spectra.tallies.Tally.add", failing)
    monkeypatch.setenv("GAMMAPOLARS_TRACEBACK", "1")

    with pytest.raises(RuntimeError, match="here"):
        gammapolars("coincidences", "tiny.root", "-o", "out.parquet")


def test_the_nearest_stop_of_each_start_is_saved(tmp_path: Path) -> None:
    run = REPOSITORY / "data" / "co60-four-hpge.root"
    words = ["--start", "0/1", "--stop", "0/2", "--window", "-1us:1us"]

    nearest = gammapolars("coincidences", run, "-o", tmp_path / "near.parquet", *words, "--nearest", "--json")
    every = gammapolars("coincidences", run, "-o", tmp_path / "all.parquet", *words, "--json")

    saved = pl.read_parquet(tmp_path / "near.parquet")
    hits = gp.scan(run)
    assert saved.equals(gp.nearest(hits, (0, 1), (0, 2), "-1us:1us").select(saved.columns).collect())
    assert json.loads(nearest.out)["pairs"] == saved.height <= json.loads(every.out)["pairs"]
    assert saved.select("timestamp_ps").is_unique().all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--nearest"], "give both detectors"),
        (
            ["--nearest", "--start", "0/1", "--stop", "0/2", "--random", "1us:2us"],
            "cannot be counted in random windows",
        ),
    ],
)
def test_a_nearest_stop_that_cannot_be_is_refused(tmp_path: Path, words: list[str], message: str) -> None:
    done = gammapolars(
        "coincidences", REPOSITORY / "data" / "co60-four-hpge.root", "-o", tmp_path / "n.parquet", *words
    )

    assert done.code == 2
    assert message in done.error
