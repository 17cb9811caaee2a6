"""The command `simulate`: sources in, a run with known truth out."""

from dataclasses import dataclass

from gammapolars import simulate as simulation
from gammapolars.analysis.summaries import Summary
from gammapolars.commands.options import described_by
from gammapolars.commands.progress import Progress
from gammapolars.commands.simulate.parse import SimulateOptions
from gammapolars.core.records import Rows, optional
from gammapolars.core.units import PS_PER_S, parse_ps


@dataclass(frozen=True, kw_only=True)
class SimulateSummary(Summary):
    """The simulated run.

    Attributes:
        hits: that were written.
        hits_by_detector: by board/channel.
        flags: hits by the flags that they carry.
        first_timestamp_ps: of the first hit (ps).
        last_timestamp_ps: of the last hit (ps).
        sources: activities by nuclide (Bq).
        seed: of the random numbers.
        detectors: of each `name`, `board`, `channel`, and `deposits_cps`, the rate to be expected.
        correlations: of directions of gamma rays, if any: `first_kev`, `second_kev`, `a2`, `a4`.
        neutrons: fraction of hits with the pulse shape of neutrons, if there are pulse shapes.
    """

    hits: int
    hits_by_detector: dict[str, int]
    flags: dict[str, int]
    first_timestamp_ps: int | None
    last_timestamp_ps: int | None
    sources: dict[str, float]
    seed: int
    detectors: Rows
    correlations: Rows | None = optional()
    neutrons: float | None = optional()


def simulate(options: SimulateOptions) -> SimulateSummary:
    """Simulate a list-mode run, and its truth if it is asked for."""

    def picoseconds(text: str | None) -> int | None:
        return None if text is None else parse_ps(text)

    seconds = picoseconds(options.duration)
    with Progress(lambda: options.hits) as progress:
        counts = simulation.run(
            options.output,
            options.source,
            hits=options.hits,
            duration_s=None if seconds is None else seconds / PS_PER_S,
            seed=options.seed,
            detectors=None if options.detectors is None else described_by(options.detectors),
            truth=options.truth,
            layout=options.layout,
            solid_angle=options.solid_angle,
            background_cps=options.background,
            time_resolution_ps=picoseconds(options.time_resolution),
            tick_ps=picoseconds(options.tick),
            dead_time_ps=picoseconds(options.dead_time),
            drift=simulation.GainDrift(per_hour=options.drift) if options.drift else None,
            correlations=simulation.parse_correlations(options.correlation or ()),
            neutrons=options.neutrons,
            overwrite=options.overwrite,
            progress=progress,
        )
    return SimulateSummary(**counts).saved(options.output, options.truth)


def text(summary: SimulateSummary) -> list[str]:
    """The summary for people."""
    return [f"{summary.hits:,} hits written to {summary.outputs[0]}"]
