"""The command `coincidences`: a run in, a file of pairs out, and further files of the same pass."""

from dataclasses import replace

from gammapolars.analysis import passes
from gammapolars.analysis.accumulators import HitTally, PairTally
from gammapolars.analysis.pair_output import save_pairs
from gammapolars.analysis.preselection import preselection_of
from gammapolars.analysis.recording import Recording
from gammapolars.coincidences import PairRule
from gammapolars.commands.cluster import check_cluster
from gammapolars.commands.coincidences import further
from gammapolars.commands.coincidences.live import CoincidenceSummary, live_lines, summary_of
from gammapolars.commands.coincidences.parse import CoincidencesOptions
from gammapolars.commands.summaries import head, pair_lines, timed_tail
from gammapolars.core.errors import UsageError
from gammapolars.core.quantities import PSD
from gammapolars.io import check_writable


def check(options: CoincidencesOptions) -> None:
    """Raise where an output cannot be written."""
    if options.live and (options.add_back or options.veto or options.nearest):
        raise UsageError("--live needs all pairs of single hits: leave out --add-back, --veto and --nearest")
    if options.adc_short and options.layout:
        raise UsageError(f"--layout {options.layout} has no room for adc_short: leave --adc-short or --layout out")
    if options.resume and not check_cluster(options):
        raise UsageError("--resume goes on with the tasks of workers: give --workers or --scheduler, too")
    check_writable(options.output, overwrite=options.overwrite, layout=options.layout, of_pairs=True)
    further.check(options, overwrite=options.overwrite)


def coincidences(options: CoincidencesOptions, recording: Recording) -> CoincidenceSummary:
    """Find a run's pairs in one pass, stream them to a file, and sum up the input and the pairs."""
    detectors = recording.detectors
    first, last = (detectors.named(name) if name is not None else None for name in (options.start, options.stop))
    rule = PairRule(
        options.window, reject=recording.masks(options.reject), start=first, stop=last, nearest=options.nearest
    )
    preselection = preselection_of(detectors, options.add_back, options.veto)
    recording = replace(recording.along(PSD) if options.adc_short else recording, preselection=preselection)
    rule = passes.with_random(recording, rule, options.random or ())
    hits, pairs = HitTally(), PairTally(rule.window)
    products = further.FurtherProducts(options, rule, recording, sums=bool(preselection and preselection.adds_back))
    reading = passes.PairPass(recording, rule, [hits, pairs, *products.products])

    def summary() -> CoincidenceSummary:
        return summary_of(passes.summarise(reading, hits, pairs), live=options.live)

    def metadata() -> dict[str, str]:
        return summary().provenance(recording)

    save_pairs(
        reading,
        options.output,
        layout=options.layout,
        overwrite=options.overwrite,
        metadata=metadata,
        resume=options.resume,
    )
    written = products.save(metadata, overwrite=options.overwrite)
    return summary().saved(options.output, *written)


def text(summary: CoincidenceSummary) -> list[str]:
    """The summary for people."""
    lines = [*head(summary, summary.preselection), *pair_lines(summary.of_pairs)]
    return [*lines, *live_lines(summary.live), *timed_tail(summary)]
