"""The page says which hits thresholds and polygons removed, and of which hits its rates are."""

from dataclasses import replace

import polars as pl
import pytest

from gammapolars.report import tables, text
from tests import analyses

REMOVED = pl.DataFrame(
    {
        "reason": ["below threshold", "below threshold", "above range"],
        "name": ["HPGe-1", "HPGe-2", "HPGe-1"],
        "hits": [900, 100, 1],
    }
)


def test_removed_hits_are_told_by_reason_and_detector() -> None:
    plain = analyses.cobalt()
    analysis = replace(plain, removed=REMOVED, hits_read=plain.hits_read + 1001)

    assert "; 1,000 were below threshold" in text.run(analysis)[0]
    first, *others = text.rejected(analysis)
    assert first.startswith("1,000 hits (")
    assert first.endswith(" were below threshold. 1 hit (< 0.01 %) was above range.")
    (before,), (after,) = text.rejected(plain), others
    assert after.partition(" of ")[0] == before.partition(" of ")[0], "as many hits are rejected by their flags"
    rows = tables.rejected(analysis).rows
    assert [row[:2] for row in rows[:3]] == [
        ("below threshold: HPGe-1", "900"),
        ("below threshold: HPGe-2", "100"),
        ("above range: HPGe-1", "1"),
    ]
    assert [row[:2] for row in rows[3:]] == [row[:2] for row in tables.rejected(plain).rows]


@pytest.mark.parametrize(
    ("removed", "said"), [(None, "Count rates, rejected"), (REMOVED, "Count rates of the hits that")]
)
def test_rates_say_of_which_hits_they_are(removed: pl.DataFrame | None, said: str) -> None:
    assert text.rates(replace(analyses.cobalt(), removed=removed), [])[0].startswith(said)
