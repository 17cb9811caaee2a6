"""Queries that lack what they need end in one line, and write nothing."""

from pathlib import Path

import numpy as np
import pytest

from tests.commandline import REPOSITORY, Outcome, gammapolars
from tests.cookbook.kitchen import hits, recorded

OF_ENERGIES = ["anticoincidence", "gain_drift", "isomer", "multiplicity_sums", "triple_sums"]


def refused(query: str, *words: str | Path) -> Outcome:
    done = gammapolars("query", REPOSITORY / "queries" / f"{query}.py", *words, "-o", "out.parquet")
    assert done.code == 1, done.err
    assert not Path("out.parquet").exists()
    return done


@pytest.mark.parametrize("query", OF_ENERGIES)
def test_energies_need_a_calibration(query: str) -> None:
    run = recorded(hits(1000 * np.arange(100), np.arange(100) % 4))

    assert "calibrat" in refused(query, run).error


def test_pulse_shapes_need_a_short_gate() -> None:
    assert "adc_short" in refused("neutron_gamma", recorded(hits(1000 * np.arange(100), 0))).error


def test_a_suppression_needs_a_shield() -> None:
    run = recorded(hits(1000 * np.arange(100), 0, energy_kev=100.0))

    assert "kind 'BGO'" in refused("compton_suppression", run).error
