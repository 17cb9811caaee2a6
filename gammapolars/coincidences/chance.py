"""How many pairs chance makes."""

from gammapolars.units import PS_PER_S


def chance_pairs(hits_a: int, hits_b: int, width_ps: float, real_time_s: float) -> float:
    """How many pairs two uncorrelated detectors make by chance: N = r_a r_b w T.

    Args:
        hits_a: hits of one detector in the time T.
        hits_b: hits of the other.
        width_ps: the window's total width w in picoseconds: 2 W for |dt| ≤ W.
        real_time_s: T in seconds.
    """
    return hits_a * hits_b * (width_ps / PS_PER_S) / real_time_s if real_time_s > 0 else 0.0
