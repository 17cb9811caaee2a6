"""What the command `simulate` does, as a function."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gammapolars.commands.checks import check_numbers
from gammapolars.commands.command import performed
from gammapolars.commands.simulate.parse import SimulateOptions
from gammapolars.detectors import AnyDetectors


def simulate_run(
    source: str | Sequence[str],
    output: str | Path,
    *,
    hits: int | None = None,
    duration: str | None = None,
    seed: int = 1,
    detectors: AnyDetectors | None = None,
    truth: str | Path | None = None,
    layout: str = "native",
    solid_angle: float | None = None,
    background: float | None = None,
    time_resolution: str | None = None,
    tick: str | None = None,
    dead_time: str | None = None,
    drift: float = 0.0,
    neutrons: float | None = None,
    correlation: str | Sequence[str] = (),
    overwrite: bool = False,
) -> Path:
    """Simulate a list-mode run of sources, with known truth: what the command `simulate` does.

        gp.simulate_run("Co-60=20kBq", "co60.root", hits=10_000)

    Args:
        source: `Co-60`, `Na-22=100kBq`, or several.
        output: the run, a ROOT file in CoMPASS format.
        hits: stop after this many.
        duration: stop after this time, such as `60s`; with `hits` whichever comes first.
        seed: of the random numbers: equal seeds give equal runs.
        detectors: or the path of detectors.toml; None: four HPGe detectors on channels 1 to 4 of board 0.
        truth: a Parquet file for each hit's decay, nuclide and energy.
        layout: of the ROOT baskets: `native`, `small`, `large`, or a number of entries each.
        solid_angle: solid angle/4π of each detector; None, here and below: that of its kind.
        background: rate of uncorrelated hits in each detector, per second.
        time_resolution: standard deviation of timestamps, such as `8ns`.
        tick: step of the digitizer's clock, such as `4ns`.
        dead_time: after each hit, such as `2us`.
        drift: relative change of all gains per hour.
        neutrons: the charge in a short gate is written, too, and this fraction of hits has the pulse shape of neutrons.
        correlation: of two lines of a cascade, such as `1173.2,1332.5=4,2,0`, or several.
        overwrite: whether files of these names are replaced.

    Returns:
        The path of the run.

    Raises:
        UsageError: an unknown source, no end, or a number or unit out of its range.
        OutputError: a file exists already, cannot be written, or is an input or recorded data.
    """
    fractions = {"solid_angle": solid_angle, "background": background, "drift": drift, "neutrons": neutrons}
    check_numbers({"hits": hits, "seed": seed} | fractions, whole=("hits", "seed"))
    given: dict[str, Any] = {
        "source": [source] if isinstance(source, str) else list(source),
        "detectors": detectors,
        "truth": None if truth is None else Path(truth),
        "correlation": [correlation] if isinstance(correlation, str) else list(correlation),
    }
    options = SimulateOptions(
        output=Path(output),
        hits=hits,
        duration=duration,
        seed=seed,
        layout=layout,
        solid_angle=solid_angle,
        background=background,
        time_resolution=time_resolution,
        tick=tick,
        dead_time=dead_time,
        drift=drift,
        neutrons=neutrons,
        overwrite=overwrite,
        **given,
    )
    return Path(performed("gammapolars.commands.simulate", options).outputs[0])
