"""Names of files as systems have them: patterns, drives and folders with odd names, and many files at once."""

import json
import re
import shutil
import sys
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

import polars as pl
import pytest

from gammapolars.commands.query_files import query_path
from gammapolars.core.errors import DetectorsError
from gammapolars.detectors import import_calp
from gammapolars.io.patterns import as_pattern
from gammapolars.io.remote import is_remote
from gammapolars.io.spectrum_files import read_spectrum, save_spectrum
from tests.commandline import REPOSITORY, gammapolars
from tests.hits import frame

RUN = REPOSITORY / "data" / "na22-two-nai.root"

WINDOWS = [
    (r"C:\DAQ\run [1]\*.root", r"C:\DAQ\run [1]", r"C:\DAQ\run [[]1]\*.root"),
    (r"C:/DAQ/run [1]/*.root", r"C:\DAQ\run [1]", r"C:\DAQ\run [[]1]\*.root"),
    (r"\\?\C:\DAQ\*.root", r"\\?\C:\DAQ", r"\\?\C:\DAQ\*.root"),
    (r"\\lab-pc\daq [1]\run_7\*.root", r"\\lab-pc\daq [1]\run_7", r"\\lab-pc\daq [1]\run_7\*.root"),
    (r"\\lab-pc\daq\run?7\[ab]*\x.root", r"\\lab-pc\daq", r"\\lab-pc\daq\run?7\[ab]*\x.root"),
    (r"D:run [1]\*.root", r"D:run [1]", r"D:run [[]1]\*.root"),
    (r"..\run [1]\*.root", r"..\run [1]", r"..\run [[]1]\*.root"),
    (r"C:\*.root", r"C:\none", r"C:\*.root"),
]


@pytest.mark.parametrize(("name", "there", "pattern"), WINDOWS)
def test_a_folder_that_is_there_stands_for_itself_in_a_pattern_of_windows(name: str, there: str, pattern: str) -> None:
    folders = {PureWindowsPath(there), *PureWindowsPath(there).parents}

    assert as_pattern(PureWindowsPath(name), folders.__contains__) == pattern


def test_a_folder_that_is_not_there_is_a_pattern_itself() -> None:
    def is_there(path: PurePath) -> bool:
        return path == PurePosixPath("/DAQ")

    assert as_pattern(PurePosixPath("/DAQ/run_[12]/*.root"), is_there) == "/DAQ/run_[12]/*.root"


@pytest.mark.parametrize("folder", ["run [1]", "what?", "a*b"])
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_a_pattern_finds_files_in_a_folder_with_an_odd_name(folder: str, tmp_path: Path) -> None:
    (tmp_path / folder).mkdir()
    shutil.copy(RUN, tmp_path / folder / "run.root")

    done = gammapolars("info", tmp_path / folder / "*.root", "--json")

    assert json.loads(done.out)["hits"] == 100_000


@pytest.mark.parametrize("name", [r"C:\run.root", "C:/run.root", "C://run.root", r"\\lab-pc\daq\run.root", "a:b.root"])
def test_a_drive_is_no_server(name: str) -> None:
    assert not is_remote(name)
    assert not is_remote(PureWindowsPath(name))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [r"C:\queries\mine.py", r"\\lab-pc\daq\mine.py", r".\mine.py", r"\\?\C:\mine.py"])
def test_a_query_is_found_by_a_path_of_windows(name: str) -> None:
    assert str(query_path(name)) == name


ASSIGNED = [r"C:\DAQ\ch1.CALp", "C:/DAQ/ch1.CALp", r"\\lab-pc\daq\ch1.CALp", r"\\?\C:\DAQ\ch1.CALp", r"D:\a=b\ch1.CALp"]


@pytest.mark.parametrize("path", ASSIGNED)
@pytest.mark.parametrize("detector", ["1", "0/1"])
def test_all_behind_the_first_equals_sign_is_the_path(detector: str, path: str) -> None:
    with pytest.raises(DetectorsError, match=re.escape(f"{Path(path)}: ")):
        import_calp([f"{detector}={path}"])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts its open files in /proc")
def test_a_run_of_more_files_than_may_be_open_is_read(tmp_path: Path) -> None:
    import resource

    for number in range(150):
        frame([(number * 1000, number, 0, 5)]).write_parquet(tmp_path / f"{number}.parquet")
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    now = len(list(Path("/proc/self/fd").iterdir()))

    resource.setrlimit(resource.RLIMIT_NOFILE, (now + 100, usual[1]))
    try:
        done = gammapolars("convert", tmp_path / "*.parquet", "-o", tmp_path / "all.arrow", "--json")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, usual)

    assert done.code == 0, done.err
    assert json.loads(done.out)["hits_read"] == 150


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
@pytest.mark.parametrize("name", ["a.root:b.root", "C:x.root"])
def test_a_colon_in_a_name_is_a_part_of_it(name: str, tmp_path: Path) -> None:
    """uproot by itself takes the part behind it for an object in the file."""
    spectrum = pl.DataFrame({"board": 0, "channel": 1, "adc": [1, 2, 3], "counts": [4.0, 5.0, 6.0]})
    save_spectrum(spectrum.with_columns(variance="counts"), tmp_path / "plain.root")
    (tmp_path / "plain.root").rename(tmp_path / name)

    assert read_spectrum(tmp_path / name).table["counts"].sum() == 15
