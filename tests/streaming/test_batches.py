"""Batches of our own sources: taken without a query, the next one ahead, and the same as a query gives."""

from collections.abc import Iterator
from threading import get_ident

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from gammapolars.core.errors import InputError
from gammapolars.streaming.slices import batches_of, chosen, lazy_frame, read_ahead
from tests.drawing import examples
from tests.hits import CountedStream, numbered

HITS = numbered((number, number % 3) for number in range(200))


@examples(60)
@given(rows=st.integers(1, 250), batch_rows=st.integers(1, 250), names=st.permutations(HITS.columns))
def test_rows_come_in_their_order_in_frames_of_about_the_size(rows: int, batch_rows: int, names: list[str]) -> None:
    stream = CountedStream(HITS, rows)

    batches = list(batches_of(chosen(stream.frame, names[:3]), batch_rows=batch_rows))

    assert_frame_equal(pl.concat(batches), HITS.select(names[:3]))
    assert stream.reads == [sorted(names[:3])]
    assert max(batch.height for batch in batches) < 2 * batch_rows + 1
    assert min((batch.height for batch in batches[:-1]), default=batch_rows) >= batch_rows // 2


def test_a_query_on_a_source_is_no_source() -> None:
    stream = CountedStream(HITS, 50)

    few = stream.frame.filter(pl.col("channel") == 1).head(3)

    assert pl.concat(batches_of(chosen(few, ["adc"])))["adc"].to_list() == [1, 4, 7]
    assert pl.concat(batches_of(stream.frame.select(pl.col("adc") + 1)))["adc"].to_list() == list(range(1, 201))


def test_a_reading_that_is_given_up_is_closed() -> None:
    stream = CountedStream(HITS, 10)
    batches = batches_of(stream.frame, batch_rows=10)

    assert next(batches)["adc"].to_list() == list(range(10))
    batches.close()  # type: ignore[attr-defined]

    assert not stream.open
    assert stream.batches_read <= 3


def test_an_error_comes_after_the_batches_before_it() -> None:
    def batches(_: list[str]) -> Iterator[pl.DataFrame]:
        yield HITS[:100]
        raise InputError("run.root: hits 101 to 200 are damaged")

    found = batches_of(lazy_frame(HITS.schema, batches), batch_rows=100)

    assert next(found).height == 100
    with pytest.raises(InputError, match=r"^run\.root: hits 101"):
        next(found)


def test_items_are_made_in_one_other_thread() -> None:
    def made() -> Iterator[int]:
        for _ in range(5):
            yield get_ident()

    assert len({*read_ahead(made())} - {get_ident()}) == 1
