"""Files that are read whole."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gammapolars.core.errors import GammapolarsError, InputError
from gammapolars.core.small_files import read_small
from gammapolars.detectors import load_detectors
from gammapolars.detectors.peakeasy import read_calp
from gammapolars.gates import load_gates
from gammapolars.io.spectrum_files import read_spectrum

TOML = '[[detector]]\nname = "A"\nchannel = 4\n'


@pytest.mark.parametrize("read", [load_detectors, read_calp, load_gates])
@pytest.mark.parametrize("kind", ["device", "pipe", "loop", "folder", "long name"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, read: Callable[[Path], object], kind: str) -> None:
    path = tmp_path / "a.toml"
    if kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path = tmp_path / ("n" * 300 + ".toml")
    with pytest.raises(GammapolarsError, match=r"is a device or a pipe|symbolic links|is a folder|too long"):
        read(path)


def test_a_spectrum_is_not_read_from_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.spe")
    with pytest.raises(InputError, match="is a device or a pipe"):
        read_spectrum(tmp_path / "a.spe")


def test_a_file_may_be_as_large_as_the_limit_and_no_larger(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_small(path, 5) == b"12345"
    with pytest.raises(InputError, match="larger than"):
        read_small(path, 4)


def test_a_byte_order_mark_is_no_part_of_detectors_toml(tmp_path: Path) -> None:
    path = tmp_path / "detectors.toml"
    path.write_text(TOML, encoding="utf-8-sig")
    assert [detector.key for detector in load_detectors(path)] == [(0, 4)]
