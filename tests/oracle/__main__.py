"""`python -m tests.oracle`: see the package's docstring."""

import sys

from tests import oracle
from tests.fuzz.series import series
from tests.oracle.worker import KINDS, LIMIT_S, run_case

if __name__ == "__main__":
    sys.exit(series("tests.oracle", oracle.__doc__, KINDS, run_case, limit_s=LIMIT_S))
