"""Pairs with matrix, spectra, rates and time differences of the same pass, beside pairs alone."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gammapolars.analysis.recording import Recording
from gammapolars.commands.coincidences.parse import CoincidencesOptions
from gammapolars.commands.coincidences.run import coincidences
from gammapolars.detectors import Detectors, format_detectors
from gammapolars.io import open_runs
from gammapolars.simulate.run import DEFAULT_DETECTORS
from tests.benchmarks.coincidences import command
from tests.benchmarks.files import WINDOW_PS, Plan
from tests.benchmarks.measure import Outcome, Side, in_turn, limit, run_child, within

BIN_KEV = 0.4
"""A matrix of 4096 × 4096 bins then reaches to 1638 keV."""

MORE_TIME, MORE_MB = 1.5, 300.0


def one_pass(plan: Plan) -> list[Outcome]:
    """Time in one process, and peak memory of the command, with and without what else one pass can write."""
    run, known = plan.run(), DEFAULT_DETECTORS
    with TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"{name}.parquet" for name in ("matrix", "spectra", "rates", "time_differences")}
        pairs = Path(folder) / "pairs.parquet"

        def one_pass_with(**further: Any) -> None:
            options = CoincidencesOptions(names=[], output=pairs, window=f"{WINDOW_PS}ps", overwrite=True, **further)
            coincidences(options, Recording(open_runs(run), known))

        ways = {
            "all in one pass": lambda: one_pass_with(**files, bin_kev=BIN_KEV),
            "pairs alone": one_pass_with,
        }
        every, alone = in_turn(plan.repeat, ways)
        memory = _memory(plan, run, pairs, files, known)
    subject = f"pairs, 4096² matrix, spectra, rates, dt of {plan.hits / 1e6:g}M hits"
    return [
        within(subject, every, alone, MORE_TIME),
        limit(f"{subject}: memory above pairs alone", memory, "MB", MORE_MB),
    ]


def _memory(plan: Plan, run: Path, pairs: Path, files: dict[str, Path], known: Detectors) -> Side:
    """How much more the command needs."""
    toml = pairs.with_name("detectors.toml")
    toml.write_text(format_detectors(known), encoding="utf-8")
    plain = [*command(run, pairs), "--detectors", toml]
    options = [word for name, path in files.items() for word in (f"--{name.replace('_', '-')}", path)]
    more = [*plain, *options, "--bin-kev", str(BIN_KEV)]
    peaks = [[run_child("-m", "gammapolars", *words).peak_mb for words in (plain, more)] for _ in range(plan.repeat)]
    return Side("all in one pass", [both - alone for alone, both in peaks])
