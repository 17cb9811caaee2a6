"""Overviews of records: values with their uncertainties and units, in notebooks and as text, and nothing obeyed."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import polars as pl

import gammapolars as gp
from gammapolars.core.overview import MOST_ROWS, Overview
from gammapolars.io.spectra.measurement import Measurement, RecordedSpectrum


@dataclass(frozen=True, repr=False)
class Result(Overview):
    TABLES: ClassVar = ("table",)

    name: str
    lifetime_ps: float
    lifetime_ps_unc: float
    chance_per_ns: float
    chance_per_ns_unc: float
    limit: float | None
    table: pl.DataFrame
    warnings: tuple[str, ...] = ()


RESULT = Result(
    "<script>\x1b[2J",
    3015.2,
    69.0,
    20.1,
    0.5,
    None,
    pl.DataFrame({"name": ["a&b"], "energy_kev": [1332.49], "energy_kev_unc": [0.02], "empty": [None]}),
    ("<b> is odd",),
)


def test_a_record_is_text_with_units_and_uncertainties() -> None:
    assert repr(RESULT).splitlines() == [
        "Result",
        r"  name                 <script>\x1b[2J",
        "  lifetime             3,015 ± 69 ps",
        "  random coincidences  20.10 ± 0.50 /ns",
        "  name  energy (keV)",
        "  a&b   1,332.490 ± 0.020",
        "  Warning: <b> is odd",
    ]


def test_a_notebook_shows_the_same_and_obeys_nothing_in_it() -> None:
    page = RESULT._repr_html_()

    assert "<td>lifetime</td><td>3,015 ± 69 ps</td>" in page
    assert "<th>energy (keV)</th>" in page
    assert "<td>a&amp;b</td>" in page
    assert "&lt;script&gt;" in page
    assert "&lt;b&gt; is odd" in page
    assert "\x1b" not in page


def test_a_long_table_is_cut() -> None:
    rows = pl.DataFrame({"name": ["x"] * (MOST_ROWS + 2)})
    text = repr(Result("", 1.0, 0.0, 1.0, 0.0, None, rows))

    assert text.splitlines().count("  x") == MOST_ROWS
    assert text.endswith("… and 2 more rows")


def test_detectors_are_a_table() -> None:
    detectors = gp.Detectors(
        (gp.Detector(0, 3, "HPGe-3", (0.1, 0.5, -2e-9), time_offset_ps=-30_000), gp.Detector(0, 4))
    )

    assert repr(detectors).splitlines() == [
        "Detectors",
        "  name    board/channel  energy (keV)                 time offset",
        "  HPGe-3  0/3            0.1 + 0.5 adc - 2e-09 adc^2  -30 ns",
        "  0/4     0/4",
    ]
    assert "<td>0.1 + 0.5 adc - 2e-09 adc^2</td>" in detectors._repr_html_()
    assert repr(gp.Detectors()) == "Detectors\n  none"
    limited = gp.Detectors((gp.Detector(0, 1, threshold_kev=5.0), gp.Detector(0, 2, range_adc=(100, 9000))))
    assert "≥ 5 keV" in repr(limited)
    assert "<td>100 to 9000 adc</td>" in limited._repr_html_()


def test_results_are_short_texts_and_tables_of_a_notebook() -> None:
    for result in (
        gp.EfficiencyCurve((-5.0, -0.9)),
        gp.Measurement(title="<b>", live_time_s=3.2),
        gp.currie_limits(100.0),
        gp.fit_energy([1000, 2000, 3000], [0.1] * 3, [100.0, 200.0, 300.1], [0.01] * 3),
        gp.fit_legendre([90, 120, 150, 180], [1.0, 1.02, 1.08, 1.1], [0.01] * 4),
    ):
        assert len(repr(result).splitlines()) < 20
        assert result._repr_html_().startswith(f"<div><strong>{type(result).__name__}</strong><table>")
        assert "<b>" not in result._repr_html_()


def test_losses_are_listed_by_place() -> None:
    losses = gp.Losses()
    losses.leave_out(Path("folder/run.bin"), "record 7 is damaged", 1200)
    losses.note(Path("folder/run.bin"), "the clock restarted")

    assert repr(losses).splitlines() == [
        "Losses",
        "  file     hits   kind     place",
        "  run.bin  1,200  damaged  record 7 is damaged",
        "  run.bin: the clock restarted",
    ]
    assert repr(gp.Losses()) == "Losses"


def test_a_net_matrix_is_summed_up() -> None:
    cells = {"energy_kev_x": [100.0, 102.0, 102.0], "energy_kev_y": [100.0, 100.0, 102.0], "counts": [4.0, 9.0, 1.0]}
    matrix = gp.NetMatrix(pl.DataFrame(cells).with_columns(variance=pl.col("counts")), regions=[(101, 103)])

    assert "peak regions of x" in repr(matrix)
    assert "<td>symmetric</td>" in matrix._repr_html_()


def test_a_recorded_spectrum_is_its_measurement_and_its_table() -> None:
    table = pl.DataFrame({"adc": [0.0, 1.0], "counts": [3.0, 4321.0]})
    html = RecordedSpectrum(table, Measurement(detector="<Ge>", live_time_s=12.5))._repr_html_()

    assert all(part in html for part in ("&lt;Ge&gt;", "live time", "12.5 s", "4321.0", "<th>counts</th>"))
