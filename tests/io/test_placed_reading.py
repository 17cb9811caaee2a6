"""Files are read at a place by several threads at once, whatever the system offers for it."""

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gammapolars.core import system
from gammapolars.io.placed_reading import read_at, read_into

SIZE = 200_000


@pytest.fixture
def data(tmp_path: Path) -> tuple[Path, bytes]:
    content = random.Random(1).randbytes(SIZE)
    (tmp_path / "file").write_bytes(content)
    return tmp_path / "file", content


def test_threads_read_one_file_at_their_own_places(data: tuple[Path, bytes]) -> None:
    path, content = data
    places = [(random.Random(n).randrange(SIZE), 1 + n % 5000) for n in range(4000)]
    with path.open("rb") as file, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda place: read_at(file.fileno(), place[1], place[0]), places))

    assert found == [content[at : at + size] for at, size in places]


def test_a_buffer_is_filled_up_to_the_end_of_the_file(data: tuple[Path, bytes]) -> None:
    path, content = data
    buffer = bytearray(100)
    with path.open("rb") as file:
        assert read_into(file.fileno(), memoryview(buffer)[10:20], 5000) == 10
        assert buffer[10:20] == content[5000:5010]
        assert read_into(file.fileno(), memoryview(buffer), SIZE - 7) == 7
        assert read_into(file.fileno(), memoryview(buffer), SIZE) == 0


def test_what_windows_refuses_for_a_moment_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    left = [PermissionError, PermissionError]

    def refused_twice() -> str:
        if left:
            raise left.pop()
        return "renamed"

    monkeypatch.setattr(system, "IS_WINDOWS", True)
    assert system.patiently(refused_twice) == "renamed"

    monkeypatch.setattr(system, "PATIENCE_S", 0.0)
    left.append(PermissionError)
    with pytest.raises(PermissionError):
        system.patiently(refused_twice)
