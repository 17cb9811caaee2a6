"""Records of BIN files in ranges: together they are the file, whatever is damaged, with and without waveforms."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from gammapolars.core.errors import InputError
from gammapolars.io import Losses, Reading
from gammapolars.io.compass import bin as compass_bin
from gammapolars.io.compass import bin_places
from gammapolars.io.compass.bin_layout import Layout
from gammapolars.io.input_file import open_file
from gammapolars.io.places import NO_HIT_PS, times_at
from tests.binfiles import LAYOUTS, made_hits, write_bin, write_bytes
from tests.drawing import examples
from tests.ranges import account, borders, read_in_ranges, read_whole

HITS = 2000
PLAIN = LAYOUTS["energy,short,flags"]
WAVES = LAYOUTS["energy,short,flags,waveform"]


@pytest.fixture(scope="module", autouse=True)
def small_blocks() -> object:
    """Blocks of a few kB, so that small files have many."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (compass_bin, bin_places):
            patch.setattr(module, "BLOCK_BYTES", 2**13)
            patch.setattr(module, "CHUNK_RECORDS", 300)
        yield


@pytest.fixture(scope="module")
def hits() -> pl.DataFrame:
    return made_hits(HITS)


@examples(50)
@given(data=st.data())
def test_ranges_together_are_the_file_and_lose_what_it_loses(
    tmp_path_factory: pytest.TempPathFactory, hits: pl.DataFrame, data: st.DataObject
) -> None:
    layout = data.draw(st.sampled_from([PLAIN, WAVES]))
    rng = np.random.default_rng(data.draw(st.integers(0, 3)))
    lengths = data.draw(
        st.sampled_from([20, rng.integers(5, 60, HITS).tolist(), rng.choice([10, 12, 300], HITS).tolist()])
    )
    path = write_bin(tmp_path_factory.mktemp("x") / "run.bin", hits, layout, lengths)
    octets = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(len(octets) // 10, len(octets) - 1))
        count = data.draw(st.sampled_from([1, 4, 60, 9000]))
        octets[place : place + count] = data.draw(
            st.sampled_from([bytes(count), b"\xff" * count, rng.bytes(count), b""])
        )
    write_bytes(path, bytes(octets[: len(octets) - data.draw(st.sampled_from([0, 0, 5, 70]))]))
    whole, cut = Reading(losses=Losses()), Reading(losses=Losses())
    try:
        places = borders(open_file(path, Reading(losses=Losses())))
    except InputError:  # its layout cannot be seen any more
        return
    if layout is PLAIN:
        anywhere = data.draw(st.lists(st.integers(1, places[-1] - 1), max_size=5, unique=True))
        places = [0, *sorted(anywhere), places[-1]]
    else:
        few = data.draw(st.lists(st.sampled_from(places[1:-1]), unique=True)) if places[1:-1] else []
        places = data.draw(st.sampled_from([places, [0, *sorted(few), places[-1]]]))

    expected = read_whole(path, whole)
    found = read_in_ranges(path, places, cut)

    assert_frame_equal(found, expected)
    assert account(cut.losses) == account(whole.losses)


@pytest.mark.parametrize("layout", [PLAIN, WAVES])
def test_borders_are_records_and_times_there_those_of_the_hits(
    tmp_path: Path, hits: pl.DataFrame, layout: Layout
) -> None:
    lengths = np.random.default_rng(1).integers(5, 60, HITS).tolist()
    path = write_bin(tmp_path / "run.bin", hits, layout, lengths)
    file = open_file(path, Reading())
    places = borders(file)
    begins = np.cumsum([2, *(25 + 2 * np.array(lengths))])
    rows = places[:-1] if layout is PLAIN else [int(np.searchsorted(begins, place)) for place in places[:-1]]

    assert len(places) > 6
    if layout is WAVES:
        assert {*places[1:-1]} <= {*begins.tolist()}
        assert max(np.diff(places)) < 2 * 2**13
    assert times_at(file, places) == [*hits["timestamp_ps"][rows], NO_HIT_PS]


def test_damage_is_an_error_of_the_range_that_has_it(tmp_path: Path, hits: pl.DataFrame) -> None:
    path = write_bin(tmp_path / "run.bin", hits, WAVES, [20, 30] * (HITS // 2))
    octets = bytearray(path.read_bytes())
    octets[40_000:40_060] = b"\xff" * 60
    write_bytes(path, bytes(octets))
    places = borders(open_file(path, Reading()))
    bad = next(number for number, place in enumerate(places) if place > 40_000) - 1
    with pytest.raises(InputError) as of_whole:
        read_whole(path, Reading())

    assert read_in_ranges(path, places[: bad + 1], Reading()).height > 100
    assert read_in_ranges(path, places[bad + 1 :], Reading()).height > 100
    with pytest.raises(InputError) as of_range:
        read_in_ranges(path, places[bad : bad + 2], Reading())
    assert str(of_range.value) == str(of_whole.value)
