"""`python -m tests.validation`: what fits and calibrations reach; fails where that is less than it should be."""

import argparse
import os
import sys
from collections.abc import Callable

from tests.validation.outcomes import Outcome


def _validations() -> dict[str, Callable[[], Outcome]]:
    """All of them that can run here: some need recorded spectra, and one another program."""
    from tests.validation import (
        calibrations,
        chance,
        dead_time,
        false_peaks,
        limits,
        line_energies,
        matrix_background,
        peak_kinds,
        simulated_peaks,
        strong_lines,
        triples,
        wrong_sources,
    )

    found: dict[str, Callable[[], Outcome]] = {
        "pulls": simulated_peaks.pulls,
        "doublets": simulated_peaks.doublets,
        "false-peaks": false_peaks.false_peaks,
        "limits": limits.limits,
        "strong-lines": strong_lines.strong_lines,
        "hpge": lambda: calibrations.automatic("HPGe"),
        "kinds-hpge": lambda: peak_kinds.kinds("HPGe"),
        "kinds-nai": lambda: peak_kinds.kinds("NaI"),
        "wrong-sources": wrong_sources.wrong_sources,
        "line-energies": line_energies.line_energies,
        "tracked-line-energies": line_energies.tracked_line_energies,
        "chance": chance.chance,
        "dead-time": dead_time.dead_time,
        "triples": triples.triples,
        "matrix-background": matrix_background.matrix_background,
        "nai": lambda: calibrations.automatic("NaI", runs=100, hits=300_000),
    }
    if os.environ.get("GAMMAPOLARS_REAL_DATA"):
        from tests.validation.intercomparison import intercomparison
        from tests.validation.shifted_sums import shifted_sums

        found["iaea-1995"] = intercomparison
        found["shifted-sums"] = shifted_sums
        try:
            from tests.validation.other_fitter import other_fitter
        except ImportError:
            print("becquerel is not installed: no comparison with its fits", file=sys.stderr)
        else:
            found["becquerel"] = other_fitter
    else:
        print("GAMMAPOLARS_REAL_DATA does not name the folder of recorded runs: simulated ones only", file=sys.stderr)
    return found


def main() -> None:
    validations = _validations()
    parser = argparse.ArgumentParser(prog="python -m tests.validation", description=__doc__)
    parser.add_argument("--only", choices=validations, action="append", help="this one; may be repeated")
    given = parser.parse_args()
    outcomes = []
    for name in given.only or validations:
        outcomes.append(validations[name]())
        print(outcomes[-1], flush=True)
    checks = [check for outcome in outcomes for check in outcome.checks]
    missed = [check for check in checks if not check.kept]
    print(f"{len(checks) - len(missed)} of {len(checks)} figures are within their limits")
    for check in missed:
        print(check)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
