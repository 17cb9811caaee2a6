"""Angular correlation coefficients of a cascade of known spins, by Racah's algebra."""

import math
import re
from collections.abc import Sequence
from fractions import Fraction

from gammapolars.core.errors import UsageError

HIGHEST_SPIN = 50
HIGHEST_MULTIPOLE = 10

Spin = Fraction
Spins = str | Sequence[float | Fraction]


def angular_coefficients(
    spins: Spins,
    *,
    multipoles: Sequence[int] | None = None,
    mixing: Sequence[float] = (0.0, 0.0),
    orders: Sequence[int] = (2, 4),
) -> tuple[float, ...]:
    """The coefficients a2, a4 of W(θ) = 1 + a2 P2(cos θ) + a4 P4(cos θ) for two gamma rays in cascade.

    J1 -(L1)→ J2 -(L2)→ J3, nuclei not oriented, the middle level not disturbed in its lifetime: a_k = B_k(γ1) A_k(γ2),
    A_k = [F_k(LL J3 J2) + 2δ F_k(LL' J3 J2) + δ² F_k(L'L' J3 J2)] / (1 + δ²) with L' = L + 1, and B_k the same with J1
    for J3 and -δ for δ. Conventions and signs are those of K. S. Krane, R. M. Steffen and R. M. Wheeler, Nucl. Data
    Tables 11 (1973) 351; F_k after M. Ferentz and N. Rosenzweig, ANL-5324 (1955). Other conventions, that of
    Biedenharn and Rose among them, have δ with the other sign.

    Args:
        spins: of the three levels in order: `4,2,0`, `4-2-0` or `5/2,3/2,1/2`, or numbers.
        multipoles: L1 and L2; None: the lowest that the spins allow.
        mixing: δ of both gamma rays: the amplitude of multipole L + 1 over that of L.
        orders: which a_k, even.

    Returns:
        One coefficient for each order, without unit, for point detectors.

    Raises:
        UsageError: spins, multipoles or mixing ratios that are impossible.
    """
    upper, middle, lower = parse_spins(spins)
    ends = (upper, lower)
    chosen = [max(1, int(abs(end - middle))) for end in ends] if multipoles is None else list(multipoles)
    if len(chosen) != 2 or len(mixing) != 2:
        raise UsageError("a cascade has two gamma rays: give two multipoles and two mixing ratios")
    for end, multipole, delta in zip(ends, chosen, mixing, strict=True):
        if not math.isfinite(delta):
            raise UsageError(f"a mixing ratio is a finite number, not {delta:g}")
        for order in (multipole, multipole + 1) if delta else (multipole,):
            if not (1 <= order <= HIGHEST_MULTIPOLE and abs(end - middle) <= order <= end + middle):
                raise UsageError(f"no gamma ray of multipole {order} connects levels of spin {end} and {middle}")
    return tuple(
        _orientation(k, chosen[0], -mixing[0], upper, middle) * _orientation(k, chosen[1], mixing[1], lower, middle)
        for k in orders
    )


def parse_spins(spins: Spins) -> tuple[Spin, Spin, Spin]:
    """The spins of three levels.

    Raises:
        UsageError: not three spins, or whole and half ones together.
    """
    try:
        parts = re.split(r"\s*[,\-–]\s*", spins.strip()) if isinstance(spins, str) else spins
        values = [Fraction(part) for part in parts]
    except (ValueError, ZeroDivisionError, TypeError, OverflowError):
        values = []
    if len(values) != 3 or any(not 0 <= spin <= HIGHEST_SPIN or (2 * spin).denominator != 1 for spin in values):
        raise UsageError(f"'{spins}' is not a cascade: write the spins of three levels, such as 4,2,0 or 5/2,3/2,1/2")
    upper, middle, lower = values
    if any((spin - middle).denominator != 1 for spin in values):
        raise UsageError(f"'{spins}' is not a cascade: the spins must be all integer or all half-integer")
    return upper, middle, lower


def _orientation(k: int, multipole: int, delta: float, end: Spin, middle: Spin) -> float:
    """A_k of one gamma ray between the middle level and another."""
    pure = f_coefficient(k, multipole, multipole, end, middle)
    if not delta:
        return pure
    cross = f_coefficient(k, multipole, multipole + 1, end, middle)
    higher = f_coefficient(k, multipole + 1, multipole + 1, end, middle)
    return (pure + 2 * delta * cross + delta**2 * higher) / (1 + delta**2)


def f_coefficient(k: int, first: int, second: int, end: Spin, middle: Spin) -> float:
    """F_k(L L' J_end J) of Ferentz and Rosenzweig.

    (-1)^(J_end + J - 1) √[(2k+1)(2L+1)(2L'+1)(2J+1)] (L L' k; 1 -1 0) {L L' k; J J J_end}, exact but for the root.
    """
    one, other, rank, up = Fraction(first), Fraction(second), Fraction(k), Fraction(1)
    three = wigner_3j(one, other, rank, up, -up, Fraction(0))
    six = wigner_6j(one, other, rank, middle, middle, end)
    factor = (2 * k + 1) * (2 * first + 1) * (2 * second + 1) * (2 * middle + 1)
    sign = -1 if int(end + middle - 1) % 2 else 1
    return root(sign * factor * three * six)


def root(signed_square: Fraction) -> float:
    """The number whose square this is, with its sign."""
    return math.copysign(math.sqrt(abs(signed_square)), signed_square)


def wigner_3j(j1: Spin, j2: Spin, j3: Spin, m1: Spin, m2: Spin, m3: Spin) -> Fraction:
    """The 3j symbol (j1 j2 j3; m1 m2 m3), the root of a fraction: exact, as its square with the sign.

    After G. Racah, Phys. Rev. 62 (1942) 438, in integers.
    """
    sides = ((j1, m1), (j2, m2), (j3, m3))
    if m1 + m2 + m3 != 0 or not _is_triangle(j1, j2, j3) or any(abs(m) > j for j, m in sides):
        return Fraction(0)
    square = _triangle(j1, j2, j3)
    for j, m in sides:
        square *= _factorial(j + m) * _factorial(j - m)
    total = Fraction(0)
    for t in range(int(j1 + j2 - j3) + 1):
        below = (j3 - j2 + t + m1, j3 - j1 + t - m2, j1 + j2 - j3 - t, j1 - t - m1, j2 - t + m2)
        if min(below) >= 0:
            total += Fraction((-1) ** t, math.factorial(t) * math.prod(map(_factorial, below)))
    sign = -1 if int(j1 - j2 - m3) % 2 else 1
    return sign * total * abs(total) * square


def wigner_6j(j1: Spin, j2: Spin, j3: Spin, j4: Spin, j5: Spin, j6: Spin) -> Fraction:
    """The 6j symbol {j1 j2 j3; j4 j5 j6}, as its square with the sign.

    After G. Racah, Phys. Rev. 62 (1942) 438, in integers.
    """
    triads = ((j1, j2, j3), (j1, j5, j6), (j4, j2, j6), (j4, j5, j3))
    if not all(_is_triangle(*triad) for triad in triads):
        return Fraction(0)
    square = math.prod((_triangle(*triad) for triad in triads), start=Fraction(1))
    least = [int(sum(triad)) for triad in triads]
    most = [int(j1 + j2 + j4 + j5), int(j2 + j3 + j5 + j6), int(j3 + j1 + j6 + j4)]
    total = Fraction(0)
    for t in range(max(least), min(most) + 1):
        below = [math.factorial(t - one) for one in least] + [math.factorial(one - t) for one in most]
        total += Fraction((-1) ** t * math.factorial(t + 1), math.prod(below))
    return total * abs(total) * square


def _is_triangle(a: Spin, b: Spin, c: Spin) -> bool:
    return abs(a - b) <= c <= a + b and (a + b + c).denominator == 1


def _triangle(a: Spin, b: Spin, c: Spin) -> Fraction:
    above = _factorial(a + b - c) * _factorial(a - b + c) * _factorial(b + c - a)
    return Fraction(above, _factorial(a + b + c + 1))


def _factorial(number: Fraction) -> int:
    return math.factorial(int(number))
