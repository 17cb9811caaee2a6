"""Doubts about widths stand wherever peaks are listed, and other warnings are not lost on the way."""

import warnings

import polars as pl
import pytest

from gammapolars.core.errors import WidthWarning
from gammapolars.detectors import Detector, Detectors
from gammapolars.peaks import width_doubts
from gammapolars.report.lines import peak_table
from tests.peaks.test_widths import undecided


def doubts_of(*said: Warning) -> list[str]:
    with width_doubts() as doubts:
        for one in said:
            warnings.warn(one, stacklevel=1)
    return doubts


def test_doubts_are_collected_and_other_warnings_go_on() -> None:
    with pytest.warns(DeprecationWarning, match="an old way"):
        doubts = doubts_of(WidthWarning("two widths"), DeprecationWarning("an old way"), WidthWarning("two again"))

    assert doubts == ["two widths", "two again"]


def test_an_error_goes_through() -> None:
    with pytest.raises(ValueError, match="no fit"), width_doubts():
        raise ValueError("no fit")


def test_a_report_has_the_doubts_of_each_detector() -> None:
    keys = {"board": pl.lit(0, pl.UInt16), "channel": pl.lit(1, pl.UInt16)}
    columns = (*keys, "adc", "energy_kev", "counts", "variance")
    spectrum = undecided().with_columns(**keys, energy_kev="adc").select(columns)
    doubts: list[str] = []

    peak_table(spectrum, Detectors((Detector(0, 1, "HPGe"),)), doubts.append)

    (doubt,) = doubts
    assert doubt.startswith("HPGe: the peaks do not have a common width")
    assert doubt.endswith("; give the FWHM of a single line with 'gammapolars peaks --fwhm'")
