"""The digitizer's flag bits by name, and the mask of those that disqualify a hit."""

import polars as pl

from gammapolars.core.errors import UsageError

FLAGS: dict[str, int] = {
    "dead_time": 0x1,
    "rollover": 0x2,
    "external_reset": 0x4,
    "fake_event": 0x8,
    "memory_full": 0x10,
    "trigger_lost": 0x20,
    "n_triggers_lost": 0x40,
    "saturation": 0x80 | 0x400,
    "saturation_gate": 0x80,
    "saturation_input": 0x400,
    "triggers_1024": 0x100,
    "event_lost": 0x200,
    "n_triggers": 0x800,
    "unmatched": 0x1000,
    "end_of_run": 0x2000,
    "fine_timestamp": 0x4000,
    "pile_up": 0x8000,
    "fake_rollover": 0x10000,
    "energy_skim": 0x20000,
    "saturation_inhibit": 0x40000,
    "pll_lock_lost": 0x80000,
    "over_temperature": 0x100000,
    "adc_shutdown": 0x200000,
    "memory_overload": 0x400000,
}
"""CAEN's bits. `saturation` is either of its two kinds; `fine_timestamp` is normal and rejects nothing."""

REMOVED: dict[str, int] = {"below_threshold": 1 << 31, "above_range": 1 << 30, "outside_polygons": 1 << 29}
"""Bits that no digitizer sets: they mark hits that a selection removes, and by what. A detector is dead after these
hits as after all others, so that they pass along, like those that a flag rejects."""


def names_in(mask: int) -> list[str]:
    """The names of a mask's bits, and the hexadecimal number of any bit without a name."""
    single = {bit: name for name, bit in FLAGS.items() if bit.bit_count() == 1}
    bits = [1 << position for position in range(mask.bit_length()) if mask >> position & 1]
    return [single.get(bit, hex(bit)) for bit in bits]


def parse_reject(text: "str | int") -> dict[str, int]:
    """The masks, by name, of the flags that `--reject` names.

    Args:
        text: flag names with commas between them, a mask such as `0x480`, or `none`.

    Returns:
        One mask a name; empty for `none`.

    Raises:
        UsageError: a name that is not in `FLAGS`, or a mask that does not fit 32 bits.
    """
    masks: dict[str, int] = {}
    for part in str(text).split(","):
        word = part.strip().lower().replace("-", "_")
        if word in ("none", ""):
            continue
        if word in FLAGS:
            masks[word] = FLAGS[word]
        else:
            masks |= {name: FLAGS.get(name) or int(name, 16) for name in names_in(_parse_mask(part.strip()))}
    return masks


def _parse_mask(word: str) -> int:
    try:
        mask = int(word, 0)
    except ValueError:
        raise UsageError(
            f"unknown flag '{word}': use a mask such as 0x480, none, or one of {', '.join(FLAGS)}"
        ) from None
    if not 0 <= mask < 2**32:
        raise UsageError(f"flag mask '{word}' does not fit the 32 bits of a hit's flags")
    return mask


def union(masks: dict[str, int]) -> int:
    """All bits of some named masks in one."""
    joined = 0
    for mask in masks.values():
        joined |= mask
    return joined


def has_any(mask: int | str, flags: str = "flags") -> pl.Expr:
    """True where a hit has any of the bits of a mask.

    Args:
        mask: bits, or names of flags with commas between them, as `--reject` takes them: `saturation,pile_up`.
        flags: the column of the flags.

    Raises:
        UsageError: an unknown name.
    """
    bits = union(parse_reject(mask)) if isinstance(mask, str) else mask
    return (pl.col(flags) & pl.lit(bits, pl.UInt32)) != 0
