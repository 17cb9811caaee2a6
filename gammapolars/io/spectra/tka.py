"""TKA: Canberra's text of numbers, one per line: the live time, the real time, and the counts from channel 0 on."""

import polars as pl

from gammapolars.core.errors import InputError
from gammapolars.io.spectra.channels import MAX_CHANNELS
from gammapolars.io.spectra.measurement import Measurement, RecordedSpectrum, recorded
from gammapolars.io.spectra.text_lines import shown, text_of

TIMES = 2
"""Lines before the first count."""


def decode(data: bytes) -> RecordedSpectrum:
    """The spectrum of a TKA file; an InputError if it is not one. Nothing in it shows whether it is cut short."""
    lines = text_of(data).replace("\r\n", "\n").replace("\r", "\n").split("\n", 2 * MAX_CHANNELS)
    words = pl.Series([line.strip() for line in lines], dtype=pl.String)
    numbered = pl.DataFrame({"text": words}).with_row_index("line", offset=1).filter(pl.col("text") != "")
    values = numbered["text"].cast(pl.Float64, strict=False)
    finite = values.is_finite().fill_null(value=False)
    if not finite.all():
        line, text = numbered.row(int(finite.arg_min() or 0))
        raise InputError(f"line {line} contains no number, unlike every line of a TKA file: {shown(text)}")
    if not TIMES < len(values) <= TIMES + MAX_CHANNELS:
        raise InputError(
            f"has {len(values):,} lines, and TKA has a live time, a real time and counts: is it cut short?"
        )
    live, real = values[0], values[1]
    if not 0 <= live <= real:
        raise InputError(f"begins with {live:g} and {real:g}, which are not a live and a real time in seconds")
    known = Measurement(live_time_s=live, real_time_s=real) if real else Measurement()
    return recorded(values[TIMES:].to_numpy(), known)
