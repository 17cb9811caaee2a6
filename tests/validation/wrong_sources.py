"""Calibrations of peaks whose sources are named wrongly, or rightly: the first are refused, most others accepted."""

from collections import Counter

import numpy as np

from gammapolars.calibration.energy import Hints, match_lines
from gammapolars.core.errors import CalibrationError
from tests.peaklists import LINES, peaks_of, random_truth, table_of
from tests.validation.outcomes import Check, Outcome

SOURCES = tuple(name for name in LINES if name not in ("Am-241", "Co-57"))
"""Those whose lines reach over the range of a detector."""


def drawn(seed: int, *, nai: bool, right: bool, hint: bool) -> tuple[str, str]:
    """What comes of one list of peaks: `right`, `wrong` or `refused`; and in words what was seen and named."""
    rng = np.random.default_rng([seed, nai, right])
    seen = rng.choice(SOURCES, rng.integers(1, 3), replace=False).tolist()
    others = [name for name in SOURCES if name not in seen]
    named = seen if right else rng.choice(others, rng.integers(1, 3), replace=False).tolist()
    truth = random_truth(rng, nai=nai, full_kev=2700.0)
    background, extra = float(rng.choice([0.0, 0.02, 0.1])), int(rng.integers(0, 4))
    peaks = peaks_of(truth, rng, seen, background=background, extra=extra, strength=rng.uniform(9, 12.5))
    off = rng.uniform(1, 1.9)
    hints = Hints(gain=(truth.gain / off, truth.gain * 1.9 / off)) if hint else Hints()
    words = f"{'NaI' if nai else 'HPGe'}: {', '.join(seen)} named {', '.join(named)}"
    try:
        match = match_lines(peaks, table_of(*named), hints=hints)
    except CalibrationError:
        return "refused", words
    energy = match.table["energy_kev"].to_numpy()
    distance = np.abs(truth.energy(match.table["adc"].to_numpy()) - energy)
    return ("right" if (distance < truth.width(energy)).all() else "wrong"), words


def wrong_sources(lists: int = 500, seed: int = 1) -> Outcome:
    """Half of the lists are of germanium, half of sodium iodide; every second one with a hint of the gain."""
    lines, counts = [], Counter[str]()
    for right in (False, True):
        for number in range(lists):
            result, words = drawn(1000 * seed + number, nai=number % 2 == 1, right=right, hint=number % 4 > 1)
            counts[f"{'right' if right else 'other'} sources {result}"] += 1
            lines += [f"wrong: {words}"] if result == "wrong" else []
    checks = [
        # The room's own lines can be those of a source that is named although it is not there: that is right.
        Check(f"wrong ones of {lists} lists of peaks with wrong sources", counts["other sources wrong"], high=1),
        Check(f"wrong ones of {lists} with the right sources", counts["right sources wrong"], high=1),
        Check("part of those that were calibrated", counts["right sources right"] / lists, 0.8),
    ]
    return Outcome(f"sources named wrongly and rightly: {lists} lists of peaks each", lines, checks)
