"""What is known of each detector's spectrum beside its counts: names, calibration, real and live time."""

from collections.abc import Mapping
from typing import Any

from gammapolars.accounting import CLOCK_S, COVERED
from gammapolars.detectors import Detectors
from gammapolars.io import Runs
from gammapolars.io.compass.live_times import live_times
from gammapolars.io.spectra.measurement import Measurement
from gammapolars.products import HitTally

Key = tuple[int, int]


def measurements_of(runs: Runs, tally: HitTally, detectors: Detectors) -> dict[Key, Measurement]:
    """What is known of each detector's spectrum beside its counts."""
    keys = tally.by_detector().select("board", "channel").rows()
    recorded = _recorded(runs, tally, keys)
    found = {}
    for key in keys:
        detector = detectors.at(*key)
        times_s = recorded.get(key, {"real_time_s": tally.real_time_s})
        title = f"{runs.files[0].path.name}: {detector.name}"
        found[key] = Measurement(title=title, detector=detector.name, energy=detector.energy, **times_s)
    return found


def _recorded(runs: Runs, tally: HitTally, keys: list[Key]) -> Mapping[Key, dict[str, Any]]:
    """Start, live and real time by detector, as the digitizer's program wrote them beside a run's hits.

    It tells them by channel alone, and of the whole recording: they are taken where there is one board, and where the
    hits span the recorded time, so that nothing is missing from the files.
    """
    run = runs.all[0]
    if len(runs.all) > 1 or run.recorded is None or len({board for board, _ in keys}) > 1:
        return {}
    told, start = live_times(run.source.folder), run.recorded.start
    started = start.replace(tzinfo=None, microsecond=0) if start else None
    by_channel = {channel.channel: channel for channel in told.channels} if told else {}
    found: dict[Key, dict[str, Any]] = {}
    for key in keys:
        channel = by_channel.get(key[1])
        real_s = channel.real_time_s if channel else None
        complete = real_s and COVERED * real_s <= tally.real_time_s <= real_s + CLOCK_S
        found[key] = {"real_time_s": tally.real_time_s, "started": started}
        if channel and complete:
            found[key] |= {"real_time_s": real_s, "live_time_s": channel.live_time_s}
    return found
