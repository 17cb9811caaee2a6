"""Reading a run in the other forms that CoMPASS records it in, merging its channels' files, and sorting it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

import gammapolars as gp
from gammapolars.io.compass.bin_layout import Layout
from gammapolars.io.root.writer import TreeWriter, hit_branches
from gammapolars.streaming.slices import batches_of
from tests.benchmarks.files import Plan
from tests.benchmarks.measure import Outcome, Side, faster, in_turn, limit, run_child
from tests.binfiles import encode, header_of

CSV_HITS_PER_S = 5e6
BIN_HITS_PER_S = 50e6
PEAK_MB = 700

PLAIN = Layout(("energy", "short", "flags"))
WAVEFORMS = Layout(("energy", "short", "flags", "waveform"))
SAMPLES = 32


def forms(plan: Plan) -> list[Outcome]:
    """CSV and BIN beside the barest readers of the same bytes, merging beside one file, and a sort's memory."""
    return [*_csv(plan), *_bin(plan), *_merging(plan), *_sorting(plan)]


def _csv(plan: Plan) -> list[Outcome]:
    path = written(plan, "run.CSV", _write_csv)
    ours, bare = in_turn(
        plan.repeat, {"CSV → scan → frames": lambda: read_frames(path), "polars.scan_csv": lambda: read_bare_csv(path)}
    )
    subject = f"{plan.hits / 1e6:g}M hits"
    return [
        faster(subject, ours, bare, None),
        limit(f"{subject}, {CSV_HITS_PER_S / 1e6:g} million/s", ours, "s", plan.hits / CSV_HITS_PER_S),
        limit("peak memory of reading CSV", _peak(path, plan), "MB", PEAK_MB),
    ]


def _bin(plan: Plan) -> list[Outcome]:
    subject = f"{plan.hits / 1e6:g}M hits"
    path = written(plan, "run.BIN", lambda run, to: _write_bin(run, to, PLAIN))
    long = written(plan, "waveforms.BIN", lambda run, to: _write_bin(run, to, WAVEFORMS))
    ours, bare, waves, bare_waves = in_turn(
        plan.repeat,
        {
            "BIN → scan → frames": lambda: read_frames(path),
            "numpy.fromfile, in columns": lambda: read_bare_bin(path, PLAIN),
            f"BIN with {SAMPLES} samples → scan → frames": lambda: read_frames(long),
            f"numpy.fromfile, {SAMPLES} samples, in columns": lambda: read_bare_bin(long, WAVEFORMS),
        },
    )
    return [
        faster(subject, ours, bare, None),
        limit(f"{subject}, {BIN_HITS_PER_S / 1e6:g} million/s", ours, "s", plan.hits / BIN_HITS_PER_S),
        faster(subject, waves, bare_waves, None),
        limit("peak memory of reading BIN", _peak(path, plan), "MB", PEAK_MB),
    ]


def _merging(plan: Plan) -> list[Outcome]:
    run = plan.run()
    folder = written(plan, "channels", _write_channels)
    files = sorted(folder.iterdir())
    merged, one = in_turn(
        plan.repeat,
        {
            f"{len(files)} channels' ROOT files merged": lambda: read_frames(*files),
            "the same hits in one file": lambda: read_frames(run),
        },
    )
    return [faster(f"{plan.hits / 1e6:g}M hits", merged, one, None)]


def _sorting(plan: Plan) -> list[Outcome]:
    path = written(plan, "shuffled.parquet", _write_shuffled)
    with TemporaryDirectory(dir=plan.folder) as place:
        words = ("-m", "gammapolars", "convert", path, "--sort", "-o", Path(place) / "sorted.parquet", "--overwrite")
        runs = [run_child(*words) for _ in range(plan.repeat)]
        in_memory = [
            run_child("-c", SORT_IN_MEMORY, str(path), str(Path(place) / "other.parquet")) for _ in range(plan.repeat)
        ]
    subject = f"sort of {plan.hits / 1e6:g}M hits in random order"
    ours = Side("convert --sort", [run.wall_s for run in runs])
    other = Side("polars' sort in memory", [run.wall_s for run in in_memory])
    return [
        faster(subject, ours, other, None),
        limit(f"{subject}, peak memory", Side("convert --sort", [run.peak_mb for run in runs]), "MB", PEAK_MB),
    ]


SORT_IN_MEMORY = (
    "import sys, polars as pl; "
    "pl.scan_parquet(sys.argv[1]).sort('timestamp_ps', maintain_order=True).sink_parquet(sys.argv[2])"
)


def written(plan: Plan, name: str, write: Callable[[Path, Path], None]) -> Path:
    """Another form of the plan's run, made once and kept, in the page cache."""
    path = plan.folder / f"{plan.hits}-{name}"
    if not path.exists():
        hidden = path.with_name(f".{path.name}")
        shutil.rmtree(hidden, ignore_errors=True)
        write(plan.run(), hidden)
        hidden.rename(path)
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        file.read_bytes() if file.stat().st_size < 2**30 else None
    return path


def _both_integrals(run: Path) -> pl.LazyFrame:
    columns = ["board", "channel", "timestamp_ps", "adc", "adc_short", "flags"]
    return gp.scan(run).with_columns(adc_short=(pl.col("adc") // 2).cast(pl.UInt16)).select(columns)


def _write_csv(run: Path, path: Path) -> None:
    with path.open("w") as file:
        file.write("BOARD;CHANNEL;TIMETAG;ENERGY;ENERGYSHORT;FLAGS\n")
        for batch in batches_of(_both_integrals(run)):
            seen = batch["flags"].unique()
            flags = pl.col("flags").replace_strict(seen, [f"0x{bits:x}" for bits in seen], return_dtype=pl.String)
            file.write(batch.with_columns(flags).write_csv(separator=";", include_header=False))


def _write_bin(run: Path, path: Path, layout: Layout) -> None:
    with path.open("wb") as file:
        file.write(header_of(layout).to_bytes(2, "little"))
        for batch in batches_of(_both_integrals(run)):
            file.write(encode(batch, layout, SAMPLES if "waveform" in layout.fields else 0))


def _write_channels(run: Path, folder: Path) -> None:
    folder.mkdir()
    branches = {"Channel": "u2", "Timestamp": "u8", "Board": "u2", "Energy": "u2", "Flags": "u4"}
    writers: dict[int, TreeWriter] = {}
    for batch in batches_of(gp.scan(run)):
        for (channel,), part in batch.group_by("channel", maintain_order=True):
            if channel not in writers:
                writers[channel] = TreeWriter(folder / f"DataR_CH{channel}@DT5725_1701_run.root", branches)
            writers[channel].extend(hit_branches(part))
    for writer in writers.values():
        writer.close()


def _write_shuffled(run: Path, path: Path) -> None:
    order = np.random.default_rng(1).permutation
    hits = gp.scan(run).collect()
    hits[order(hits.height)].write_parquet(path, compression="lz4")


def read_frames(*files: Path) -> int:
    """All columns of a run as a lazy frame's batches; how many hits there were."""
    return sum(batch.height for batch in batches_of(gp.scan(*files)))


def read_bare_csv(path: Path) -> int:
    """What polars makes of the file by itself: nothing is checked, and flags stay text."""
    return sum(batch.height for batch in batches_of(pl.scan_csv(path, separator=";")))


def read_bare_bin(path: Path, layout: Layout) -> int:
    """The whole file at once as records, and a column of each field."""
    record = layout.head
    if "waveform" in layout.fields:
        record = np.dtype([("head", layout.head), ("samples", "<u2", (SAMPLES,))])
    records = np.fromfile(path, record, offset=2)
    heads = records["head"] if "waveform" in layout.fields else records
    names = ("board", "channel", "timestamp_ps", "adc", "adc_short", "flags")
    return pl.DataFrame({name: np.ascontiguousarray(heads[name]) for name in names}).height


COUNT = (
    "import sys, gammapolars as gp; from gammapolars.streaming import batches_of; "
    "print(sum(batch.height for batch in batches_of(gp.scan(sys.argv[1]))))"
)


def _peak(path: Path, plan: Plan) -> Side:
    runs = [run_child("-c", COUNT, str(path)) for _ in range(plan.repeat)]
    return Side(f"{plan.hits / 1e6:g}M hits", [run.peak_mb for run in runs])
