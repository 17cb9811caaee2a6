"""What a reader must know of drifts that were tracked, one sentence each."""

from collections.abc import Mapping, Sequence

import numpy as np

from gammapolars.analysis.accumulators.drift import SlicedRun
from gammapolars.calibration.drift.lines import TrackedLine
from gammapolars.calibration.drift.results import DetectorTrack
from gammapolars.detectors import Detectors

FAR_AWAY = 0.5
"""Lines are not where they are expected if they lie by this part of the reach away."""

EDGE_SHARE = 0.01
"""If the gain lies at the edge of what is searched in a larger part of the positions, a warning says so."""

FAILED_SHARE = 0.1
"""If more fits fail, a warning says so; how many did stands in the table of lines in any case."""


def untracked(
    detectors: Detectors,
    lines_by_detector: Mapping[tuple[int, int], list[TrackedLine]],
    keys: set[tuple[int, int]],
    energies: Sequence[float],
) -> list[str]:
    """Warnings about detectors that cannot be tracked, in whole or in part."""
    texts = []
    for key in sorted(keys):
        name, lines = detectors.at(*key).name, lines_by_detector.get(key)
        if lines is None:
            texts.append(f"{name} has no energy calibration: its drift is not tracked")
        elif missing := sorted(set(energies) - {line.energy_kev for line in lines}):
            texts.append(f"{', '.join(f'{line:g}' for line in missing)} keV lie beyond the range of {name}")
    return texts


def warnings(one: DetectorTrack, slices: Sequence[SlicedRun], reach: float) -> list[str]:
    name, texts = one.detector.name, []
    if missing := [run.run for run in slices if run.run not in one.curves.curves]:
        where = "" if len(slices) == 1 else f" in run {', '.join(map(str, missing))}"
        texts.append(f"{name}: no line was found{where}: not corrected there")
    for line, size in zip(one.lines, one.curves.disagreement, strict=True):
        if size is not None:
            texts.append(
                f"{name}: the line at {line.energy_kev:g} keV drifts otherwise than the others, by up to "
                f"{100 * size:.2g} %: is there a drift of the offset, or another line beside it?"
            )
    at = np.array(
        [p.fit.position / one.lines[p.line].expected_adc for p in one.tracks.positions if p.fit.status == "ok"]
    )
    if len(at) and abs(away := float(np.median(at)) - 1) > FAR_AWAY * reach:
        texts.append(
            f"{name}: lines lie {100 * away:+.2g} % from where the calibration expects them: "
            "is it an old one, or are these other lines?"
        )
    if len(at) and np.mean(np.abs(at - 1) > 0.95 * reach) > EDGE_SHARE:
        texts.append(f"{name}: the gain reaches the end of what was searched: raise the reach, or calibrate anew")
    failures = sum(one_.fit.status != "ok" for one_ in one.tracks.positions)
    if failures > FAILED_SHARE * len(one.tracks.positions):
        texts.append(f"{name}: {failures} of {len(one.tracks.positions)} fits failed and were left out")
    return texts
