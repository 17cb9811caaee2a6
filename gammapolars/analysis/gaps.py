"""Where hits are missing, in sentences."""

from collections.abc import Iterator

import numpy as np

from gammapolars.analysis.accumulators.recorded_time import RecordedTime, RunTime
from gammapolars.core.types import Floats, Key
from gammapolars.core.units import format_ps
from gammapolars.core.wording import setting
from gammapolars.detectors import Detectors

NOTABLE_PART = 1e-3
"""Gaps that take less than this part of a run away are not worth a word."""

SHOWN = 3


def gap_warnings(recorded: RecordedTime, detectors: Detectors) -> Iterator[str]:
    """Stretches of time without hits where rates make some: of a run, and of single detectors, a sentence each."""
    runs = recorded.of_runs()
    for number, times in runs.items():
        where = f" of run {number}" if len(runs) > 1 else ""
        if many := [detectors.at(*key).name for key in times.gaps if times.is_cut_short(key)]:
            names = ", ".join(many[:SHOWN]) + (" and others" if len(many) > SHOWN else "")
            automatic = setting("--random auto", 'random="auto"')
            yield (
                f"{names}{where}: more gaps than can be tracked, as with a pulsed beam: rates and the "
                "expected random coincidences are averages over times with and without hits, and therefore "
                f"too low; {automatic} measures the random coincidences"
            )
            continue
        common, whole_ps = times.common_gaps(), float(times.edges_ps[-1])
        if _total(common) > NOTABLE_PART * whole_ps:
            yield (
                f"no detector has hits for {_stretches(common)} after the first hit{where}: these gaps are "
                "excluded from rates and random coincidences"
            )
        for key in times.gaps:
            own_ps = _total(times.gaps[key]) - _total(common)
            if own_ps > NOTABLE_PART * whole_ps:
                yield _of_detector(times, key, own_ps, detectors, where)


def _of_detector(times: RunTime, key: Key, missing_ps: float, detectors: Detectors, where: str) -> str:
    first, last = times.own_ps[key]
    gaps = times.gaps[key]
    begins = gaps.size and gaps[0, 0] < first
    ends = gaps.size and gaps[-1, 1] > last
    parts = [f"before {format_ps(round(first))}"] if begins else []
    parts += [f"after {format_ps(round(last))}"] if ends else []
    parts += ["in between"] if len(gaps) > bool(begins) + bool(ends) else []
    missing, when = format_ps(round(missing_ps)), " and ".join(parts)
    return (
        f"{detectors.at(*key).name} has no hits for {missing} while other detectors have hits "
        f"({when}){where}: this gap is excluded from its rate"
    )


def _stretches(gaps: Floats) -> str:
    first = [f"{format_ps(round(end - begin))} from {format_ps(round(begin))}" for begin, end in gaps[:SHOWN]]
    return ", ".join(first) + (f", and {len(gaps) - SHOWN} more times," if len(gaps) > SHOWN else "")


def _total(gaps: Floats) -> float:
    return float(np.diff(gaps, axis=1).sum()) if len(gaps) else 0.0
