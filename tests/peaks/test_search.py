"""The filters of the search for peaks, against sums over what they see."""

import math

import numpy as np
import pytest

from gammapolars.peaks.search import REACH, Filters


@pytest.mark.parametrize("fwhm", [1.4, 6.3, 40.0])
def test_the_contrast_is_the_filtered_counts_in_units_of_their_scatter_in_its_wings(fwhm: float) -> None:
    counts = np.random.default_rng(4).poisson(30.0, 400).astype(np.float64)
    reach = math.ceil(REACH * fwhm)
    offsets = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (offsets * math.sqrt(8 * math.log(2)) / fwhm) ** 2)
    kernel -= kernel.mean()
    wings = np.abs(offsets) > max(0.9 * fwhm, 1.0)

    found = Filters(counts, 2 * counts).contrast(fwhm)

    places = range(reach, 400 - reach)
    seen = [counts[place - reach : place + reach + 1] for place in places]
    expected = [kernel @ part / math.sqrt(2 * part[wings].mean() * (kernel**2).sum()) for part in seen]
    np.testing.assert_allclose(found[reach : 400 - reach], expected, rtol=1e-9, atol=1e-9)
    assert not found[:reach].any()
    assert not found[400 - reach :].any()
