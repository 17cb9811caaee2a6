"""Run folders: each hit is found once, in whatever files CoMPASS wrote it."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gammapolars.core.errors import InputError, UsageError
from gammapolars.io import selection
from gammapolars.io.compass.file_names import Stage, group_segments, missing_segments, run_folder_of, same_hits_twice
from gammapolars.io.compass.folders import RunFiles, find_run_files
from tests.commandline import gammapolars
from tests.io.test_n42 import OF_2012
from tests.rootfiles import made_hits, write_hits

REAL = Path(os.environ.get("GAMMAPOLARS_REAL_DATA", ""))
recorded = pytest.mark.skipif(
    "GAMMAPOLARS_REAL_DATA" not in os.environ, reason="GAMMAPOLARS_REAL_DATA does not name the folder of recorded runs"
)

RAW_0 = "DataR_CH0@DT5725_1701_run"
RAW_1 = "DataR_CH1@DT5725_1701_run"


def tree(folder: Path, *names: str) -> Path:
    """A folder with files of these names; their contents do not matter here."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("some bytes")
    return folder


def streams(found: RunFiles) -> list[list[str]]:
    """The streams by their files' names in the run's folder."""
    return [[path.relative_to(found.folder).as_posix() for path in stream] for stream in found.streams]


# Stages.


def test_raw_holds_everything_and_comes_first(tmp_path: Path) -> None:
    folder = tree(tmp_path, "FILTERED/SDataF_run.root", "UNFILTERED/SData_run.root", "RAW/SDataR_run.root")

    found = find_run_files(folder)

    assert (found.stage, found.format, streams(found)) == ("raw", ".root", [["RAW/SDataR_run.root"]])
    assert found.folder == folder
    assert found.passed_over == (
        '1 file (ROOT) in UNFILTERED: another stage of the run (stage="unfiltered")',
        '1 file (ROOT) in FILTERED: another stage of the run (stage="filtered")',
    )


@pytest.mark.parametrize(
    ("stage", "name"),
    [
        ("raw", "RAW/SDataR_run.CSV"),
        ("filtered", "FILTERED/SDataF_run.root"),
        ("unfiltered", "UNFILTERED/SData_run.BIN"),
    ],
)
def test_the_stage_is_chosen(tmp_path: Path, stage: Stage, name: str) -> None:
    folder = tree(tmp_path, "FILTERED/SDataF_run.root", "UNFILTERED/SData_run.BIN", "RAW/SDataR_run.CSV")

    found = find_run_files(folder, stage)

    assert (found.stage, streams(found)) == (stage, [[name]])
    assert len(found.passed_over) == 2


def test_unfiltered_comes_before_filtered(tmp_path: Path) -> None:
    folder = tree(tmp_path, "FILTERED/SDataF_run.root", "UNFILTERED/SData_run.CSV", "RAW/HcompassR_run.root")

    assert find_run_files(folder).stage == "unfiltered"


def test_a_stage_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    folder = tree(tmp_path, "RAW/SDataR_run.root", "UNFILTERED/SData_run.root")

    with pytest.raises(
        InputError, match=r": contains no hits of stage filtered, only raw and unfiltered: choose with stage$"
    ):
        find_run_files(folder, "filtered")


def test_the_names_tell_the_stage_of_files_in_the_folder_itself(tmp_path: Path) -> None:
    folder = tree(tmp_path, "SDataF_run.root", "SDataR_run.BIN", "Data_CH0@V1725_292_run.CSV")

    assert streams(find_run_files(folder)) == [["SDataR_run.BIN"]]
    assert streams(find_run_files(folder, "filtered")) == [["SDataF_run.root"]]
    assert streams(find_run_files(folder, "unfiltered")) == [["Data_CH0@V1725_292_run.CSV"]]


def test_the_same_stage_in_two_places_is_read_once(tmp_path: Path) -> None:
    folder = tree(tmp_path, "SDataR_run.root", "RAW/SDataR_run.root")

    found = find_run_files(folder)

    assert streams(found) == [["RAW/SDataR_run.root"]]
    assert found.passed_over == (f"1 file (ROOT) in {folder.name}: the same stage",)


def test_the_folder_of_a_stage_can_be_given_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tree(tmp_path, "raw/SDataR_run.root", "FILTERED/SDataF_run.root")

    found = find_run_files(folder / "raw")
    monkeypatch.chdir(folder / "raw")
    here = find_run_files(".")

    assert (found.stage, found.folder, streams(found)) == ("raw", folder, [["raw/SDataR_run.root"]])
    assert (here.stage, here.folder, here.paths) == ("raw", folder, (Path("SDataR_run.root"),))


# Formats and channels.


def test_root_comes_before_bin_before_csv(tmp_path: Path) -> None:
    csv = tree(tmp_path, f"UNFILTERED/{RAW_0}.CSV", f"UNFILTERED/{RAW_1}.csv")
    assert streams(find_run_files(csv)) == [[f"UNFILTERED/{RAW_0}.CSV"], [f"UNFILTERED/{RAW_1}.csv"]]

    binary = tree(tmp_path, f"UNFILTERED/{RAW_0}.BIN", f"UNFILTERED/{RAW_1}.bin")
    found = find_run_files(binary)
    assert (found.format, streams(found)) == (".bin", [[f"UNFILTERED/{RAW_0}.BIN"], [f"UNFILTERED/{RAW_1}.bin"]])

    root = tree(tmp_path, f"UNFILTERED/{RAW_0}.root", f"UNFILTERED/{RAW_1}.ROOT")
    found = find_run_files(root)
    assert (found.format, streams(found)) == (".root", [[f"UNFILTERED/{RAW_0}.root"], [f"UNFILTERED/{RAW_1}.ROOT"]])
    assert found.passed_over == ("4 files (BIN/CSV) in UNFILTERED: the same hits in another format",)
    assert found.warnings == ()


def test_a_channel_that_is_there_in_a_later_format_alone_is_warned_of(tmp_path: Path) -> None:
    folder = tree(tmp_path, f"{RAW_0}.root", f"{RAW_0}.CSV", f"{RAW_1}.CSV")

    found = find_run_files(folder)

    assert streams(found) == [[f"{RAW_0}.root"]]
    assert found.warnings == (
        f"{RAW_1}.CSV: is not read, although no .root file contains its channel: give the files by name",
    )


def test_the_file_of_all_channels_comes_before_those_of_one(tmp_path: Path) -> None:
    folder = tree(tmp_path, f"RAW/{RAW_0}.root", f"RAW/{RAW_1}.root", "RAW/SDataR_run.root", "RAW/SDataR_run_1.root")

    found = find_run_files(folder)

    assert streams(found) == [["RAW/SDataR_run.root", "RAW/SDataR_run_1.root"]]
    assert found.passed_over == (
        "2 files (ROOT) in RAW: the same hits as in SDataR_run.root, which contains all channels",
    )


def test_channels_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    names = [f"DataR_CH{channel}@{board}_run.root" for board in ("DT5725_1", "DT5725_2") for channel in (2, 10, 0)]
    folder = tree(tmp_path, *names)

    numbers = [path.name.partition("@")[0] for path in find_run_files(folder).paths]

    assert numbers == ["DataR_CH0", "DataR_CH2", "DataR_CH10"] * 2


def test_names_without_board_or_run_are_known(tmp_path: Path) -> None:
    folder = tree(tmp_path, "DataR_CH0.root", "DataR_CH1.root", "DataR_CH2@DT5725_1701.root")

    assert len(find_run_files(folder).streams) == 3


# Segments.


def test_segments_follow_each_other_by_number(tmp_path: Path) -> None:
    names = [f"{RAW_0}.root", *(f"{RAW_0}_{number}.root" for number in range(1, 12)), f"{RAW_1}.root"]
    folder = tree(tmp_path, *(f"RAW/{name}" for name in names))

    found = find_run_files(folder)

    assert streams(found) == [[f"RAW/{name}" for name in names[:-1]], [f"RAW/{RAW_1}.root"]]
    assert found.paths == tuple(folder / "RAW" / name for name in names)
    assert found.warnings == ()


def test_a_number_that_is_part_of_the_runs_name_is_no_segment(tmp_path: Path) -> None:
    alone = tree(tmp_path / "a", "RAW/SDataR_run_1.root")
    assert streams(find_run_files(alone)) == [["RAW/SDataR_run_1.root"]]

    segments = tree(tmp_path / "b", *(f"RAW/SDataR_run_1{end}.CSV" for end in ("", "_2", "_1", "_10")))
    found = find_run_files(segments)
    assert streams(found) == [[f"RAW/SDataR_run_1{end}.CSV" for end in ("", "_1", "_2", "_10")]]

    board = tree(tmp_path / "c", "DataR_CH0@DT5725_1701_1.root", "DataR_CH1@DT5725_1701_1.root")
    assert len(find_run_files(board).streams) == 2


def test_a_file_in_another_format_or_folder_is_no_first_segment(tmp_path: Path) -> None:
    folder = tree(tmp_path, "RAW/SDataR_run_1.root", "SDataR_run.root", "RAW/SDataR_run.CSV")

    assert group_segments([folder / "RAW/SDataR_run_1.root", folder / "SDataR_run.root"]) == (
        (folder / "RAW/SDataR_run_1.root",),
        (folder / "SDataR_run.root",),
    )


def test_missing_segments_are_warned_of(tmp_path: Path) -> None:
    folder = tree(tmp_path, *(f"SDataR_run{end}.root" for end in ("", "_1", "_4", "_6")))

    assert find_run_files(folder).warnings == ("SDataR_run_6.root: earlier segments are missing: 2, 3, 5",)
    late = group_segments([folder / "SDataR_run_4.root"])
    assert missing_segments(late) == ("SDataR_run_4.root: earlier segments are missing: the first, 1, 2, 3",)
    assert missing_segments(group_segments([folder / "SDataR_run.root"])) == ()


@pytest.mark.parametrize("apart", [False, True])
def test_files_of_other_programs_miss_no_segment_that_is_given(tmp_path: Path, apart: bool) -> None:
    folder = tree(tmp_path, *(f"b1{end}.csv" for end in ("", "_1", "_2", "_4")))

    def missing(*names: str) -> list[str]:
        for name in names:
            (folder / name).write_text(name)
        return [
            line for run in selection.select([folder / name for name in names], apart=apart) for line in run.warnings
        ]

    assert missing("b1.csv", "b1_1.csv", "b1_2.csv") == []
    assert missing("b1_1.csv", "b1_2.csv") == ["b1_2.csv: earlier segments are missing: the first"]
    assert missing("b1.csv", "b1_1.csv", "b1_2.csv", "b1_4.csv") == ["b1_4.csv: earlier segments are missing: 3"]


def test_a_long_number_is_a_date_and_no_segment(tmp_path: Path) -> None:
    folder = tree(tmp_path, "run.root", "run_20250318.root", "run_01.root", "run_0.root")

    assert len(group_segments(sorted(folder.iterdir()))) == 4


def test_given_segments_are_one_stream_without_the_first(tmp_path: Path) -> None:
    folder = tree(tmp_path, "run.root", "run_1.root", "run_2.root", "other.root")
    given_files = [folder / "run_2.root", folder / "other.root", folder / "run_1.root"]

    assert group_segments(given_files) == ((folder / "run_1.root", folder / "run_2.root"), (folder / "other.root",))


@given(st.sets(st.tuples(st.sampled_from(["a", "a_1", "b_7", "c"]), st.integers(0, 12)), min_size=1))
def test_every_file_is_in_one_stream(tmp_path_factory: pytest.TempPathFactory, parts: set[tuple[str, int]]) -> None:
    names = {name if number == 0 else f"{name}_{number}" for name, number in parts}
    folder = tree(tmp_path_factory.mktemp("run"), *(f"{name}.root" for name in names))

    grouped = group_segments(sorted(folder.iterdir()))

    assert sorted(path for stream in grouped for path in stream) == sorted(folder.iterdir())
    for first, *others in grouped:
        assert all(path.stem.rpartition("_")[0] == first.stem for path in others)
        assert [int(path.stem.rpartition("_")[2]) for path in others] == sorted(
            int(path.stem.rpartition("_")[2]) for path in others
        )
        if others:
            continue
        # A file by itself is no segment of another, unless it has segments that it must stand before.
        base, _, number = first.stem.rpartition("_")
        assert not (base in names and number.isdigit())


# What is no hit file of this run.


def test_histograms_pictures_and_hidden_files_are_left_alone(tmp_path: Path) -> None:
    unrelated = ("RAW/HcompassR_run_20240503_181136.root", "RAW/a.png", "run.info", "settings.xml", "._SDataR_run.root")
    folder = tree(tmp_path, "RAW/SDataR_run.root", *unrelated)

    found = find_run_files(folder)

    assert streams(found) == [["RAW/SDataR_run.root"]]
    assert found.passed_over == ()


def test_spectra_next_to_the_hits_are_listed(tmp_path: Path) -> None:
    there = ("RAW/CH0@DT5725_1701_EspectrumR_run_20240503_181136.n42", "RAW/b.N42", "a.n42")
    elsewhere = ("FILTERED/SDataF_run.root", "FILTERED/c.n42", "RAW/.d.n42", "RAW/e.txt")
    folder = tree(tmp_path, "RAW/SDataR_run.root", *there, *elsewhere)

    assert find_run_files(folder).spectra == tuple(folder / name for name in there)
    assert [path.name for path in find_run_files(folder, "filtered").spectra] == ["c.n42", "a.n42"]
    assert selection.select([folder / "RAW" / "SDataR_run.root"])[0].spectra == ()


def test_info_lists_the_spectra_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "RAW").mkdir()
    write_hits(tmp_path / "RAW" / "SDataR_run.root", made_hits(10))
    (tmp_path / "RAW" / "CH0@DT5725_1701_EspectrumR_run.n42").write_text(OF_2012)
    (tmp_path / "RAW" / "damaged.n42").write_text(OF_2012[:300])

    done = gammapolars("info", tmp_path)

    assert "spectrum: CH0@DT5725_1701_EspectrumR_run.n42 (14 counts, live 3600.5 of 519.127 s)" in done.out
    assert "spectrum: damaged.n42 (cannot be read)" in done.out
    (source,) = json.loads(gammapolars("info", tmp_path, "--json").out)["sources"]
    assert [Path(row.pop("name")).name for row in source["spectra"]] == [
        "CH0@DT5725_1701_EspectrumR_run.n42",
        "damaged.n42",
    ]
    assert source["spectra"] == [
        {"counts": 14.0, "real_time_s": 519.127, "live_time_s": 3600.5},
        {"counts": None, "real_time_s": None, "live_time_s": None},
    ]


def test_files_that_could_hold_hits_are_named(tmp_path: Path) -> None:
    folder = tree(tmp_path, "RAW/SDataR_run.root", "pairs.root", "hits.parquet", "RAW/copy.CSV")

    assert find_run_files(folder).passed_over == (
        "hits.parquet, pairs.root, copy.CSV: not named like CoMPASS list files (read if given by name)",
    )


def test_files_with_names_of_their_own_are_read_where_there_are_no_others(tmp_path: Path) -> None:
    folder = tree(tmp_path, "left.root", "right.root", "right_1.root", "left.csv", "HcompassR_run.root")

    found = find_run_files(folder)

    assert (found.stage, streams(found)) == (None, [["left.root"], ["right.root", "right_1.root"]])
    assert found.passed_over == ("left.csv: in another format or place",)
    with pytest.raises(InputError, match=r"no file of hits .* known to be of stage raw: leave stage out"):
        find_run_files(folder, "raw")


def test_several_runs_in_one_folder_are_an_error(tmp_path: Path) -> None:
    folder = tree(tmp_path, "SDataR_day.root", "SDataR_night.root", "SDataR_night_1.root")

    with pytest.raises(InputError, match=r": contains files of several runs \(day, night\): give those of one"):
        find_run_files(folder)


def test_runs_that_differ_by_a_number_are_not_taken_for_segments(tmp_path: Path) -> None:
    folder = tree(tmp_path, "SDataR_run_1.root", "SDataR_run_2.root", "SDataR_run_10.root")

    with pytest.raises(InputError, match=r"several runs \(run_1, run_10, run_2\)"):
        find_run_files(folder)


def test_a_folder_without_hits_says_what_was_looked_for(tmp_path: Path) -> None:
    folder = tree(tmp_path, "RAW/HcompassR_run.root", "notes.txt")

    with pytest.raises(InputError) as caught:
        find_run_files(folder)

    assert str(caught.value).startswith(f"{folder}: there is no file of hits in this folder")
    for part in ("RAW", "UNFILTERED", "FILTERED", ".root", ".bin", ".csv", "notes.txt", "HcompassR_run.root"):
        assert part in str(caught.value)


def test_an_empty_and_a_missing_folder_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r": there is no file of hits in this folder.*: it is empty"):
        find_run_files(tmp_path)
    with pytest.raises(InputError, match=r"gone: cannot be read: No such file or directory"):
        find_run_files(tmp_path / "gone")


# Folders of runs.


@pytest.mark.parametrize("above", ["", "DAQ/"])
def test_a_folder_of_several_runs_names_them(tmp_path: Path, above: str) -> None:
    folder = tree(tmp_path, *(f"{above}{run}/RAW/SDataR_{run}.root" for run in ("co60", "na22")), f"{above}notes.csv")

    with pytest.raises(InputError) as caught:
        find_run_files(folder)

    assert str(caught.value) == (
        f"{folder}: contains several runs (co60, na22): give one of them, such as {folder / above / 'co60'}"
    )


def test_many_runs_are_counted(tmp_path: Path) -> None:
    folder = tree(tmp_path, *(f"run_{number:02}/RAW/SDataR_run_{number:02}.root" for number in range(30)))

    with pytest.raises(InputError, match=r"\(run_00, run_01, run_02, run_03, run_04, … 30 in all\)"):
        find_run_files(folder)


@pytest.mark.parametrize("above", ["", "DAQ/"])
def test_the_only_run_of_a_project_is_taken(tmp_path: Path, above: str) -> None:
    folder = tree(tmp_path, f"{above}co60/RAW/SDataR_co60.root", f"{above}co60/run.info", "project.txt")

    found = find_run_files(folder)

    assert found.folder == folder / above / "co60"
    assert streams(found) == [["RAW/SDataR_co60.root"]]


# Files that were named one by one.


def twice(folder: Path, *names: str) -> str | None:
    return same_hits_twice([tree(folder, *names) / name for name in names])


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("run.root", "run.CSV"), "in another format"),
        (("hits.parquet", "hits.root"), "in another format"),
        (("run.root", "run_1.root", "run.CSV", "run_1.CSV"), "in another format"),
        (("SDataR_run.root", f"{RAW_0}.root"), "once in one file for all channels and once in a file per channel"),
        (("SDataR_run.root", "SDataR_run_1.root", f"{RAW_0}.CSV"), "once in one file for all channels"),
        (("RAW/SDataR_run.root", "FILTERED/SDataF_run.root"), "at another stage"),
        ((f"RAW/{RAW_0}.root", "UNFILTERED/Data_CH1@DT5725_1701_run.root"), "at another stage"),
        (("SDataR_run.root", "SDataF_run.root"), "at another stage"),
        (("SDataR_copy.root", "UNFILTERED/SData_run.root"), "at another stage"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_the_same_hits_in_two_files_are_found(tmp_path: Path, names: tuple[str, ...], why: str, turned: bool) -> None:
    error = twice(tmp_path, *(reversed(names) if turned else names))

    assert error is not None
    assert why in error
    assert error.endswith("give only one of them")
    assert sum(str(tmp_path / name) in error for name in names) >= 2


@pytest.mark.parametrize(
    "names",
    [
        ("run.root", "run_1.root"),
        ("left.root", "right.csv"),
        ("a/run.root", "b/run.csv"),
        (f"RAW/{RAW_0}.root", f"RAW/{RAW_1}.root", f"RAW/{RAW_1}_1.root"),
        (f"RAW/{RAW_0}.root", f"RAW/{RAW_1}.CSV"),
        ("a/RAW/SDataR_a.root", "b/FILTERED/SDataF_b.root"),
        ("SDataR_a.root", "SDataF_b.root", "Data_CH0@V1725_292_c.CSV"),
        ("DataR_CH0@V1725_1_run.root", "DataR_CH0@V1725_2_run.root"),
    ],
)
def test_different_hits_are_not_taken_for_the_same(tmp_path: Path, names: Iterable[str]) -> None:
    assert twice(tmp_path, *names) is None


def test_the_run_folder_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tree(tmp_path, "RAW/SDataR_run.root", "other/run.root")
    monkeypatch.chdir(folder / "RAW")

    assert run_folder_of(folder / "RAW" / "SDataR_run.root") == folder
    assert run_folder_of(folder / "other" / "run.root") == folder / "other"
    assert run_folder_of("SDataR_run.root") == folder


# Recorded runs.


@recorded
def test_recorded_run_folders() -> None:
    alpha = find_run_files(REAL / "alpha-si-mcp")
    assert (alpha.stage, streams(alpha), alpha.passed_over) == ("raw", [["RAW/SDataR_vuoto_3_peaks_81.root"]], ())

    na22 = find_run_files(REAL / "na22-two-nai")
    assert (na22.stage, streams(na22)) == ("raw", [["SDataR_na22_two_nai.root"]])
    assert na22.passed_over == ('2 files (CSV) in UNFILTERED: another stage of the run (stage="unfiltered")',)

    csv = find_run_files(REAL / "na22-two-nai", "unfiltered")
    assert [path.name[:8] for path in csv.paths] == ["Data_CH4", "Data_CH5"]
    assert "at another stage" in (same_hits_twice([*na22.paths, *csv.paths]) or "")

    with pytest.raises(InputError, match=r"several runs \(Co60_0_872uCi_.*, Cs137_9_38uCi_.*\)"):
        find_run_files(REAL / "co60-cs137-nai")


def test_the_time_of_finding_segments_grows_no_faster_than_their_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(300):
        suffix = f"_{number}" if number else ""
        (tmp_path / f"DataR_run{suffix}.csv").write_text(f"0;0;{number};100;0x0\n")
    read: list[Path] = []

    def fingerprint(path: Path) -> str:
        read.append(path)
        return path.read_text()

    monkeypatch.setattr(selection, "fingerprint", fingerprint)
    (found,) = selection.select([str(tmp_path / "*.csv")])
    (stream,) = found.streams
    assert [path.stem.partition("run")[2] for path in stream[:3]] == ["", "_1", "_2"]
    assert len(stream) == 300
    assert len(read) <= 2 * 300


def test_the_third_of_two_copies_is_named(tmp_path: Path) -> None:
    for name, text in {"a": "1", "b": "2", "c": "2"}.items():
        (tmp_path / f"{name}.csv").write_text(text)
    with pytest.raises(UsageError, match=r"c\.csv: is a copy of .*b\.csv"):
        selection.select([str(tmp_path / "*.csv")])
