"""`python -m tests.attack`: see the package's docstring."""

import sys

from tests import attack
from tests.attack.worker import KINDS, LIMIT_S, run_case
from tests.fuzz.series import series

if __name__ == "__main__":
    sys.exit(series("tests.attack", attack.__doc__, KINDS, run_case, limit_s=LIMIT_S))
