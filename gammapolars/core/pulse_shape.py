"""The pulse shape of hits: the part of the charge after the short gate, in which neutrons and gamma rays differ."""

from collections.abc import Collection

import polars as pl

PSD = "psd"

PSD_COLUMNS = tuple(f"{PSD}{suffix}" for suffix in ("", "_a", "_b", "_c"))
"""Names of the pulse shape of hits, and of the hits of pairs and triples."""

LONG, SHORT = "adc", "adc_short"
"""The columns of the charges in the long gate and in the short one."""


def psd(suffix: str = "") -> pl.Expr:
    """The pulse shape of hits, (adc − adc_short) / adc: the part of the charge after the short gate.

    It follows from the adc values as they were recorded, so that the gain, and its drift, cancel. Where noise makes the
    short charge larger than the long one, it is negative; where `adc` is not above 0, or one of the two is missing, it
    is null. The definition is that of CAEN's firmware DPP-PSD, whose ENERGY is the charge in the long gate.

    Args:
        suffix: of the columns that are read and written: none for hits, `_a` or `_b` for those of pairs.
    """
    return charge_ratio(pl.col(f"{LONG}{suffix}"), pl.col(f"{SHORT}{suffix}")).alias(f"{PSD}{suffix}")


def charge_ratio(long: pl.Expr, short: pl.Expr) -> pl.Expr:
    """The part of a long charge that is not in the short one; null where the long one is not above 0."""
    whole = pl.when(long > 0).then(long.cast(pl.Float64))
    return (whole - short.cast(pl.Float64)) / whole


def charges(name: str) -> tuple[str, ...]:
    """The two columns from which a column of pulse shapes follows; none for a column of another name."""
    if name not in PSD_COLUMNS:
        return ()
    suffix = name.removeprefix(PSD)
    return f"{LONG}{suffix}", f"{SHORT}{suffix}"


def sources(name: str, columns: Collection[str]) -> tuple[str, ...]:
    """The columns that are read for a column of hits or pairs: itself, or the two from which a pulse shape follows."""
    return (name,) if name in columns else charges(name) or (name,)


def column(name: str, columns: Collection[str] = ()) -> pl.Expr:
    """A column of hits or pairs; a pulse shape that is not among the columns is calculated."""
    return psd(name.removeprefix(PSD)) if sources(name, columns) != (name,) else pl.col(name)


def without(name: str) -> str:
    """Why there is no pulse shape, where a column of charges is missing."""
    if not name.startswith(SHORT):
        return f"it has no column '{name}'"
    return f"there is no column '{name}', the charge in the short gate, which firmware such as DPP-PSD records"
