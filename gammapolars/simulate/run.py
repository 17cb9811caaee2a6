"""A whole simulated run, as the command line asks for it, in files: hits as CoMPASS writes them, and their truth."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from gammapolars.core.errors import OutputError, UsageError
from gammapolars.core.flags import names_in
from gammapolars.core.units import PS_PER_S, TIMES_PS
from gammapolars.core.wording import setting
from gammapolars.detectors import Detector, Detectors
from gammapolars.io.output import complete_or_nothing
from gammapolars.io.root.writer import (
    HIT_BRANCHES,
    NATIVE,
    PSD_BRANCHES,
    Layout,
    TreeWriter,
    hit_branches,
    parse_layout,
)
from gammapolars.io.transaction import outputs_together
from gammapolars.simulate.chunks import simulate
from gammapolars.simulate.decays import Emitter
from gammapolars.simulate.digitizer import TRUTH, Chunk
from gammapolars.simulate.emission import Correlation
from gammapolars.simulate.pulse_shapes import PSD_TRUTH, with_pulse_shapes
from gammapolars.simulate.response import GainDrift, SimulatedDetector, around_source
from gammapolars.simulate.sources import parse_sources

MOST_HITS = 10**10
"""Most hits of a simulated run: 100 GB, which an hour is enough for."""

METADATA_KEY = "gammapolars"
"""The text next to the tree that carries a run's parameters, as one JSON object, where all outputs carry theirs."""


@contextmanager
def _truth_writer(
    path: Path | None, schema: pl.Schema, metadata: dict[str, str], *, overwrite: bool
) -> Iterator[Callable[[pl.DataFrame], None]]:
    """A writer of chunks of truth to a Parquet file, which appears when it is complete; None: to nowhere."""
    if path is None:
        yield lambda _: None
        return
    with complete_or_nothing(path, overwrite=overwrite) as hidden:
        empty = pl.DataFrame(schema=schema).to_arrow()
        # Only the nuclide repeats: building dictionaries of the other columns costs more than all the rest.
        with pq.ParquetWriter(
            hidden, empty.schema, compression="zstd", compression_level=1, use_dictionary=["nuclide"]
        ) as writer:

            def write(truth: pl.DataFrame) -> None:
                try:
                    writer.write_table(truth.cast(schema).to_arrow())
                except OSError as error:
                    raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None

            yield write
            writer.add_key_value_metadata(metadata)


def write_run(
    output: Path,
    chunks: Iterable[Chunk],
    *,
    truth: Path | None = None,
    layout: Layout = NATIVE,
    metadata: dict[str, str] | None = None,
    pulse_shapes: bool = False,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Write a simulated run as CoMPASS writes a recorded one, and its truth as Parquet.

    Equal chunks give equal bytes: the files hold no date.

    Args:
        output: the ROOT file, with the tree `Data_R`.
        chunks: from `simulate`.
        truth: the Parquet file, row for row the hits; None: none.
        layout: of the ROOT file's baskets.
        metadata: texts to store with the tree and the truth.
        pulse_shapes: whether hits have charges of the short gate.
        overwrite: replace files that exist.
        progress: called with the number of hits written so far.

    Returns:
        The summary of the run: hits, hits by `board/channel`, flags by name, first and last timestamp.

    Raises:
        OutputError: a file exists already or cannot be written.
    """
    total, first, last = 0, None, None
    by_detector: dict[str, int] = {}
    flags: dict[str, int] = {}
    branches, schema = (PSD_BRANCHES, PSD_TRUTH) if pulse_shapes else (HIT_BRANCHES, TRUTH)
    with (
        outputs_together(),
        TreeWriter(output, branches, layout=layout, metadata=metadata, overwrite=overwrite, reproducible=True) as tree,
        _truth_writer(truth, schema, metadata or {}, overwrite=overwrite) as write_truth,
    ):
        for hits, true in chunks:
            tree.extend(hit_branches(hits, branches))
            write_truth(true)
            total += len(hits)
            first = hits["timestamp_ps"][0] if first is None and len(hits) else first
            last = hits["timestamp_ps"][-1] if len(hits) else last
            _count(hits, by_detector, flags)
            if progress is not None:
                progress(total)
    return {
        "hits": total,
        "hits_by_detector": dict(sorted(by_detector.items())),
        "flags": flags,
        "first_timestamp_ps": first,
        "last_timestamp_ps": last,
    }


def _count(hits: pl.DataFrame, by_detector: dict[str, int], flags: dict[str, int]) -> None:
    for board, channel, count in hits.group_by("board", "channel").len().sort("board", "channel").iter_rows():
        key = f"{board}/{channel}"
        by_detector[key] = by_detector.get(key, 0) + count
    values, counts = np.unique(hits["flags"].to_numpy(), return_counts=True)
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        for name in names_in(value):
            flags[name] = flags.get(name, 0) + count


DEFAULT_DETECTORS = Detectors(
    tuple(
        Detector(0, channel, f"HPGe-{channel}", energy, (0.55, 0.00216), kind="HPGe")
        for channel, energy in {
            1: (0.0626, 0.0944835, -1.62e-9),
            2: (0.0868, 0.1198362, 5.5e-11),
            3: (0.1358, 0.1125332, -5.77e-10),
            4: (0.0933, 0.1081576, -5.91e-10),
        }.items()
    )
)
"""Four HPGe detectors on channels 1 to 4 of board 0."""


def run(
    output: Path,
    sources: Sequence[str],
    *,
    hits: int | None = None,
    duration_s: float | None = None,
    seed: int = 1,
    detectors: Detectors | None = None,
    truth: Path | None = None,
    layout: str = "native",
    solid_angle: float | None = None,
    background_cps: float | None = None,
    time_resolution_ps: float | None = None,
    tick_ps: int | None = None,
    dead_time_ps: int | None = None,
    pile_up_ps: int | None = None,
    adc_bits: int | None = None,
    drift: GainDrift | None = None,
    correlations: Sequence[Correlation] = (),
    neutrons: float | None = None,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Simulate a run of detectors around sources into a ROOT file, as `gammapolars simulate` does.

    The part of hits that have a coincident partner grows with the solid angle, the part of random coincidences with the
    activity: with the defaults, about one hit in twenty has a true coincidence.

    Args:
        output: the ROOT file, in CoMPASS's layout.
        sources: `Co-60` or `Co-60=50kBq`, one each.
        hits: stop after this many.
        duration_s: stop after this time; with `hits` whichever comes first.
        seed: of the random numbers: equal arguments give equal bytes.
        detectors: from detectors.toml, in the directions that it has, or evenly on a circle around the source; None:
            `DEFAULT_DETECTORS`.
        truth: a Parquet file for the truth of each hit.
        layout: `native`, `small`, `large` or a number of entries per basket.
        solid_angle: solid angle/4π of each detector; None, here and below: that of its kind.
        background_cps: rate of uncorrelated deposits in each detector.
        time_resolution_ps: standard deviation of timestamps.
        tick_ps: timestamps are multiples of it.
        dead_time_ps: after each hit.
        pile_up_ps: after each hit.
        adc_bits: 14 or 16, for example.
        drift: of all detectors' gains; None: none.
        correlations: of gamma rays in cascade: both files record them.
        neutrons: hits have charges of a short gate, and this fraction of them the pulse shape of neutrons; None: none.
        overwrite: replace files that exist.
        progress: called with the number of hits written so far.

    Returns:
        The summary of `write_run` with `sources` (Bq by nuclide), `seed` and `detectors` (with the expected
        `deposits_cps` of each).

    Raises:
        UsageError: an unknown source, no end, a number out of its range, lines that cannot be correlated, or an output
            with another suffix.
        OutputError: a file exists already or cannot be written.
    """
    output, truth = Path(output), None if truth is None else Path(truth)
    _check_suffixes(output, truth)
    source_list = parse_sources(sources)
    array = around_source(
        DEFAULT_DETECTORS if detectors is None else detectors,
        solid_angle=solid_angle, background_cps=background_cps, time_resolution_ps=time_resolution_ps, tick_ps=tick_ps,
        dead_time_ps=dead_time_ps, pile_up_ps=pile_up_ps, adc_bits=adc_bits, drift=drift,
    )  # fmt: skip
    rates = Emitter(source_list, array, seed).rates_cps()
    check_length(hits, duration_s, float(rates.sum()))
    chunks = simulate(source_list, array, seed=seed, hits=hits, duration_s=duration_s, correlations=correlations)
    if neutrons is not None:
        chunks = with_pulse_shapes(chunks, neutrons, seed)
    settings = {
        "sources": {source.nuclide: source.activity_bq for source in source_list},
        "seed": seed,
        "hits": hits,
        "duration_s": duration_s,
        "detectors": [_numbers(detector) for detector in array],
    }
    further: dict[str, Any] = {"correlations": [asdict(one) for one in correlations]} if correlations else {}
    further |= {} if neutrons is None else {"neutrons": neutrons}
    summary = write_run(
        output,
        chunks,
        truth=truth,
        layout=parse_layout(layout),
        pulse_shapes=neutrons is not None,
        metadata={METADATA_KEY: json.dumps({"simulation": settings | further})},
        overwrite=overwrite,
        progress=progress,
    )
    rows = [
        {"name": item.name, "board": item.board, "channel": item.channel, "deposits_cps": round(float(rate), 3)}
        for item, rate in zip(array, rates, strict=True)
    ]
    return summary | {"sources": settings["sources"], "seed": seed, "detectors": rows, **further}


def check_length(hits: int | None, duration_s: float | None, rate_cps: float) -> None:
    """Raise a UsageError for runs of more hits than any disk takes, or longer than their times can be."""
    expected = min(
        (end for end in (hits, None if duration_s is None else duration_s * rate_cps) if end is not None), default=0
    )
    if expected > MOST_HITS:
        raise UsageError(
            f"a run of {min(expected, 1e300):.3g} hits is too large: simulate at most {MOST_HITS:.0e} "
            f"({setting('--hits', 'hits')})"
        )
    if hits is not None and duration_s is None and hits > rate_cps * TIMES_PS[1] / PS_PER_S:
        raise UsageError(
            f"{hits:.3g} hits at {rate_cps:.3g} /s take longer than 53 days, the limit of a run: simulate "
            "fewer hits, or more activity"
        )


def _numbers(detector: SimulatedDetector) -> dict[str, Any]:
    """A detector's attributes for the metadata: its drift, walk and direction only where it has them."""
    numbers = asdict(detector)
    for name in ("drift", "time_walk_ps", "time_walk_range", "direction"):
        if not getattr(detector, name):
            del numbers[name]
    return numbers


def _check_suffixes(output: Path, truth: Path | None) -> None:
    if output.suffix.lower() != ".root":
        raise UsageError(f"output '{output}': a simulated run is a ROOT file: its name must end in .root")
    if truth is not None and truth.suffix.lower() != ".parquet":
        raise UsageError(f"truth '{truth}': the truth is a Parquet file: its name must end in .parquet")
