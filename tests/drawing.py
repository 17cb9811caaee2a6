"""Which part of the work is done every day: fewer cases drawn by hypothesis, figures built and not drawn.

With `GAMMAPOLARS_TESTS=thorough` all cases and figures are drawn; so does `.ci/run`, beside the tests marked `slow` and
`large`. With `GAMMAPOLARS_TESTS=full` the long series of statistics have their full length too: that is run by hand.
"""

import os
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import settings

FULL = os.environ.get("GAMMAPOLARS_TESTS") == "full"
THOROUGH = FULL or os.environ.get("GAMMAPOLARS_TESTS") == "thorough"

SHARE = 1.0 if THOROUGH else 0.25
"""Of the cases that a test asks for, how many hypothesis draws."""

USUAL = 60
"""The cases of a test that does not say how many it asks for."""


def examples(most: int, **others: object) -> settings:
    """Settings of a test that asks for this many cases.

    Args:
        most: how many cases are drawn where all are asked for.
        others: further settings of hypothesis.
    """
    # Times depend on what else the machine does; what a test may take is told where it matters.
    return settings(deadline=None, max_examples=max(5, round(SHARE * most)), **others)  # type: ignore[arg-type]


def repetitions(most: int) -> int:
    """How many of a long series of simulations are done; all of them where the full length is asked for."""
    return most if FULL else max(4, round(0.3 * most))


def daily(count: int, cases: Iterable[Any]) -> list[Any]:
    """Cases of a parametrised test, of which all but the first few are slow: those that try the same thing again.

    Args:
        count: how many belong to the default tests.
        cases: values, or tuples of them.
    """
    every = list(cases)
    others = (case if isinstance(case, tuple) else (case,) for case in every[count:])
    return [*every[:count], *(pytest.param(*case, marks=pytest.mark.slow) for case in others)]
