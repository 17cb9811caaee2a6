"""What the live page holds: each count of the matrix to the last bit, in as little room as may be."""

import base64
import hashlib
import json
import re
import zlib
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gammapolars as gp
from gammapolars.core.errors import TableError
from gammapolars.detectors import Detector, Detectors
from gammapolars.report.live import live_cells, matrix_bin_kev, policy
from gammapolars.report.live.document import document
from gammapolars.report.live.packing import Packed, leb128, pack
from gammapolars.report.live.section import Known

Cells = dict[tuple[float, float], tuple[float, float]]


def numbers(data: bytes) -> list[int]:
    """Whole numbers in groups of seven bits."""
    found, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            found.append(value)
            value = shift = 0
    return found


def unpacked(packed: Packed) -> Cells:
    """The cells of a page by bin centres, as the script reads them."""
    head, data = packed.head, zlib.decompress(base64.b64decode(packed.data))
    count, cells = head["values"], head["cells"]
    values = np.frombuffer(data[: 16 * count], "<f8").reshape(2, count).T.tolist()
    of_cells = numbers(data[16 * count :])[: 2 * cells]
    x_axis, y_axis = head["axes"]

    def centre(axis: dict[str, Any], at: int) -> float:
        return float((axis["start"] + at + 0.5) * axis["width"] + axis["shift"])

    table, key = {}, 0
    for gap, place in zip(of_cells[:cells], of_cells[cells:], strict=True):
        key += gap
        x, y = centre(x_axis, key // y_axis["bins"]), centre(y_axis, key % y_axis["bins"])
        table[x, y] = tuple(values[place])
        if head["symmetric"]:
            table[y, x] = tuple(values[place])
    return table


PAIRS = st.lists(
    st.tuples(st.integers(-3, 40), st.integers(-3, 40), st.sampled_from([1.0, -1 / 3, -0.1])), min_size=1, max_size=60
)


@given(rows=PAIRS, width=st.sampled_from([0.1, 1.0, 3.7]), symmetric=st.booleans())
def test_a_page_holds_each_count_to_the_last_bit(
    rows: list[tuple[int, int, float]], width: float, symmetric: bool
) -> None:
    table = pl.DataFrame(rows, ["x", "y", "weight"], orient="row").select(
        energy_kev_a=(pl.col("x") + 0.5) * width, energy_kev_b=(pl.col("y") + 0.5) * width, weight="weight"
    )
    matrix = gp.matrix(table.lazy(), bin_kev=width, symmetric=symmetric).collect()

    found = unpacked(pack(live_cells(matrix, width)))

    assert found == {(x, y): (counts + 0.0, variance) for x, y, counts, variance in matrix.iter_rows()}


@given(rows=PAIRS)
def test_bins_are_doubled_as_if_they_had_been_counted_so(rows: list[tuple[int, int, float]]) -> None:
    table = pl.DataFrame(rows, ["energy_kev_a", "energy_kev_b", "weight"], orient="row").lazy()
    fine, coarse = (gp.matrix(table, bin_kev=width, symmetric=True).collect() for width in (1.0, 4.0))

    found = unpacked(pack(live_cells(fine, 1.0).doubled().doubled()))

    assert found.keys() == {(x, y) for x, y, *_ in coarse.iter_rows()}
    for x, y, *values in coarse.iter_rows():
        assert found[x, y] == pytest.approx(values)


@given(st.lists(st.integers(0, 2**40), max_size=20))
def test_whole_numbers_come_back(values: list[int]) -> None:
    assert numbers(leb128(np.array(values, np.int64))) == values


def random_matrix(pairs: int, bins: int) -> pl.DataFrame:
    rng = np.random.default_rng(3)
    energies = rng.exponential(bins / 4, (2, pairs)) % bins
    return gp.matrix(
        pl.DataFrame({"energy_kev_a": energies[0], "energy_kev_b": energies[1]}).lazy(), bin_kev=1
    ).collect()


def test_bins_are_doubled_until_the_page_is_small_enough() -> None:
    matrix = random_matrix(20_000, 500)
    whole = len(pack(live_cells(matrix, 1.0)).data)

    packed = pack(live_cells(matrix, 1.0), most=whole // 2)
    html = document(matrix, width=1.0, most=whole // 2)

    assert packed.head["doublings"] >= 1
    assert len(packed.data) <= whole // 2
    assert f"{2 ** packed.head['doublings']} times as wide as those of" in html


@pytest.mark.slow
def test_a_large_matrix_takes_three_megabytes_at_most() -> None:
    """4096 × 4096 bins, 2.7 million of them filled: 1.1 MB of data."""
    matrix = random_matrix(2_250_000, 4096)
    assert matrix.height > 2_000_000

    html = document(matrix, width=1.0)

    assert len(html) < 2_000_000
    assert "To keep this page small" not in html


def test_the_same_matrix_makes_the_same_page() -> None:
    matrix = random_matrix(2_000, 300)
    assert document(matrix, width=1.0) == document(matrix.reverse(), width=1.0)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["energy_kev_x", "dt_ps_y", "counts", "variance"], "but two energies or two adc are needed"),
        (["energy_kev_x", "energy_kev_y", "counts"], "not a matrix"),
    ],
)
def test_what_cannot_be_gated_makes_no_page(columns: list[str], message: str) -> None:
    with pytest.raises(TableError, match=message):
        live_cells(pl.DataFrame({name: [0.5, 1.5] for name in columns}))


@pytest.mark.parametrize(
    ("detectors", "width"),
    [
        ([("HPGe", 1.9), ("HPGe", 2.3)], 1.0),
        ([("HPGe", 1.9), ("NaI", 45.0)], 1.0),
        ([("NaI", 45.0), ("NaI", 60.0)], 10.0),
        ([("LaBr3", 20.0)], 5.0),
        ([("HPGe", 4.2)], 2.0),
        ([("", 1.0)], 1.0),
        ([("NaI", None)], 1.0),
    ],
)
def test_bins_are_as_fine_as_the_best_detector_needs(detectors: list[tuple[str, float | None]], width: float) -> None:
    made = [
        Detector(0, number, kind=kind, fwhm=(fwhm**2,) if fwhm else None)
        for number, (kind, fwhm) in enumerate(detectors)
    ]
    assert matrix_bin_kev(Detectors(tuple(made))) == width


EVIL = "</script><!-- <script> \u2028 \"><img src=x onerror=alert(1)> '"


def test_a_policy_names_exactly_what_is_written() -> None:
    html = document(random_matrix(100, 50), title=EVIL, known=Known(lines={20.0: EVIL}, file=EVIL))
    digests = re.findall(r"'sha256-([^']+)'", html.replace("&#x27;", "'"))
    style, script = (re.search(rf"<{name}>(.*?)</{name}>", html, re.DOTALL) for name in ("style", "script"))
    assert style
    assert script

    of_both = [base64.b64encode(hashlib.sha256(one[1].encode()).digest()).decode() for one in (script, style)]

    assert digests == of_both
    assert policy([], []).startswith("default-src 'none'; script-src 'none'; style-src 'none'")
    assert html.count("<script") == 3
    assert "<img" not in html
    assert "style=" not in html


def test_names_are_data_in_the_head() -> None:
    html = document(random_matrix(100, 50), known=Known(lines={20.0: EVIL}))
    head = re.search(r'id="live-head">(.*?)</script>', html)
    assert head
    assert json.loads(head[1])["lines"] == [{"energy": 20.0, "label": EVIL}]
