"""Commands on runs and files: what is in them, other formats, the user's queries, simulation, detectors.toml."""

from pathlib import Path

from gammapolars.commands.app import AsJson, Runs, app
from gammapolars.commands.options import ReadingOptions, reads_runs


@app.command()
@reads_runs
def info(runs: Runs, *, how: ReadingOptions, as_json: AsJson = False) -> None:
    """Show what is in a run or in a file of pairs: hits, rates, flags, times and their order, provenance."""
    from gammapolars.commands.info import run, text
    from gammapolars.commands.summaries import print_summary
    from gammapolars.io import is_table_of_pairs

    if len(runs) == 1 and is_table_of_pairs(runs[0]):
        pairs = run.inspect_pairs(Path(runs[0]))
        print_summary(pairs, text.describe_pairs, as_json=as_json)
        return
    with how.reading(runs) as (opened, progress):
        found = run.inspect(opened, progress=progress)
    print_summary(found, text.describe, as_json=as_json)
