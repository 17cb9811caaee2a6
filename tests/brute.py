"""What the package computes, by its definitions alone: plain loops over all hits, each compared with each.

Nothing here knows of slices, batches, files or expressions. Hits are rows with `board`, `channel`, `timestamp_ps`,
`adc`, `flags`, and where they have them `energy_kev` and `run`, in order of time.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, groupby, pairwise
from typing import Any, NamedTuple

from gammapolars.detectors import Detector
from tests.hits import BAD, Key, coincident, key_of

Row = dict[str, Any]
Interval = tuple[int, int]

FAKE = 0x8

MODULUS = 2**64


def used(hits: Iterable[Row], mask: int = BAD) -> list[Row]:
    """Hits without any of the flags."""
    return [hit for hit in hits if not hit["flags"] & mask]


def within(windows: Iterable[Interval], dt: int) -> bool:
    return any(low <= dt <= high for low, high in windows)


# Energies


def polynomial(coefficients: Sequence[float], x: float) -> float:
    """c0 + c1 x + c2 x² + …, by Horner's rule in double precision."""
    value = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        value = value * x + coefficient
    return value


def noise(time: int, board: int, channel: int) -> float:
    """Of a hit's adc, in [-½, ½): the top 24 bits of its time and detector, multiplied, folded and multiplied again."""
    mixed = (time + (channel + board * 2**16) * 0xD1B54A32D192ED03) * 0x9E3779B97F4A7C15 % MODULUS
    return ((mixed ^ mixed >> 32) * 0xBF58476D1CE4E5B9 % MODULUS >> 40) / 2**24 - 0.5


def dithered_adc(hit: Row) -> float:
    return float(hit["adc"]) + noise(hit["timestamp_ps"], hit["board"], hit["channel"])


def energy(hit: Row, detectors: Mapping[Key, Detector], adc: float | None = None) -> float | None:
    """By its detector's polynomial, else as it was recorded, else none."""
    detector = detectors.get(key_of(hit))
    if detector is None or detector.energy is None or hit.get("adc") is None:
        return hit.get("energy_kev")
    # A sum over as many terms as the longest polynomial has: those that this one lacks are 0.
    terms = max(len(one.energy) for one in detectors.values() if one.energy)
    coefficients = (*detector.energy, *[0.0] * (terms - len(detector.energy)))
    return polynomial(coefficients, float(hit["adc"]) if adc is None else adc)


def dithered_energy(hit: Row, detectors: Mapping[Key, Detector], *, sums: bool = False) -> float | None:
    """What bins of energy count: the energy of the adc with its noise; of sums, their energy with one adc's noise.

    A recorded energy that no polynomial replaces has no noise.
    """
    if not sums:
        return energy(hit, detectors, dithered_adc(hit))
    noisy, plain = (
        energy({**hit, "energy_kev": None}, detectors, dithered_adc(hit)),
        energy({**hit, "energy_kev": None}, detectors),
    )
    if noisy is None or plain is None or hit["energy_kev"] is None:
        return None
    return float(hit["energy_kev"] + (noisy - plain))


def calibrated(hits: Iterable[Row], detectors: Mapping[Key, Detector]) -> list[Row]:
    return [{**hit, "energy_kev": energy(hit, detectors)} for hit in hits]


# Coincidences


class Weighted(NamedTuple):
    """A pair: its hits, t_b - t_a, where it lies and what it weighs."""

    a: Row
    b: Row
    dt: int
    region: str
    weight: float


def both_signs(windows: Iterable[Interval]) -> list[Interval]:
    """Windows of |dt| as windows of dt, those that overlap as one."""
    signed = [(-high, high) if low <= 0 else (low, high) for low, high in windows]
    signed += [(-high, -low) for low, high in signed if low > 0]
    return union(signed)


def union(windows: Iterable[Interval]) -> list[Interval]:
    merged: list[Interval] = []
    for low, high in sorted(windows):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


def clocks(hits: Sequence[Row], *, least: int = 50) -> dict[Key, tuple[int, int]]:
    """The step of the clock of each detector with as many hits, and its phase: the largest that all times fit."""
    found = {}
    for key in {key_of(hit) for hit in hits}:
        times = [hit["timestamp_ps"] for hit in hits if key_of(hit) == key]
        step = math.gcd(*(time - times[0] for time in times))
        if len(times) >= least and step:
            found[key] = (step, times[0] % step)
    return found


def step_width(
    known: Mapping[Key, tuple[int, int]],
    window: Interval,
    random: Iterable[Interval],
    a: Key,
    b: Key,
    *,
    signed: bool,
) -> tuple[float, float]:
    """How much of the time differences of two detectors the prompt and the random windows hold, both signs of dt.

    That is their width; but where both clocks are known, and step more coarsely than in a thousandth of the narrower
    windows, it is how many steps they hold.
    """
    prompt, beside = windows_of(window, random, signed=signed)
    widths = [sum(high - low for low, high in windows) for windows in (prompt, beside)]
    if a in known and b in known:
        step = math.gcd(known[a][0], known[b][0])
        if step * 1000 > min(widths):
            phase = known[b][1] - known[a][1]
            steps = [
                sum((high - phase) // step - (low - phase - 1) // step for low, high in windows)
                for windows in (prompt, beside)
            ]
            return steps[0] * step, steps[1] * step
    return widths[0], widths[1]


def windows_of(window: Interval, random: Iterable[Interval], *, signed: bool) -> tuple[list[Interval], list[Interval]]:
    """Prompt and random windows of dt; without start and stop, of either sign."""
    if signed:
        return [window], union(random)
    return both_signs([(max(window[0], 0), window[1])]), both_signs(random)


def weighted_pairs(
    hits: Sequence[Row],
    window: Interval,
    random: Sequence[Interval],
    *,
    ends: tuple[Key, Key] | None = None,
    mask: int = BAD,
) -> list[Weighted]:
    """Pairs of the prompt window, which weigh 1, and of the random windows, which weigh -w_prompt / w_random."""
    prompt, beside = windows_of(window, random, signed=ends is not None)
    known = clocks(hits)
    reach = max(abs(end) for ends_of in (*prompt, *beside) for end in ends_of)
    found = []
    for a, b, dt in coincident(hits, (-reach, reach), ends=ends, mask=mask):
        if within(prompt, dt):
            found.append(Weighted(a, b, dt, "prompt", 1.0))
        elif within(beside, dt):
            widths = step_width(known, window, random, key_of(a), key_of(b), signed=ends is not None)
            found.append(Weighted(a, b, dt, "random", -widths[0] / widths[1]))
    return found


def brute_events(hits: Iterable[Row], window: int, ref: str, mask: int = BAD) -> list[list[Row]]:
    """Events, one hit after the other, run after run."""
    found: list[list[Row]] = []
    for hit in used(hits, mask):
        before = found[-1][0 if ref == "first" else -1] if found else None
        same = before is not None and before.get("run") == hit.get("run")
        if before is None or not same or hit["timestamp_ps"] - before["timestamp_ps"] > window:
            found.append([])
        found[-1].append(hit)
    return found


def detectors_of(event: Iterable[Row]) -> set[Key]:
    return {key_of(hit) for hit in event}


def brute_triples(hits: Iterable[Row], window: int | None, mask: int = BAD) -> list[tuple[Row, Row, Row]]:
    """All threes of hits of three detectors: of one run, of one event where they have those, and within a window."""

    def whole(hit: Row) -> tuple[int, int]:
        return (hit.get("run") or 0, hit.get("event") or 0)

    def place(hit: Row) -> tuple[Any, ...]:
        return (*whole(hit), hit["timestamp_ps"], hit["board"], hit["channel"])

    found = []
    for _, together in groupby(sorted(used(hits, mask), key=place), key=whole):
        for a, b, c in combinations(together, 3):
            near = window is None or c["timestamp_ps"] - a["timestamp_ps"] <= window
            if near and len(detectors_of([a, b, c])) == 3:
                found.append((a, b, c))
    return found


def brute_add_back(
    hits: Iterable[Row], detectors: Mapping[Key, Detector], window: int, leave_out: Iterable[str] = ()
) -> list[Row]:
    """Calibrated hits, those of one group and kind summed up to `window` after the first; of how many is `added_hits`.

    A sum has everything else of its largest part, of equal ones of the earliest, and the flags of all.
    """
    members = Counter((one.group, one.kind) for one in detectors.values() if one.group and one.kind not in leave_out)
    sums: dict[tuple[str, str], list[list[Row]]] = {}
    left: list[Row] = []
    for row, hit in enumerate(hits):
        placed = {**hit, "row": row, "added_hits": 1}
        of = detectors.get(key_of(hit))
        if of is None or members[of.group, of.kind] < 2 or hit["flags"] & FAKE or hit["energy_kev"] is None:
            left.append(placed)
            continue
        parts = sums.setdefault((of.group, of.kind), [])
        first = parts[-1][0] if parts else None
        same = first is not None and first.get("run") == hit.get("run")
        if first is None or not same or hit["timestamp_ps"] - first["timestamp_ps"] > window:
            parts.append([])
        parts[-1].append(placed)
    for added in (added for parts in sums.values() for added in parts):
        largest = max(added, key=lambda hit: (hit["energy_kev"], -hit["row"]))
        flags = 0
        for hit in added:
            flags |= hit["flags"]
        total = math.fsum(hit["energy_kev"] for hit in added)
        left.append({**largest, "energy_kev": total, "flags": flags, "added_hits": len(added)})
    return sorted(left, key=lambda hit: hit["row"])


class Shield(NamedTuple):
    """A veto: by detectors of a kind, with a hit where t_veto - t_hit lies in a window, of an adc or more."""

    kind: str
    window: Interval
    min_adc: int = 0
    keep: bool = False


def brute_veto(hits: Sequence[Row], detectors: Mapping[Key, Detector], shields: Iterable[Shield]) -> list[Row]:
    """The hits that are left, each compared with every other; all shields see the same hits."""
    unknown = Detector(0, 0)
    gone = set()
    for shield in shields:
        for row, hit in enumerate(hits):
            own = detectors.get(key_of(hit), unknown)
            if own.kind == shield.kind:
                gone |= set() if shield.keep else {row}
                continue
            for other in hits:
                veto = detectors.get(key_of(other), unknown)
                fires = veto.kind == shield.kind and not other["flags"] & FAKE and other["adc"] >= shield.min_adc
                near = within([shield.window], other["timestamp_ps"] - hit["timestamp_ps"])
                same = other.get("run") == hit.get("run")
                if fires and near and same and veto.group in ("", own.group):
                    gone.add(row)
    return [hit for row, hit in enumerate(hits) if row not in gone]


# Spectra and matrices


def binned(rows: Iterable[tuple[Any, float]]) -> dict[Any, tuple[float, float]]:
    """Sums of weights, and of their squares, by the bin that each row names."""
    weights: dict[Any, list[float]] = {}
    for cell, weight in rows:
        weights.setdefault(cell, []).append(weight)
    return {cell: (math.fsum(of), math.fsum(one * one for one in of)) for cell, of in weights.items()}


def shared(low: float, high: float, width: float) -> list[tuple[int, float]]:
    """The bins that a stretch of energy lies in, and which part of it in each."""
    low, high = sorted((low / width, high / width))
    if low == high:
        return [(math.floor(low), 1.0)]
    ends = [low, *range(math.floor(low) + 1, math.ceil(high)), high]
    return [(math.floor(begin), (end - begin) / (high - low)) for begin, end in pairwise(ends)]


def matrix_cells(
    rows: Iterable[tuple[float | None, float | None, float]],
    widths: tuple[float, float],
    *,
    centred: tuple[bool, bool] = (False, False),
    symmetric: bool = False,
) -> dict[tuple[int, int], tuple[float, float]]:
    """Sums of weights by the numbers of two bins, of rows (x, y, weight).

    Bin k reaches from k to k + 1 widths; where 0 is a bin's centre, from k - ½ to k + ½. In a symmetric matrix each row
    counts at (x, y) and at (y, x), on the diagonal once.
    """

    def number(value: float, axis: int) -> int:
        return math.floor((value + widths[axis] / 2 if centred[axis] else value) / widths[axis])

    cells = []
    for x, y, weight in rows:
        if x is None or y is None or not weight:
            continue
        cell = (number(x, 0), number(y, 1))
        cells.append((cell, weight))
        if symmetric and cell[0] != cell[1]:
            cells.append((cell[::-1], weight))
    return binned(cells)
