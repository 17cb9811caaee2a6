"""Inputs that no command makes: descriptions of detectors, gates, and files of hits in other formats or damaged."""

from pathlib import Path

import numpy as np
import polars as pl

GE = """\
[[detector]]
name = "ge-0"
channel = 0
energy = [0.1, 0.12]
fwhm = [0.6, 0.0022]
kind = "HPGe"

[[detector]]
name = "ge-1"
channel = 1
energy = [-0.2, 0.11, 1e-9]
fwhm = [0.7, 0.0021]
time_offset_ps = 20000
kind = "HPGe"

[[source]]
name = "europium"
nuclide = "Eu-152"
activity_bq = 20000
activity_bq_unc = 200
reference_date = 2024-01-01
"""

LA = """\
[[detector]]
name = "La-0"
channel = 0
energy = [0.0, 0.5]
fwhm = [0.0, 0.6]
kind = "LaBr3"

[[detector]]
name = "La-1"
channel = 1
energy = [0.0, 0.5]
fwhm = [0.0, 0.6]
kind = "LaBr3"
"""

FOREIGN = """\
[columns]
timestamp_ps = {name = "t", unit = "ns"}
channel = "det"
board = {value = 2}
adc = "pulse"
flags = "bits"
"""

DIRECTION = """\
[[detector]]
name = "ge-{channel}"
channel = {channel}
energy = [0.0, 0.1]
fwhm = [0.6, 0.002]
theta_deg = {theta}.0
phi_deg = {phi}.0
kind = "HPGe"
"""

DIRECTIONS = ((0, 0), (45, 0), (90, 0), (180, 0), (90, 90), (135, 180))

CASCADE = "energy_kev_a,energy_kev_b\n1100,1250\n1250,1250\n1250,1400\n1100,1400\n"

CASCADE_TOML = """\
[[gate]]
name = "1173 before 1332"
x = "energy_kev_a"
y = "energy_kev_b"
vertices = [[600, 1250], [1250, 1250], [1250, 1400], [600, 1400]]
"""

CALP = """\
#PeakEasy CALp File Ver:  4.00
Offset (keV)           :  {offset}
Gain (keV / Chan)      :  {gain}
2nd Order Coef         :  -1.62e-09
3rd Order Coef         :  0.00000e+00
4th Order Coef         :  0.00000e+00
#END"""

RUN_INFO = """\
id=run
time.start=2024/05/03 18:02:57.005+0200
time.stop=2024/05/03 18:03:00.134+0200
time.real=00:00:03
board.0-14-1701.readout.rate=382.090 b/s
board.0-14-1701.4.rejections.pileup=0.5
board.0-14-1701.4.icr=10000.0
board.0-14-1701.4.calibration.energy.c0=-1.5
board.0-14-1701.4.calibration.energy.c1=0.7406
board.0-14-1701.4.calibration.energy.c2=0.0
board.0-14-1701.4.calibration.energy.uom=keV
"""

HITS = 30_000
"""Hits of the files in other formats."""

BIN_HEADER = 0xCAE1
BIN_RECORD = np.dtype([("board", "<u2"), ("channel", "<u2"), ("time", "<u8"), ("adc", "<u2"), ("flags", "<u4")])


def write_texts(folder: Path) -> None:
    """Detectors, gates and calibrations; co60.toml lies in the folder already."""
    texts = {
        "ge.toml": GE,
        "drift.toml": f'drift = "drift.parquet"\n\n{GE}',
        "la.toml": LA,
        "foreign.toml": FOREIGN,
        "groups.toml": _with_groups((folder / "co60.toml").read_text(encoding="utf-8")),
        "directions.toml": "\n".join(
            DIRECTION.format(channel=channel, theta=theta, phi=phi) for channel, (theta, phi) in enumerate(DIRECTIONS)
        ),
        "cascade.csv": CASCADE,
        "cascade.toml": CASCADE_TOML,
        "ch1.CALp": CALP.format(offset=0.0626, gain=0.0945),
        "ch2.CALp": CALP.format(offset=-1.5, gain=0.1198),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _with_groups(text: str) -> str:
    """Detectors of which the last is the shield of the others, which are one clover."""
    for channel in range(1, 4):
        text = text.replace(f"channel = {channel}\n", f'channel = {channel}\ngroup = "clover"\n')
    head, last = text.rsplit('kind = "HPGe"', 1)
    return f'{head}kind = "BGO"{last}'


def write_hits(folder: Path) -> None:
    """Hits of nai.parquet in the formats of CoMPASS and of other digitizers, and in no order."""
    hits = pl.read_parquet(folder / "nai.parquet").head(HITS)
    _write_csv_run(folder / "run", hits)
    _write_bin(folder / "bin-run" / "RAW" / "SDataR_run.BIN", hits)
    foreign = {"t": pl.col("timestamp_ps") / 1000, "det": pl.col("channel"), "pulse": pl.col("adc")}
    hits.select(**foreign, bits=pl.col("flags")).write_parquet(folder / "foreign.parquet")
    order = np.random.default_rng(1).permutation(hits.height)
    hits[order].write_parquet(folder / "unsorted.parquet")


def _write_csv_run(folder: Path, hits: pl.DataFrame) -> None:
    """A run's folder with a CSV file for each channel."""
    (folder / "RAW").mkdir(parents=True)
    (folder / "run.info").write_text(RUN_INFO, encoding="utf-8")
    for channel in (4, 5):
        path = folder / "RAW" / f"DataR_CH{channel}@DT5725_1701_run.CSV"
        path.write_text(_csv(hits.filter(channel=channel)), encoding="utf-8")


def _csv(hits: pl.DataFrame) -> str:
    rows = hits.select("board", "channel", "timestamp_ps", "adc", "flags").iter_rows()
    lines = [f"{board};{channel};{time};{adc};0x{flags:x}" for board, channel, time, adc, flags in rows]
    return "\n".join(["BOARD;CHANNEL;TIMETAG;ENERGY;FLAGS", *lines, ""])


def _write_bin(path: Path, hits: pl.DataFrame) -> None:
    """One BIN file of all channels, as a run's folder holds it."""
    path.parent.mkdir(parents=True)
    records = np.zeros(hits.height, BIN_RECORD)
    columns = {"board": "board", "channel": "channel", "time": "timestamp_ps", "adc": "adc", "flags": "flags"}
    for field, column in columns.items():
        records[field] = hits[column].to_numpy()
    path.write_bytes(np.uint16(BIN_HEADER).tobytes() + records.tobytes())


def write_damage(folder: Path) -> None:
    """Files that are cut short, and one with lines that are none."""
    for whole, part in (("co60.root", "cut.root"), ("nai.parquet", "cut.parquet")):
        data = (folder / whole).read_bytes()
        (folder / part).write_bytes(data[: len(data) * 2 // 3])
    lines = (folder / "run" / "RAW" / "DataR_CH4@DT5725_1701_run.CSV").read_text(encoding="utf-8").splitlines()
    lines[1000] = "0;4;what;is;this"
    lines[2000] = "0;4;99999999999999999999;70000;0x4000"
    (folder / "flawed.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")
