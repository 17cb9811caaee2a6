"""Hits and their coincidences: what `convert`, `coincidences` and `events` write."""

import random
from collections.abc import Iterable, Mapping
from typing import Any

from gammapolars.detectors import Detector
from tests.brute import (
    Interval,
    Row,
    Shield,
    Weighted,
    brute_add_back,
    brute_events,
    brute_triples,
    brute_veto,
    calibrated,
    clocks,
    detectors_of,
    step_width,
    weighted_pairs,
)
from tests.fuzz.outcomes import Wrong
from tests.hits import BAD, Key, coincident, nearest_stops
from tests.oracle.recordings import Clockwork
from tests.oracle.trial import Refusal, Trial, column_rows, in_order, same_rows, values_of

TABLES = ("parquet", "parquet", "parquet", "arrow", "csv")

ONE = ("board", "channel", "adc", "energy_kev")

HIT = ("run", "timestamp_ps", "board", "channel", "adc", "flags", "energy_kev")

WINDOWS: dict[Clockwork, tuple[int, ...]] = {
    "dense": (0, 1, 3, 20, 60),
    "usual": (0, 3, 40_000, 250_000, 10**6, 10**9),
    "holes": (0, 40_000, 250_000, 10**13, 10**17),
    "ends": (0, 3, 40_000, 250_000, 10**6),
    "ticks": (0, 10_000, 62_500, 250_000),
}

REJECTS = {
    "saturation,pile_up,fake_event": BAD,
    "none": 0,
    "pile_up": 0x8000,
    "0x480": 0x480,
    "0xffffffff": 2**32 - 1,
}


def half_width(trial: Trial) -> int:
    """A window that suits the run's times."""
    return trial.rng.choice(WINDOWS[trial.recording.clockwork])


def reject(rng: random.Random) -> tuple[list[str], int]:
    """Flags that disqualify: the words that name them, and their bits."""
    name = rng.choice((*REJECTS, *["saturation,pile_up,fake_event"] * 4))
    return ["--reject", name], REJECTS[name]


def check_hits(trial: Trial) -> None:
    """Hits are those of all files, in order of time, aligned and calibrated."""
    found = trial.output("convert", suffixes=TABLES)
    known = trial.recording.detectors
    expected = calibrated(trial.recording.aligned, known)
    same_rows("hits", column_rows(found, HIT), values_of(expected, HIT))
    in_order("hits", found, "run", "timestamp_ps")


def pair_rows(pairs: Iterable[tuple[Row, Row, int]]) -> list[tuple[Any, ...]]:
    """Pairs as rows: both hits, the time of a, dt, and the run."""
    return [
        (*values_of([a], ONE)[0], *values_of([b], ONE)[0], a["timestamp_ps"], dt, a.get("run")) for a, b, dt in pairs
    ]


PAIR = [f"{name}_{side}" for side in "ab" for name in ONE]
PAIR += ["timestamp_ps", "dt_ps", "run"]


def check_pairs(trial: Trial) -> None:
    """All pairs within a window, or within LOW:HIGH of a start and a stop, or the nearest stop of each start."""
    rng, known = trial.rng, trial.recording.detectors
    words, mask = reject(rng)
    hits = calibrated(trial.recording.aligned, known)
    half = half_width(trial)
    keys = trial.recording.keys
    if len(keys) < 2 or rng.random() < 0.5:
        low = rng.choice((0, 0, half // 3))
        window = f"{half}ps" if not low else f"{low}ps:{half}ps"
        found = trial.output("coincidences", "--window", window, *words, suffixes=TABLES)
        expected = coincident(hits, (low or -half, half), mask=mask)
        same_rows(f"pairs within {window}", column_rows(found, PAIR), pair_rows(expected))
        return
    ends, words = start_stop(trial, words)
    low, high = signed_window(rng, half)
    words += ["--window", f"{low}ps:{high}ps"]
    found = trial.output("coincidences", *words, suffixes=TABLES)
    expected = coincident(hits, (low, high), ends=ends, mask=mask)
    same_rows(f"pairs of {ends} from {low} to {high} ps", column_rows(found, PAIR), pair_rows(expected))
    found = trial.output("coincidences", *words, "--nearest", suffixes=TABLES)
    nearest = nearest_stops(hits, (low, high), ends, mask=mask)
    names = [*(f"{name}_a" for name in ONE), "board_b", "channel_b", "timestamp_ps", "dt_ps", "run"]
    rows = [
        (*values_of([start], ONE)[0], *ends[1], start["timestamp_ps"], dt, start.get("run")) for start, dt in nearest
    ]
    same_rows(f"nearest stops of {ends} from {low} to {high} ps", column_rows(found, names), rows)


def start_stop(trial: Trial, words: list[str]) -> tuple[tuple[Key, Key], list[str]]:
    """Two detectors, and the words that name them."""
    start, stop = trial.rng.sample(trial.recording.keys, 2)
    names = [_name(key, trial.recording.detectors) for key in (start, stop)]
    return (start, stop), [*words, "--start", names[0], "--stop", names[1]]


def _name(key: Key, detectors: Mapping[Key, Detector]) -> str:
    return detectors[key].name if key in detectors else f"{key[0]}/{key[1]}"


def signed_window(rng: random.Random, half: int) -> Interval:
    """A window that holds 0, or lies above or below."""
    return rng.choice(
        ((-half, half), (0, half), (-half, 0), (half // 2, half), (-half, -(half // 3)), (-half // 2, half))
    )


def check_random_windows(trial: Trial) -> None:
    """Pairs of prompt and random windows weigh what they stand for."""
    rng, recording = trial.rng, trial.recording
    words, mask = reject(rng)
    hits = calibrated(recording.aligned, recording.detectors)
    half = max(half_width(trial), 1)
    ends = None
    window: Interval = (-half, half)
    if len(recording.keys) > 1 and rng.random() < 0.4:
        ends, words = start_stop(trial, words)
        window = signed_window(rng, half)
    beside = random_windows(rng, window, signed=ends is not None)
    if window[0] == window[1]:
        return
    words += ["--window", f"{window[0]}ps:{window[1]}ps" if ends else f"{half}ps"]
    words += [word for low, high in beside for word in ("--random", f"{low}ps:{high}ps")]
    found = found_or_refused(trial, words)
    expected = expected_weighted(hits, window, beside, ends, mask)
    if found is None or expected is None:
        if found is not None or expected is not None:
            raise Wrong(f"random windows {beside} beside {window}: refused by one alone")
        return
    rows = [
        (*row, pair.region, pair.weight)
        for row, pair in zip(pair_rows((p.a, p.b, p.dt) for p in expected), expected, strict=True)
    ]
    same_rows(f"pairs within {window} and {beside}", column_rows(found, [*PAIR, "region", "weight"]), rows)


def random_windows(rng: random.Random, window: Interval, *, signed: bool) -> list[Interval]:
    """One or two windows beyond another."""
    reach = max(abs(window[0]), abs(window[1]))
    low = reach + rng.choice((1, 1 + reach // 2, 1 + reach))
    high = low + rng.choice((1, reach, 3 * reach))
    found = [(low, high)]
    if rng.random() < 0.4:
        low = high + rng.choice((1, 1 + reach))
        found.append((low, low + rng.randint(1, 2 * reach)))
    if signed:
        found = [(-high, -low) if rng.random() < 0.5 else (low, high) for low, high in found]
    return found


def found_or_refused(trial: Trial, words: list[str]) -> Any:
    """The pairs; None where the random windows are narrower than the clock step."""
    try:
        return trial.output("coincidences", *words, suffixes=("parquet", "arrow"))
    except Refusal as refusal:
        if "narrower than the clock step" in str(refusal):
            return None
        raise


def expected_weighted(
    hits: list[Row], window: Interval, beside: list[Interval], ends: tuple[Key, Key] | None, mask: int
) -> list[Weighted] | None:
    """The right pairs; None where any two detectors' clocks have no step in the random windows."""
    known = clocks(hits)
    for a in known:
        for b in known:
            if a != b and not step_width(known, window, beside, a, b, signed=ends is not None)[1]:
                return None
    return weighted_pairs(hits, window, beside, ends=ends, mask=mask)


# Add-back, vetoes, events


def preselection(trial: Trial) -> tuple[list[str], list[Row]]:
    """The words for add-back and vetoes, and the hits that these leave."""
    rng, known = trial.rng, trial.recording.detectors
    hits = calibrated(trial.recording.aligned, known)
    words: list[str] = []
    shields = []
    kinds = sorted({detector.kind for detector in known.values() if detector.kind})
    if kinds and rng.random() < 0.6:
        low, high = signed_window(rng, max(half_width(trial), 1))
        shields = [Shield(rng.choice(kinds), (low, high), rng.choice((0, 0, 7)), rng.random() < 0.3)]
        least = f",min_adc={shields[0].min_adc}" if shields[0].min_adc else ""
        keep = ",keep" if shields[0].keep else ""
        words += ["--veto", f"{shields[0].kind}={low}ps:{high}ps{least}{keep}"]
    if rng.random() < 0.6 and _adds_back(known, [shield.kind for shield in shields]):
        window = half_width(trial)
        words += ["--add-back", f"{window}ps"]
        hits = brute_add_back(hits, known, window, [shield.kind for shield in shields])
    return words, brute_veto(hits, known, shields) if shields else hits


def _adds_back(known: Mapping[Key, Detector], leave_out: list[str]) -> bool:
    """Whether two detectors of a group can be added, and each that can is calibrated."""
    members: dict[tuple[str, str], list[Detector]] = {}
    for one in known.values():
        if one.group and one.kind not in leave_out:
            members.setdefault((one.group, one.kind), []).append(one)
    several = [part for part in members.values() if len(part) > 1]
    return bool(several) and all(one.energy for part in several for one in part)


def check_preselected(trial: Trial) -> None:
    """Pairs of what add-back and vetoes leave."""
    options, hits = preselection(trial)
    words, mask = reject(trial.rng)
    half = half_width(trial)
    found = trial.output("coincidences", "--window", f"{half}ps", *words, *options)
    expected = coincident(hits, (-half, half), mask=mask)
    same_rows(f"pairs within {half} ps, {' '.join(options)}", column_rows(found, PAIR), pair_rows(expected))


def check_events(trial: Trial) -> None:
    """Events, their sums or their triples, of what add-back and vetoes leave."""
    rng = trial.rng
    options, hits = preselection(trial)
    words, mask = reject(rng)
    half, ref, least = half_width(trial), rng.choice(("first", "last")), rng.choice((1, 1, 2, 3))
    words += ["--window", f"{half}ps", "--window-ref", ref, "--min-multiplicity", str(least), *options]
    numbered = enumerate(brute_events(hits, half, ref, mask))
    built = [(number, event) for number, event in numbered if len(detectors_of(event)) >= least]
    _check_rows(trial, words, built)
    if rng.random() < 0.5:
        found = trial.output("events", *words, "--table", "summary")
        names = ("event", "run", "timestamp_ps", "multiplicity", "hits", "detectors", "sum_adc", "sum_energy_kev")
        same_rows(f"sums of events, {' '.join(words)}", column_rows(found, names), map(_summed, built))
    else:
        _check_triples(trial, words, built)


Built = list[tuple[int, list[Row]]]
"""Events by their numbers."""


def _check_rows(trial: Trial, words: list[str], built: Built) -> None:
    found = trial.output("events", *words, suffixes=TABLES)
    names = (*HIT, "event", "multiplicity", "time_in_event_ps")
    rows = [
        (*row, number, len(detectors_of(event)), hit["timestamp_ps"] - event[0]["timestamp_ps"])
        for number, event in built
        for hit, row in zip(event, values_of(event, HIT), strict=True)
    ]
    same_rows(f"events, {' '.join(words)}", column_rows(found, names), rows)
    in_order("events", found, "run", "timestamp_ps")


def _check_triples(trial: Trial, words: list[str], built: Built) -> None:
    found = trial.output("events", *words, "--table", "triples", suffixes=TABLES)
    in_event = [{**hit, "event": number} for number, event in built for hit in event]
    rows = []
    for three in brute_triples(in_event, None, mask=0):
        first, *others = (hit["timestamp_ps"] for hit in three)
        of_hits = (value for row in values_of(three, ONE) for value in row)
        rows.append((*of_hits, first, *(time - first for time in others), three[0]["event"], three[0]["run"]))
    names = [f"{name}_{side}" for side in "abc" for name in ONE]
    names += ["timestamp_ps", "dt_ab_ps", "dt_ac_ps", "event", "run"]
    same_rows(f"triples, {' '.join(words)}", column_rows(found, names), rows)


def _summed(numbered: tuple[int, list[Row]]) -> tuple[Any, ...]:
    number, event = numbered
    fired = sorted(detectors_of(event))
    energies = [hit["energy_kev"] for hit in event if hit.get("energy_kev") is not None]
    return (
        number,
        event[0]["run"],
        event[0]["timestamp_ps"],
        len(fired),
        len(event),
        [f"{board}/{channel}" for board, channel in fired],
        sum(hit["adc"] for hit in event),
        sum(energies) if energies else None,
    )
