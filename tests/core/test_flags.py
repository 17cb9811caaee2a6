"""Flag bits by name, and the mask of those that reject a hit."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gammapolars.core import defaults
from gammapolars.core.errors import UsageError
from gammapolars.core.flags import FLAGS, has_any, names_in, parse_reject, union
from tests.hits import BAD

MASKS = st.integers(0, 2**32 - 1)
SINGLE = [name for name, mask in FLAGS.items() if mask.bit_count() == 1]


def test_the_default_rejects_saturation_pile_up_and_fake_events_and_keeps_the_fine_timestamp() -> None:
    mask = union(parse_reject(defaults.REJECT))

    assert mask == BAD == 0x80 | 0x400 | 0x8000 | 0x8
    assert not mask & FLAGS["fine_timestamp"]


@pytest.mark.parametrize(
    ("text", "mask"),
    [
        ("none", 0),
        ("", 0),
        (0, 0),
        ("0x480", 0x480),
        (0x480, 0x480),
        ("1152", 0x480),
        ("saturation", 0x480),
        ("saturation, pile_up", 0x8480),
        ("Saturation,PILE-UP", 0x8480),
        ("pile_up,0x1", 0x8001),
        ("0x80000000", 2**31),
        (2**32 - 1, 2**32 - 1),
    ],
)
def test_flags_are_named_or_given_as_a_mask(text: str | int, mask: int) -> None:
    assert union(parse_reject(text)) == mask


def test_each_flag_keeps_its_own_mask_under_its_name() -> None:
    assert parse_reject("saturation,pile_up,fake_event") == {"saturation": 0x480, "pile_up": 0x8000, "fake_event": 0x8}
    assert parse_reject(0x480) == {"saturation_gate": 0x80, "saturation_input": 0x400}


@pytest.mark.parametrize(
    ("text", "said"),
    [("saturatoin", "unknown flag 'saturatoin'"), ("0x1g", "unknown flag"), ("1e3", "unknown flag"), ("-1", "32 bits")],
)
def test_an_unknown_flag_is_refused_with_the_known_ones(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_reject(text)


def test_a_mask_of_more_than_32_bits_is_refused() -> None:
    with pytest.raises(UsageError, match="does not fit the 32 bits"):
        parse_reject("0x100000000")


@given(MASKS)
def test_any_mask_is_the_union_of_its_names(mask: int) -> None:
    assert union(parse_reject(mask)) == mask
    assert union(parse_reject(",".join(names_in(mask)))) == mask


def test_a_bit_without_a_name_is_printed_as_a_number() -> None:
    assert names_in(0x8000 | 0x80000000) == ["pile_up", "0x80000000"]


def test_single_bits_have_one_name_each() -> None:
    assert len({FLAGS[name] for name in SINGLE}) == len(SINGLE)


@given(MASKS, st.lists(MASKS, max_size=20))
def test_a_hit_is_rejected_if_it_carries_any_bit_of_the_mask(mask: int, flags: list[int]) -> None:
    table = pl.DataFrame({"flags": flags}, schema={"flags": pl.UInt32})

    found = table.select(has_any(mask)).to_series().to_list()

    assert found == [bool(carried & mask) for carried in flags]


def test_flags_are_asked_for_by_name() -> None:
    table = pl.DataFrame({"flags": [0, 0x8000, 0x80, 0x400, 0x4000]}, {"flags": pl.UInt32})

    assert table.select(has_any("pile_up,saturation")).to_series().to_list() == [False, True, True, True, False]
    assert not table.select(has_any("none")).to_series().any()
    with pytest.raises(UsageError, match="unknown flag 'pileup'"):
        has_any("pileup")
