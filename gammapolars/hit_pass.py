"""One pass over a run's hits alone, where no pairs are wanted."""

from collections.abc import Callable, Sequence

from gammapolars.drift.correction import Correction
from gammapolars.io import Runs
from gammapolars.products import Product
from gammapolars.schema import HITS, require
from gammapolars.streaming import batches_of, by_run
from gammapolars.time_order import time_ordered


def count_hits(
    runs: Runs,
    products: Sequence[Product],
    progress: Callable[[int], None] | None,
    correction: Correction | None = None,
    most_hits: int | None = None,
) -> None:
    """Let products see all hits, or so many of the first, in order of time.

    That order is what the real time is told from.
    """
    require(runs.hits, HITS)
    columns = [name for name in runs.hits.collect_schema() if name in HITS.columns or name in ("gain_factor", "run")]
    read = 0
    with runs.naming_errors():
        for of_run in by_run(batches_of(runs.hits.select(columns))):
            for batch in time_ordered(of_run, reorder_ps=runs.reorder_ps, on_repair=runs.note_repair):
                part = batch if most_hits is None else batch.head(most_hits - read)
                hits = correction.corrected(part) if correction else part
                for product in products:
                    product.add_hits(hits)
                read += part.height
                if progress:
                    progress(read)
                if most_hits is not None and read >= most_hits:
                    return
