"""Numbers in messages."""

import pytest

from gammapolars.core.digits import expected_counts, percent, rounded


@pytest.mark.parametrize(
    ("value", "digits", "said"),
    [
        (99.7, 2, "100"), (100.0, 2, "100"), (12_345.0, 3, "12,300"), (99.94, 3, "99.9"), (0.01234, 3, "0.0123"),
        (-250.0, 2, "-250"), (-130.0, 1, "-100"), (1e7, 2, "10,000,000"), (0.0, 2, "0"), (9.96, 2, "10"),
    ],
)  # fmt: skip
def test_rounded_numbers_are_written_out(value: float, digits: int, said: str) -> None:
    assert rounded(value, digits) == said


def test_shares_are_never_none_or_all_by_rounding() -> None:
    shares = [(1, 3), (1, 10**6), (0, 5), (5, 5), (3, 0), (99_999, 100_000), (30, 2)]

    assert [percent(*share) for share in shares] == [
        "33.3 %", "< 0.01 %", "0 %", "100 %", "–", "99.99 %", "1,500 %",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("mean", "unc", "said"),
    [(460.65, 0.8, "460.65 ± 0.80"), (76.94, 0.0, "76.9"), (9.43538, 0.0, "9.4"), (0.0341, 0.0, "0.034"), (0, 0, "0")],
)
def test_expected_counts_have_the_digits_that_are_known(mean: float, unc: float, said: str) -> None:
    assert expected_counts(mean, unc) == said
