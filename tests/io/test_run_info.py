"""What CoMPASS writes down beside the hits: read as it is, and damage never stops an analysis."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
import uproot
from hypothesis import given
from hypothesis import strategies as st

from gammapolars.core.errors import InputError
from gammapolars.io.compass.run_info import ChannelTimes, RunInfo, live_times, read_run_info
from gammapolars.io.compass.settings_xml import MAX_BYTES, BoardInfo, ChannelInfo, read_settings
from tests.commandline import REPOSITORY

REAL = Path(os.environ.get("GAMMAPOLARS_REAL_DATA", ""))
recorded = pytest.mark.skipif(
    "GAMMAPOLARS_REAL_DATA" not in os.environ, reason="GAMMAPOLARS_REAL_DATA does not name the folder of recorded runs"
)

RUN_INFO = """\
id=test_3
time.start=2024/05/03 18:02:57.005+0200
time.stop=2024/05/04 20:11:36.134+0200
time.real=26:08:39
board.0-14-292.readout.rate=745.894 kb/s
board.0-14-292.4.rejections.pileup=0.5
board.0-14-292.4.rejections.saturation=1176.38
board.0-14-292.4.throughput=33930.9
board.0-14-292.4.icr=35886.4
board.0-14-292.4.ocr=NaN
board.0-14-292.4.calibration.energy.c0=-1.5
board.0-14-292.4.calibration.energy.c1=0.25
board.0-14-292.4.calibration.energy.c2=1.0E-6
board.0-14-292.4.calibration.energy.uom=keV
board.2-14-17.10.icr=1.0
"""


def entry(key: str, value: str, *, nested: bool = False) -> str:
    """A setting: of a channel, or nested with its description, of a board."""
    inner = f"<value>{value}</value><descriptor><id>{key}</id><udm>NANOS</udm></descriptor>" if nested else value
    return f"<entry><key>{key}</key><value>{inner}</value></entry>"


def settings(*boards: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<configuration>{"".join(boards)}</configuration>'


BOARD = (
    "<board><id>0-14-292</id><modelName>V1725</modelName><serialNumber>292</serialNumber><label>V1725_292</label>"
    "<sampleTime>4000</sampleTime><parameters>"
    + entry("SRV_PARAM_CH_ENABLED", "false", nested=True)
    + entry("SRV_PARAM_CH_THRESHOLD", "300.0", nested=True)
    + entry("SRV_PARAM_CH_TIME_OFFSET", "0.0", nested=True)
    + entry("SW_PARAMETER_CH_LABEL", "CH", nested=True)
    + "</parameters><channel><index>4</index><values>"
    + entry("SRV_PARAM_CH_ENABLED", "true")
    + entry("SRV_PARAM_CH_TIME_OFFSET", "-12.345")
    + entry("SW_PARAMETER_CH_LABEL", "NaI &amp; left")
    + "</values></channel><channel><index>5</index><values/></channel>"
    "<channelCount>16</channelCount><dppType>DPP_PSD</dppType></board>"
)


def read(folder: Path, *, info: str | bytes | None = None, xml: str | bytes | None = None) -> RunInfo | None:
    for name, text in (("run.info", info), ("settings.xml", xml)):
        if text is not None:
            (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_run_info(folder)


# run.info


def test_run_info(tmp_path: Path) -> None:
    zone = timezone(timedelta(hours=2))

    assert read(tmp_path, info=RUN_INFO) == RunInfo(
        id="test_3",
        start=datetime(2024, 5, 3, 18, 2, 57, 5000, zone),
        stop=datetime(2024, 5, 4, 20, 11, 36, 134000, zone),
        real_time_s=26 * 3600 + 8 * 60 + 39,
        boards=(
            BoardInfo(
                "0-14-292",
                channels=(
                    ChannelInfo(
                        4,
                        icr_cps=35886.4,
                        ocr_cps=None,
                        throughput_cps=33930.9,
                        rejected_cps={"pileup": 0.5, "saturation": 1176.38},
                        calibration=(-1.5, 0.25, 1e-6),
                        calibration_unit="keV",
                    ),
                ),
            ),
            BoardInfo("2-14-17", channels=(ChannelInfo(10, icr_cps=1.0),)),
        ),
    )


def test_windows_line_ends_and_spaces_do_not_matter(tmp_path: Path) -> None:
    assert read(tmp_path, info=RUN_INFO.replace("\n", "\r\n").replace("=", " = ")) == read(tmp_path, info=RUN_INFO)


def test_missing_pieces_are_none(tmp_path: Path) -> None:
    found = read(tmp_path, info="id=only\ntime.stop=\nboard.0-14-292.4.calibration.energy.c0=1.0\n")

    assert found == RunInfo(id="only", boards=(BoardInfo("0-14-292", channels=(ChannelInfo(4),)),))


def test_a_folder_without_notes(tmp_path: Path) -> None:
    assert read_run_info(tmp_path) is None
    assert read_run_info(tmp_path / "missing") is None


@pytest.mark.parametrize(
    ("line", "warning"),
    [
        ("time.start=yesterday", "run.info: time.start is 'yesterday', which cannot be read"),
        ("time.start=2024/05/03 18:02:57", "run.info: time.start is '2024/05/03 18:02:57', which cannot be read"),
        ("time.real=520 s", "run.info: time.real is '520 s', which cannot be read"),
        (f"time.real={'9' * 500}:00:00", "run.info: time.real is '9999999999999999999999999999999999999999', which"),
        ("board.0-14-292.4.icr=many", "run.info: board.0-14-292.4.icr is 'many', which cannot be read"),
        ("here is\nno equals sign", "run.info: 2 lines are not 'key=value', such as 'here is'"),
    ],
)
def test_damaged_lines_are_warned_of_and_the_others_read(tmp_path: Path, line: str, warning: str) -> None:
    found = read(tmp_path, info=f"id=run\n{line}\ntime.stop=2024/05/03 18:11:36.134+0000\n")

    assert found is not None
    assert (found.id, found.start, found.real_time_s) == ("run", None, None)
    assert found.stop == datetime(2024, 5, 3, 18, 11, 36, 134000, UTC)
    assert len(found.warnings) == 1
    assert found.warnings[0].startswith(warning)


def test_a_run_info_of_anything_else(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).bytes(5000)

    assert (read(tmp_path, info=noise) or RunInfo()).warnings
    assert read(tmp_path, info=b"x" * 2**21) == RunInfo(warnings=("run.info: not read because it is far too long",))


def test_control_characters_do_not_reach_a_terminal(tmp_path: Path) -> None:
    found = read(tmp_path, info="id=\x1b[31mred\x1b[0m\n")

    assert found == RunInfo(id="[31mred[0m")


@given(st.binary(max_size=200) | st.text("id=tmesar.0-14:/ \n9N", max_size=80).map(str.encode))
def test_any_bytes_are_read_or_warned_of(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    found = read(tmp_path_factory.mktemp("run"), info=content, xml=content)

    assert found is not None
    assert found.warnings  # no bytes are settings
    json.dumps(found.as_json(), allow_nan=False)


def test_the_json_form(tmp_path: Path) -> None:
    found = read(tmp_path, info=RUN_INFO, xml=settings(BOARD))
    assert found is not None

    form = json.loads(json.dumps(found.as_json(), allow_nan=False))

    assert form["start"] == "2024-05-03T18:02:57.005000+02:00"
    assert form["boards"][0]["channels"][0]["calibration"] == [-1.5, 0.25, 1e-6]
    assert RunInfo().as_json()["stop"] is None


# settings.xml


def test_settings_join_what_run_info_tells(tmp_path: Path) -> None:
    found = read(tmp_path, info=RUN_INFO, xml=settings(BOARD))

    assert found is not None
    assert found.warnings == ()
    first, second = found.boards
    assert (first.id, first.model, first.serial_number, first.label) == ("0-14-292", "V1725", "292", "V1725_292")
    assert (first.firmware, first.sample_time_ps) == ("DPP_PSD", 4000)
    named, other = first.channels
    assert (named.channel, named.label, named.enabled) == (4, "NaI & left", True)
    assert (named.time_offset_ps, named.threshold_lsb, named.icr_cps) == (-12345, 300.0, 35886.4)
    assert other == ChannelInfo(5, label=None, enabled=False, threshold_lsb=300.0, time_offset_ps=0)
    assert (second.id, second.model) == ("2-14-17", None)


def test_settings_alone(tmp_path: Path) -> None:
    found = read(tmp_path, xml=settings(BOARD))

    assert found is not None
    assert (found.id, found.boards[0].model, found.boards[0].channels[0].icr_cps) == (None, "V1725", None)


@pytest.mark.parametrize(
    ("before", "after", "warning"),
    [
        ("-12.345", "soon", "settings.xml: board 0-14-292, channel 4: SRV_PARAM_CH_TIME_OFFSET is 'soon', which"),
        ("-12.345", "1e300", "settings.xml: board 0-14-292, channel 4: SRV_PARAM_CH_TIME_OFFSET is '1e300', which"),
        ("-12.345", "nan", "settings.xml: board 0-14-292, channel 4: SRV_PARAM_CH_TIME_OFFSET is 'nan', which"),
        (">true<", ">perhaps<", "settings.xml: board 0-14-292, channel 4: SRV_PARAM_CH_ENABLED is 'perhaps', which"),
        (">4000<", ">4 ns<", "settings.xml: board 0-14-292: sampleTime is '4 ns', which"),
        (">5</index>", ">-5</index>", "settings.xml: board 0-14-292 has a channel with the number '-5', which"),
    ],
)
def test_settings_without_sense_are_warned_of(tmp_path: Path, before: str, after: str, warning: str) -> None:
    assert before in BOARD
    found = read(tmp_path, info=RUN_INFO, xml=settings(BOARD.replace(before, after)))

    assert found is not None
    assert len(found.warnings) == 1
    assert found.warnings[0].startswith(warning)
    assert found.boards[0].model == "V1725"


LAUGHS = "".join(f'<!ENTITY l{level} "{f"&l{level - 1};" * 10}">' for level in range(1, 30))
HOSTILE: dict[str, tuple[str | bytes, str]] = {
    "a bomb of entities": (
        f'<!DOCTYPE configuration [<!ENTITY l0 "ha">{LAUGHS}]><configuration>&l29;</configuration>',
        "it declares a document type",
    ),
    "another file": (
        '<!DOCTYPE c [<!ENTITY x SYSTEM "file:///etc/passwd">]><configuration><board><id>&x;</id></board></configuration>',
        "it declares a document type",
    ),
    "a remote document type": (
        '<!DOCTYPE configuration SYSTEM "http://localhost:9/x.dtd"><configuration/>',
        "it declares a document type",
    ),
    "an unknown entity": ("<configuration>&bomb;</configuration>", "undefined entity"),
    "a deep nest": ("<configuration>" + "<a>" * 10_000, "its elements are nested more than 32 deep"),
    "a wide document": ("<configuration>" + "<a/>" * 600_000, "it has more than 500,000 elements"),
    "a huge file": (b"<configuration>" + b"<a/>" * (MAX_BYTES // 4), "it is far too long"),
    "a file that is cut": (settings(BOARD)[:-50], "no element found"),
    "another document": ("<html><board/></html>", "it contains <html>, not <configuration>"),
    "nothing": ("", "no element found"),
    "another encoding": ('<?xml version="1.0" encoding="klingon"?><configuration/>', "unknown encoding"),
    "no text": (bytes(range(256)), "not well-formed"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_and_damaged_settings_are_one_warning(tmp_path: Path, kind: str) -> None:
    xml, reason = HOSTILE[kind]

    found = read(tmp_path, info=RUN_INFO, xml=xml)

    assert found is not None
    assert found.id == "test_3"
    assert len(found.warnings) == 1
    assert found.warnings[0].startswith("settings.xml: cannot be read as settings: ")
    assert reason in found.warnings[0]


def test_a_settings_file_that_cannot_be_opened_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.xml: no such file"):
        read_settings(tmp_path / "missing.xml")


# Live times.


@recorded
def test_recorded_live_times() -> None:
    na22, alpha = live_times(REAL / "na22-two-nai"), live_times(REAL / "alpha-si-mcp")

    assert na22 is not None
    assert na22.path.parent.name == "FILTERED"
    assert na22.channels == (ChannelTimes(4, 200.112, 189.793), ChannelTimes(5, 200.112, 194.103))
    assert alpha is not None
    assert alpha.channels == (ChannelTimes(0, 519.127, 519.127), ChannelTimes(1, 519.127, 519.127))
    assert na22.warnings == alpha.warnings == ()
    assert json.loads(json.dumps(na22.as_json()))["channels"][1]["live_time_s"] == 194.103


def test_a_run_without_histograms_has_no_live_times(tmp_path: Path) -> None:
    (tmp_path / "RAW").mkdir()
    (tmp_path / "RAW" / "SDataR_run.root").touch()

    assert live_times(tmp_path) is None
    assert live_times(tmp_path / "missing") is None


def test_the_latest_histograms_are_taken(tmp_path: Path) -> None:
    for name in ("FILTERED/HcompassF_run_20240503_181136", "RAW/HcompassR_run_20240503_181136", "RAW/HcompassR_run"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        with uproot.recreate(tmp_path / f"{name}.root") as file:
            file["text"] = name

    found = live_times(tmp_path)
    assert found is not None
    assert found.path == tmp_path / "RAW" / "HcompassR_run_20240503_181136.root"
    assert found.channels == ()
    assert found.warnings == ("HcompassR_run_20240503_181136.root: contains no live times",)

    with uproot.recreate(tmp_path / "FILTERED" / "HcompassF_run_20240503_190000.root") as file:
        file["text"] = "later"
    later = live_times(tmp_path)
    assert later is not None
    assert later.path.name == "HcompassF_run_20240503_190000.root"


def test_damaged_histograms_are_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "HcompassR_run_20240503_181136.root"
    for content in (b"", b"root", b"root" + bytes(1000), b"no ROOT file" * 100):
        path.write_bytes(content)

        found = live_times(tmp_path)

        assert found is not None
        assert found.channels == ()
        assert len(found.warnings) == 1
        assert re.match(rf"{path.name}: (its live times cannot be read: .|contains no live times$)", found.warnings[0])
        assert "\n" not in found.warnings[0]


def test_something_else_by_the_name_of_a_live_time_is_warned_of(tmp_path: Path) -> None:
    with uproot.recreate(tmp_path / "HcompassR_run_20240503_181136.root") as file:
        file["LiveTime_0"] = "long"

    found = live_times(tmp_path)

    assert found is not None
    assert found.channels == ()
    assert len(found.warnings) == 1


@recorded
def test_a_time_that_cannot_be_is_warned_of(tmp_path: Path) -> None:
    (path,) = (REAL / "alpha-si-mcp" / "RAW").glob("Hcompass*.root")
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes().replace((519127).to_bytes(8), (-5).to_bytes(8, signed=True), 1))

    found = live_times(tmp_path)

    assert found is not None
    assert found.channels == (ChannelTimes(0, None, 519.127), ChannelTimes(1, 519.127, 519.127))
    assert found.warnings == (f"{path.name}: RealTime_0 is -5 ms, which is impossible",)


# Recorded notes.


@recorded
def test_recorded_run_info() -> None:
    found = read_run_info(REAL / "na22-two-nai")

    assert found is not None
    assert found.id == "Na22_9_98uCi_29Sep2023_250318_run3"
    assert found.start == datetime(2025, 3, 18, 16, 11, 24, 131000, UTC)
    assert found.stop == datetime(2025, 3, 18, 16, 14, 44, 139000, UTC)
    assert found.real_time_s == 200
    (board,) = found.boards
    assert [(channel.channel, channel.icr_cps, channel.ocr_cps) for channel in board.channels] == [
        (4, 35886.4, 32762.7),
        (5, 28229.0, 27287.9),
    ]
    assert board.channels[0].rejected_cps["saturation"] == 1176.38
    assert board.channels[0].calibration == (0, 1, 0)
    assert found.warnings == ()


@recorded
def test_recorded_settings() -> None:
    found = read_run_info(REAL / "alpha-si-mcp")
    assert found is not None
    assert found.warnings == ()
    (board,) = found.boards
    assert (board.id, board.model, board.serial_number, board.label) == ("2-14-1701", "DT5725", "1701", "DT5725_1701")
    assert (board.firmware, board.sample_time_ps) == ("DPP_PHA", 4000)
    assert [channel.channel for channel in board.channels] == list(range(8))
    assert [channel.enabled for channel in board.channels] == [True, True] + 6 * [False]
    assert [channel.threshold_lsb for channel in board.channels] == [150, 150] + 6 * [300]
    assert {channel.time_offset_ps for channel in board.channels} == {0}
    assert [channel.icr_cps for channel in board.channels[:3]] == [7.66273, 6.09838, None]

    (other,), _ = read_settings(REAL / "compass-bin" / "compass_test_data_settings.xml")
    assert (other.model, other.firmware, other.sample_time_ps) == ("DT5730", "DPP_PSD", 2000)
    assert [channel.threshold_lsb for channel in other.channels[:3]] == [100, 50, 50]


def test_notes_are_read_without_uproot(tmp_path: Path) -> None:
    (tmp_path / "run.info").write_text(RUN_INFO)
    program = (
        "import sys\n"
        "from gammapolars.io.compass.run_info import read_run_info\n"
        "assert read_run_info(sys.argv[1]).id == 'test_3'\n"
        "import gammapolars.io.compass.run_info\n"
        "print('uproot' in sys.modules)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stdout == "False\n"
