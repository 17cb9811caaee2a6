"""Identification of peaks: full-energy peaks and their nuclides, and other traces of photons in a detector."""

from gammapolars.identification.gated import gated_kinds as gated_kinds
from gammapolars.identification.kinds import KINDS as KINDS
from gammapolars.identification.kinds import peak_kinds as peak_kinds
from gammapolars.identification.origins import ANNIHILATION as ANNIHILATION
from gammapolars.identification.origins import FULL_ENERGY as FULL_ENERGY
from gammapolars.identification.origins import UNKNOWN as UNKNOWN
from gammapolars.identification.spans import span_of as span_of
from gammapolars.identification.words import kind_text as kind_text
