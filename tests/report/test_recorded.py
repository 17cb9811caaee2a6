"""What CoMPASS wrote down of a run titles its report, and its channels have the names that CoMPASS gives them."""

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from gammapolars.io import open_runs
from gammapolars.report.page import unbroken
from gammapolars.report.recorded import (
    RecordedRun,
    names_of_channels,
    recorded_line,
    recorded_runs,
    renamed,
    with_names_in,
)
from tests.commandline import gammapolars
from tests.compassfiles import write_csv
from tests.hits import frame

INFO = """id={name}
time.start=2025/03/18 12:11:24.131-0400
time.stop=2025/03/18 12:14:44.139-0400
time.real=00:03:20
board.0-14-292.4.icr=35886.4
"""
SETTINGS = (
    "<configuration><board><id>0-14-292</id><modelName>V1725</modelName><serialNumber>292</serialNumber>"
    "<label>{label}</label></board></configuration>"
)
ALL_CHANNELS = ("SDataR_Na22_run3.CSV",)
SINGLE_CHANNELS = ("DataR_CH4@V1725_292_Na22_run3.CSV", "DataR_CH5@V1725_292_Na22_run3.CSV")


def run_folder(
    folder: Path, files: tuple[str, ...] = ALL_CHANNELS, *, name: str = "Na22_run3", first: int = 500
) -> Path:
    """A folder as CoMPASS leaves it: in each file hits of both channels, or of the one that its name tells."""
    (folder / "RAW").mkdir(parents=True)
    (folder / "run.info").write_text(INFO.format(name=name))
    for file in files:
        channels = [int(file[8])] if "CH" in file else [4, 5]
        hits = [(10**9 * row + channel, channel, 0, first + row, 0x4000) for row in range(40) for channel in channels]
        write_csv(folder / "RAW" / file, frame(hits))
    return folder


def recorded(folder: Path, *others: Path) -> tuple[RecordedRun, ...]:
    runs = open_runs(folder, *others)
    hits = pl.concat(run.hits.select("board", "channel").collect() for run in runs.all)
    return recorded_runs(runs, hits.unique())


def test_a_run_has_the_name_and_times_of_its_notes(tmp_path: Path) -> None:
    (run,) = recorded(run_folder(tmp_path / "run"))
    assert run.name == "Na22_run3"
    assert (
        recorded_line(run) == "Recorded from 2025-03-18 12:11:24 to 12:14:44 (UTC−04:00) for 3 min 20 s of real time."
    )


def test_a_run_without_notes_has_the_name_of_its_file(tmp_path: Path) -> None:
    run_folder(tmp_path / "run")
    (tmp_path / "run" / "run.info").unlink()
    (run,) = recorded(tmp_path / "run")
    assert run == RecordedRun("SDataR_Na22_run3.CSV")


@pytest.mark.parametrize(
    ("start", "stop", "said"),
    [
        ("2025-03-18 23:50:00+01:00", "2025-03-19 00:10:00+01:00", "23:50:00 to 2025-03-19 00:10:00 (UTC+01:00)"),
        (
            "2025-03-30 01:50:00+01:00",
            "2025-03-30 03:10:00+02:00",
            "01:50:00 (UTC+01:00) to 2025-03-30 03:10:00 (UTC+02:00)",
        ),
        ("2025-03-18 12:00:00", None, "12:00:00"),
    ],
)
def test_moments_are_unambiguous(start: str, stop: str | None, said: str) -> None:
    run = RecordedRun("a", datetime.fromisoformat(start), datetime.fromisoformat(stop) if stop else None)
    assert recorded_line(run) == f"Recorded from {start[:10]} {said}."


@pytest.mark.parametrize("told_by", ["files", "settings", "other files"])
def test_channels_have_compass_names(tmp_path: Path, told_by: str) -> None:
    folder = run_folder(tmp_path / "run", SINGLE_CHANNELS if told_by == "files" else ALL_CHANNELS)
    if told_by == "settings":
        (folder / "settings.xml").write_text(SETTINGS.format(label="V1725_292"))
    elif told_by == "other files":
        (folder / "UNFILTERED").mkdir()
        for name in SINGLE_CHANNELS:
            (folder / "UNFILTERED" / name.replace("DataR", "Data")).write_text("")
    (run,) = recorded(folder)
    assert names_of_channels((run,)) == {(0, 4): "V1725_292 CH4", (0, 5): "V1725_292 CH5"}


def test_names_that_somebody_gave_stay_and_none_is_given_twice() -> None:
    names = pl.DataFrame({"board": [0, 0, 1], "channel": [4, 5, 4], "name": ["HPGe", "0/5", "1/4"]})
    same = {(0, 4): "V1 CH4", (0, 5): "V1 CH5", (1, 4): "V2 CH4"}
    assert dict(renamed(names, same)) == {"0/5": "V1 CH5", "1/4": "V2 CH4"}
    assert dict(renamed(names, same | {(1, 4): "V1 CH5"})) == {}
    assert dict(renamed(names, same | {(1, 4): "HPGe"})) == {"0/5": "V1 CH5"}


def test_sentences_call_detectors_as_the_page_does() -> None:
    names = {"0/4": "V1 CH4", "0/44": "V1 CH44"}
    said = "0/4 and 0/44: 3 % of 10/4 (10/44, 0/4) at /data/0/4, 0/4.5 and run/0/4.csv, --start 0/4."
    assert with_names_in(said, names) == (
        "V1 CH4 and V1 CH44: 3 % of 10/4 (10/44, V1 CH4) at /data/0/4, 0/4.5 and run/0/4.csv, --start V1 CH4."
    )


def test_two_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    one, other = (run_folder(tmp_path / day, name="run_1", first=adc) for day, adc in (("monday", 1), ("tuesday", 2)))
    names = [run.name for run in recorded(one, other)]
    assert names == ["run_1 (monday/SDataR_Na22_run3.CSV)", "run_1 (tuesday/SDataR_Na22_run3.CSV)"]


@pytest.mark.usefixtures("undrawn")
def test_hostile_notes_and_settings_are_text_on_the_page(tmp_path: Path) -> None:
    name = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    folder = run_folder(tmp_path / "run", name=name)
    (folder / "settings.xml").write_text(SETTINGS.format(label="&lt;script&gt;alert(2)&lt;/script&gt;"))

    assert gammapolars("report", folder, "-o", tmp_path / "report").code == 0

    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert f"<title>{unbroken(name)}</title>" in page
    assert "&lt;script&gt;alert(2)&lt;/script&gt; CH4" in page
    assert "<script>alert" not in page
    assert page.count("<img") == page.count('<img src="data:image/png') + page.count('<img class="narrow" src="data:')


@pytest.mark.usefixtures("undrawn")
def test_runs_in_one_file_are_said_to_be_summed_up(tmp_path: Path) -> None:
    hits = [(10**9 * row + channel, channel, 0, 500 + row, 0x4000) for row in range(40) for channel in (4, 5)]
    runs = [frame(hits).with_columns(run=pl.lit(number, pl.UInt16)) for number in (1, 2)]
    pl.concat(runs).write_parquet(tmp_path / "runs.parquet")

    assert gammapolars("report", tmp_path / "runs.parquet", "-o", tmp_path / "report").code == 0

    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    said = "runs.parquet: contains 2 runs, which are summed here; write each run to its own file to compare them"
    assert said in page[: page.index('class="tiles"')]
