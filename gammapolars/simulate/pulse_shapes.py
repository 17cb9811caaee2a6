"""Charges of the short gate for simulated hits: gamma rays and neutrons, of different pulse shape."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from gammapolars.core.errors import UsageError
from gammapolars.core.types import Mask
from gammapolars.simulate.digitizer import TRUTH, Chunk

PSD_TRUTH = pl.Schema([*TRUTH.items(), ("neutron", pl.Boolean())])
"""The columns of truth of hits with pulse shapes."""

GAMMA_PSD, NEUTRON_PSD = 0.15, 0.3
"""Mean pulse shapes, as those of liquid scintillators."""

SIGMA, SIGMA_PER_ROOT = 0.012, 0.5
"""The pulse shape scatters by σ² = SIGMA² + SIGMA_PER_ROOT² / adc: less with more photoelectrons."""


def with_pulse_shapes(chunks: Iterator[Chunk], neutrons: float, seed: int) -> Iterator[Chunk]:
    """Hits with `adc_short`, and their truth with `neutron`: whether a hit has the pulse shape of neutrons.

    Equal seeds give equal hits, whatever the chunks.

    Args:
        chunks: from `simulate`.
        neutrons: the fraction of hits that are neutrons, at random.
        seed: of the random numbers.

    Raises:
        UsageError: a fraction that is none.
    """
    if not 0 <= neutrons <= 1:
        raise UsageError(f"the fraction of neutrons must be 0 to 1, not {neutrons:g}")
    kinds, shapes = (np.random.default_rng([seed, stream]) for stream in (1, 2))
    return (_with_shapes(chunk, kinds.random(len(chunk.hits)) < neutrons, shapes) for chunk in chunks)


def _with_shapes(chunk: Chunk, is_neutron: Mask, shapes: np.random.Generator) -> Chunk:
    adc = chunk.hits["adc"].to_numpy().astype(np.float64)
    sigma = np.sqrt(SIGMA**2 + SIGMA_PER_ROOT**2 / np.maximum(adc, 1.0))
    psd = np.where(is_neutron, NEUTRON_PSD, GAMMA_PSD) + sigma * shapes.standard_normal(len(adc))
    short = np.clip(np.rint(adc * (1 - psd)), 0, 2**16 - 1).astype(np.uint16)
    truth = chunk.truth.with_columns(pl.Series("neutron", is_neutron))
    return Chunk(chunk.hits.with_columns(pl.Series("adc_short", short)), truth)
