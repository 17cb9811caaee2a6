"""Work on one run in one process, again and again: `python inside.py CHECKOUT WORK RUN DETECTORS OUTPUT`.

Each line on the standard input is answered by a line of JSON: what doing it once took. The package is that of a
checkout, so that two versions can be timed in turn.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path


def main() -> None:
    checkout, work, *paths = sys.argv[1:]
    sys.path.insert(0, checkout)
    do = WORKS[work](*map(Path, paths))
    do()
    print(json.dumps({"checkout": checkout}), flush=True)
    for _ in sys.stdin:
        start, before = time.perf_counter(), cpu_s()
        do()
        print(json.dumps({"wall_s": time.perf_counter() - start, "cpu_s": cpu_s() - before}), flush=True)


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def coincidences(run: Path, detectors: Path, output: Path) -> Callable[[], object]:
    """Pairs to a file, with all that the command counts on the way."""
    from gammapolars.analysis.recording import Recording
    from gammapolars.commands.coincidences.parse import CoincidencesOptions
    from gammapolars.commands.coincidences.run import coincidences as command
    from gammapolars.io import open_runs

    del detectors
    options = CoincidencesOptions(names=[], output=output, window="250ns", overwrite=True)
    return lambda: command(options, Recording(open_runs(run)))


def spectrum(run: Path, detectors: Path, output: Path) -> Callable[[], object]:
    """Calibrated spectra of all detectors."""
    import gammapolars as gp

    del output
    return lambda: gp.scan(run).pipe(gp.calibrate, detectors).pipe(gp.spectrum).collect()


def gate(run: Path, detectors: Path, output: Path) -> Callable[[], object]:
    """The spectrum in coincidence with a line, net of background and of random coincidences."""
    from gammapolars.commands.gate.parse import GateOptions
    from gammapolars.commands.gate.run import gate as command

    options = GateOptions(names=[str(run)], on=1173.228, detectors=detectors, output=output, overwrite=True)
    return lambda: command(options)


WORKS = {"coincidences": coincidences, "spectrum": spectrum, "gate": gate}


if __name__ == "__main__":
    main()
