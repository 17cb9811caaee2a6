"""True rates: how many photons a detector would count if it were never dead."""

from gammapolars.rates.doubts import rate_doubts
from gammapolars.rates.hits import rates_of, rates_of_used, true_rates
from gammapolars.rates.intervals import TrueRate, true_rate

__all__ = [
    "TrueRate",
    "rate_doubts",
    "rates_of",
    "rates_of_used",
    "true_rate",
    "true_rates",
]
