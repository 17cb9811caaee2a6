"""Wigner's 3j and 6j symbols, exact: each is the root of a fraction, and stands here as its square with the sign."""

import math
from fractions import Fraction

Spin = Fraction


def root(signed_square: Fraction) -> float:
    """The number whose square this is, with its sign."""
    return math.copysign(math.sqrt(abs(signed_square)), signed_square)


def wigner_3j(j1: Spin, j2: Spin, j3: Spin, m1: Spin, m2: Spin, m3: Spin) -> Fraction:
    """The 3j symbol (j1 j2 j3; m1 m2 m3), as its square with the sign.

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
