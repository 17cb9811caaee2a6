"""Names of outputs that Windows does not have, though writing to some of them seems to work."""

import sys
from pathlib import Path

import pytest

from gammapolars.io import file_names
from gammapolars.io.file_names import fault_on_windows
from tests.commandline import REPOSITORY, gammapolars

RUN = REPOSITORY / "data" / "na22-two-nai.root"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("run:1.parquet", "':'"),
        ("run?.csv", "'?'"),
        ('"run".csv', "'\"'"),
        ("a\tb.csv", "'\\t'"),
        ("CON", "CON is a device"),
        ("nul.csv", "NUL is a device"),
        ("Aux .tar.gz", "AUX is a device"),
        ("COM1.parquet", "COM1 is a device"),
        ("lpt²", "LPT² is a device"),
        ("run.csv.", "end"),
        ("run ", "end"),
    ],
)
def test_such_a_name_has_a_fault(name: str, why: str) -> None:
    assert why in (fault_on_windows(name) or "")


@pytest.mark.parametrize(
    "name", ["run.csv", "CONE.csv", "COM10.csv", "COM", "ACON", "γγ [1] (2), 3.csv", ".hidden", ""]
)
def test_others_have_none(name: str) -> None:
    assert fault_on_windows(name) is None


@pytest.mark.skipif(sys.platform == "win32", reason="refused there already")
@pytest.mark.parametrize("name", ["run:1.parquet", "nul.csv"])
def test_only_windows_refuses_an_output_with_such_a_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_names, "IS_WINDOWS", False)
    assert gammapolars("convert", RUN, "-o", tmp_path / name).code == 0

    monkeypatch.setattr(file_names, "IS_WINDOWS", True)
    done = gammapolars("convert", RUN, "-o", tmp_path / name, "--overwrite")

    assert "name another output" in done.error


def test_a_folder_of_results_cannot_have_such_a_name_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_names, "IS_WINDOWS", True)

    assert "name another output" in gammapolars("guide", "--html", tmp_path / "guide.").error
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_can_be_called_by_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_names, "IS_WINDOWS", True)
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")

    assert gammapolars("guide", "--html", "..", "--overwrite").code == 0
    assert (tmp_path / "index.html").exists()
