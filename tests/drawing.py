"""How many cases hypothesis draws: a part of what a test asks for, or all of them where the profile is `thorough`.

`HYPOTHESIS_PROFILE=thorough pytest -m hypothesis` draws all; `.ci/run` does so beside the slow tests.
"""

import os

from hypothesis import settings

SHARE = 1.0 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 0.4
"""Of the cases that a test asks for, how many are drawn."""

USUAL = 60
"""Cases that a test asks for which does not say how many."""


def examples(most: int, **others: object) -> settings:
    """Settings of a test that needs this many cases to be sure of what it shows, and a part of them every day.

    Args:
        most: how many cases are drawn where all are asked for.
        others: further settings of hypothesis.
    """
    # Times depend on what else the machine does; what a test may take is told where it matters.
    return settings(deadline=None, max_examples=max(5, round(SHARE * most)), **others)  # type: ignore[arg-type]
