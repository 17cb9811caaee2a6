"""The main queries run on the streaming engine from end to end, without a stage that falls back to memory.

Polars draws its physical plan with the nodes in colours, and its legend tells the colour of a fallback.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from gammapolars.analysis.gain_correction import correct_drift
from gammapolars.coincidences import add_back, event_summary, events, nearest, pairs, triples, veto
from gammapolars.core.flags import has_any
from gammapolars.core.schema import DRIFT
from gammapolars.corrections import align, calibrate, corrected_time
from gammapolars.detectors import BoardClock, Detector, Detectors
from gammapolars.io import scan
from gammapolars.spectra import binning, dithered, gate, matrix, spectrum, time_slices
from gammapolars.streaming.slices import batches_of
from tests.hits import BAD, frame, stream

FALLBACK = re.compile(r'COLOR="([^"]+)">[^<]*</FONT>\s*in-memory engine fallback')
NODE = re.compile(r'^\d+ \[label="((?:[^"\\]|\\.)*)"(?:,style=filled,fillcolor="([^"]+)")?\];$', re.MULTILINE)

MANY = Detectors(
    tuple(Detector(b, c, energy=(0.1, 1.0 + c, 1e-6), time_offset_ps=c) for b in range(4) for c in range(16))
)
DRIFTING = replace(MANY, clocks=(BoardClock(1, 5.0), BoardClock(3, (-2.0, 7.0, 1.0), (0.0, 1e-4))))
FAR = Detectors((Detector(65535, 65535, energy=(0.0, 1.0)), Detector(0, 0, energy=(0.0, 2.0, 0.1))))


def nodes(frame: pl.LazyFrame) -> list[tuple[str, bool]]:
    """The physical plan's nodes: what each does (its first word), and whether it falls back to the in-memory engine."""
    graph = frame.show_graph(engine="streaming", plan_stage="physical", raw_output=True, show=False)
    assert graph is not None
    colour = FALLBACK.search(graph)
    assert colour, "the legend no longer tells the colour of a fallback"
    found = [(match[1].partition("\\n")[0], match[2] == colour[1]) for match in NODE.finditer(graph)]
    assert found, "the graph's nodes are no longer found"
    assert len(found) == len(re.findall(r"^\d+ \[label=", graph, re.MULTILINE)), "some of the nodes are not found"
    return found


def fallbacks(frame: pl.LazyFrame) -> list[str]:
    return [does for does, falls_back in nodes(frame) if falls_back]


@pytest.fixture
def hits(tmp_path: Path) -> pl.LazyFrame:
    """A run in a file."""
    frame((100 * number, number % 5, number % 3, number) for number in range(1000)).write_parquet(
        tmp_path / "run.parquet"
    )
    return scan(tmp_path / "run.parquet")


# The check itself


def test_a_query_that_falls_back_is_found_out(hits: pl.LazyFrame) -> None:
    through_python = hits.map_batches(lambda table: table)

    assert fallbacks(through_python) == ["in-memory-map"]
    assert fallbacks(through_python.filter(pl.col("adc") > 3).group_by("channel").agg(pl.len())) == ["in-memory-map"]


@pytest.mark.parametrize(
    ("expression", "node"),
    [
        (pl.col("adc").sort().over("channel", mapping_strategy="explode"), "in-memory-map"),
        (pl.col("adc").replace_strict([1, 2], [3, 4], default=None), "columnar-function"),
    ],
    ids=["a window", "a search"],
)
def test_an_expression_that_falls_back_is_found_out(hits: pl.LazyFrame, expression: pl.Expr, node: str) -> None:
    assert fallbacks(hits.select(expression)) == [node]


def test_sorting_and_grouping_are_no_fallbacks(hits: pl.LazyFrame) -> None:
    assert fallbacks(hits.sort("adc").group_by("channel").agg(pl.len())) == []


# The queries


def calibrated(hits: pl.LazyFrame, detectors: Detectors = MANY) -> pl.LazyFrame:
    return calibrate(align(hits, detectors), detectors)


GAINS = pl.DataFrame(
    [(1, 0, c, 10**4 * k, 1 + 0.001 * k, 1e-4) for c in range(5) for k in range(9)], dict(DRIFT.columns), orient="row"
)

CLOVERS = Detectors(
    tuple(
        Detector(b, c, energy=(0.1, 1.0 + c), group=f"{b}", kind="BGO" if c == 4 else "HPGe")
        for b in range(3)
        for c in range(5)
    )
)


QUERIES: dict[str, Callable[[pl.LazyFrame], pl.LazyFrame]] = {
    "the hits alone": lambda hits: hits,
    "good hits in a range of energy": lambda hits: calibrated(hits).filter(
        ~has_any(BAD) & pl.col("energy_kev").is_between(100, 200)
    ),
    "energies of many detectors": calibrated,
    "energies of detectors too far apart for a table": lambda hits: calibrated(hits, FAR),
    "times corrected for drifting clocks": lambda hits: hits.with_columns(
        timestamp_ps=corrected_time(hits.collect_schema(), DRIFTING)
    ),
    "pairs of drifting clocks": lambda hits: pairs(calibrated(hits, DRIFTING)).filter(pl.col("energy_kev_a") > 500),
    "a spectrum": lambda hits: spectrum(calibrated(hits)),
    "energies corrected for drift": lambda hits: calibrated(correct_drift(hits, GAINS)),
    "a spectrum corrected for drift": lambda hits: spectrum(calibrated(correct_drift(hits, GAINS))),
    "a spectrum with noise": lambda hits: spectrum(
        hits.with_columns(adc=dithered("adc", pl.col("timestamp_ps"), "channel")), energy="adc"
    ),
    "a spectrum without a comb": lambda hits: spectrum(calibrate(hits, MANY, dither=True)),
    "spectra of time slices": lambda hits: spectrum(
        time_slices(calibrated(hits), "10ns"), by=("board", "channel", "time_slice")
    ),
    "a gated spectrum": lambda hits: spectrum(gate(calibrate(pairs(hits), MANY), 500, width_kev=900)),
    "partners of hits in a gate": lambda hits: gate(calibrate(pairs(hits), MANY, dither=True), 500, width_kev=900),
    "pairs filtered and grouped": lambda hits: (
        pairs(hits).filter(pl.col("dt_ps") < 1000).group_by("channel_a", "channel_b").agg(pl.len())
    ),
    "pairs of calibrated hits": lambda hits: pairs(calibrated(hits)).filter(pl.col("energy_kev_a") > 500),
    "calibrated pairs": lambda hits: calibrate(pairs(hits), MANY).filter(pl.col("energy_kev_b") > 500),
    "nearest stops": lambda hits: nearest(hits, (0, 0), (1, 1)).select("dt_ps"),
    "a matrix": lambda hits: matrix(calibrate(pairs(hits), MANY)),
    "an asymmetric matrix": lambda hits: matrix(pairs(calibrated(hits)), symmetric=False),
    "events": lambda hits: events(calibrated(hits), "1ns", min_multiplicity=2).filter(pl.col("energy_kev") > 500),
    "events that go on": lambda hits: events(hits, "50ps", window_ref="last").select("event", "multiplicity"),
    "one row an event": lambda hits: event_summary(events(calibrated(hits), "1ns")).with_columns(
        pl.col("detectors").list.join(" ")
    ),
    "triples": lambda hits: triples(calibrated(hits), "1ns").filter(pl.col("dt_ab_ps") < 500),
    "triples net of chance": lambda hits: triples(calibrated(hits), "1ns", random=["2ns:9ns"]).filter(
        pl.col("weight") < 0
    ),
    "triples of events": lambda hits: triples(events(hits, "1ns")).group_by("channel_a").agg(pl.len()),
    "hits added back": lambda hits: add_back(hits, CLOVERS, "1ns", leave_out=["BGO"]).filter(pl.col("energy_kev") > 9),
    "a spectrum without vetoed hits": lambda hits: spectrum(veto(calibrated(hits), CLOVERS, window="100ps")),
    "pairs of what add-back and veto leave": lambda hits: pairs(
        veto(add_back(hits, CLOVERS, "1ns", leave_out=["BGO"]), CLOVERS, window="100ps")
    ),
    "a gate on a matrix": lambda hits: (
        matrix(pairs(calibrated(hits)))
        .filter(pl.col("energy_kev_x").is_between(1170, 1176))
        .group_by("energy_kev_y")
        .agg(pl.col("counts").sum())
    ),
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES.keys())
def test_the_main_queries_stream_from_end_to_end(
    hits: pl.LazyFrame, query: Callable[[pl.LazyFrame], pl.LazyFrame]
) -> None:
    assert fallbacks(query(hits)) == []


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES.keys())
@pytest.mark.parametrize("suffix", ["parquet", "ipc", "csv"])
def test_they_stream_into_files_too(
    hits: pl.LazyFrame, query: Callable[[pl.LazyFrame], pl.LazyFrame], suffix: str, tmp_path: Path
) -> None:
    sink = getattr(query(hits), f"sink_{suffix}")(tmp_path / f"out.{suffix}", lazy=True)

    assert fallbacks(sink) == []
    assert any("sink" in does for does, _ in nodes(sink))


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES.keys())
def test_they_give_the_same_on_either_engine(query: Callable[[pl.LazyFrame], pl.LazyFrame]) -> None:
    hits = stream(frame((100 * number, number % 5, number % 3, number) for number in range(300)), 48)

    streamed, in_memory = (query(hits).collect(engine=engine) for engine in ("streaming", "in-memory"))

    assert streamed.sort(streamed.columns).equals(in_memory.sort(in_memory.columns))
    assert streamed.height > 0


@pytest.mark.parametrize(
    "prepared",
    [
        calibrated,
        lambda hits: calibrate(hits, MANY, dither=True),
        lambda hits: time_slices(calibrated(hits), "10ns").with_columns(board=pl.col("time_slice")),
        lambda hits: gate(calibrate(pairs(hits), MANY), 500, width_kev=900),
    ],
    ids=["calibrated", "dithered", "sliced", "gated"],
)
def test_what_a_spectrum_reads_streams_too(
    hits: pl.LazyFrame, prepared: Callable[[pl.LazyFrame], pl.LazyFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[pl.LazyFrame] = []

    def seen(rows: pl.LazyFrame, *, batch_rows: int) -> Iterator[pl.DataFrame]:
        read.append(rows)
        yield from batches_of(rows, batch_rows=batch_rows)

    monkeypatch.setattr(binning, "batches_of", seen)

    assert spectrum(prepared(hits)).collect().height > 0

    assert [fallbacks(query) for query in read] == [[]]
    assert "in-memory" not in str(nodes(read[0]))


def test_pairs_are_a_source_of_their_own_in_the_plan(hits: pl.LazyFrame) -> None:
    assert [does for does, _ in nodes(pairs(hits))] == ["streaming-python-scan"]
