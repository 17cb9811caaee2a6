"""How many pairs chance makes."""

from gammapolars.core.units import PS_PER_S


def chance_pairs(hits_a: int, hits_b: int, width_ps: float, real_time_s: float) -> float:
    """How many pairs two uncorrelated detectors make by chance: N = r_a r_b w T.

    Args:
        hits_a: hits of one detector in the time T.
        hits_b: hits of the other.
        width_ps: the window's total width w in picoseconds: 2 W for |dt| ≤ W.
        real_time_s: T in seconds.
    """
    return hits_a * hits_b * (width_ps / PS_PER_S) / real_time_s if real_time_s > 0 else 0.0


def nearest_chance_pairs(starts: float, pairs: float, covered: float) -> float:
    """How many starts that have no true partner found a stop by chance, where each takes the nearest stop in a window.

    A start without a true partner finds a stop with the probability P, whatever stop it is: N_0 P of N_0 such starts
    do, and N_0 (1 - P) find none. Those are counted, as all starts less all pairs, because a start with a true partner
    always finds a stop. So chance makes N = (starts - pairs) P / (1 - P) pairs; without any true coincidence that is
    what N = starts P expects. Beside them, some starts with a true partner take a chance stop that is nearer.

    Args:
        starts: hits of the start detector.
        pairs: how many of them found a stop.
        covered: P, the part of the time in which a start would find a stop: for a stop detector that counts at random,
            with the rate r_b, 1 - exp(-r_b w) in a window of the width w; less than r_b w, since one stop is enough.
            In a window shorter than the dead time of the stop detector it is r_b w again, since there is no second one.

    Returns:
        The number; where stops cover all of the time, all pairs, which chance alone can then make.
    """
    return (starts - pairs) * covered / (1 - covered) if covered < 1 else pairs
