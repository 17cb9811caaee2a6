"""Files of spectra as other programs write them: made byte by byte, or by SpecUtils."""

import struct
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from gammapolars.io.spectra import cnf

STARTED = datetime(2024, 2, 29, 23, 59, 58)
COUNTS = np.random.default_rng(1).poisson(40, 1024).astype(np.float64)
TERMS = [0.5, 0.25, 1e-7]


def measured(
    detector: str = "HPGe-3", counts: Any = COUNTS, title: str = "Eu152 at 7 cm", calibration: Any = None
) -> Any:
    """A spectrum as SpecUtils has it."""
    module = import_module("SpecUtils")
    one = module.Measurement.new()
    one.setGammaCounts(list(counts), 98.5, 100.25)
    one.setStartTime(STARTED)
    one.setTitle(title)
    one.setDetectorName(detector)
    one.setEnergyCalibration(calibration or module.EnergyCalibration.fromPolynomial(len(counts), TERMS))
    return one


def written(path: Path, kind: str, *spectra: Any) -> Path:
    """A file that SpecUtils writes."""
    module = import_module("SpecUtils")
    file = module.SpecFile()
    for number, one in enumerate(spectra or (measured(),), 1):
        one.setSampleNumber(number)
        file.addMeasurement(one, False)
    file.cleanupAfterLoad(True, False, False)
    file.writeToFile(str(path), file.sampleNumbers(), file.detectorNames(), getattr(module.SaveSpectrumAsType, kind))
    return path


def pdp11(value: float) -> bytes:
    (low, high) = struct.unpack("<HH", struct.pack("<f", 4 * value))
    return struct.pack("<HH", high, low)


def cnf_of(
    counts: list[int], *, live: float = 98.5, real: float = 100.25, terms: tuple[float, ...] = (0.5, 0.25)
) -> bytes:
    """A CNF file: heads at 112, the sample at 2048, acquisition at 4096, counts at 8192."""
    data = bytearray(8192 + 512 + 4 * len(counts))
    blocks = {cnf.ACQUISITION: 4096, cnf.SAMPLE: 2048, cnf.COUNTS: 8192}
    for place, (kind, begin) in enumerate(blocks.items()):
        for head in (112 + 48 * place, begin):
            struct.pack_into("<I6xI", data, head, kind, begin)
    struct.pack_into("<HH", data, 4096 + 34, 746, 507)
    data[4096 + 176 : 4096 + 179] = b"PHA"
    struct.pack_into("<H", data, 4096 + 186, len(counts) // 256)
    for place, term in enumerate(terms):
        struct.pack_into("4s", data, 4096 + 116 + 746 + 4 * place, pdp11(term))
    since = int((STARTED - datetime(1858, 11, 17)).total_seconds()) * 10**7
    steps = (since, *((2**64 - round(time * 10**7)) % 2**64 for time in (real, live)))
    struct.pack_into("<3Q", data, 4096 + 48 + 507 + 1, *steps)
    data[2048 + 48 : 2048 + 52] = b"Cs\xb5g"
    struct.pack_into(f"<{len(counts)}I", data, 8192 + 512, *counts)
    return bytes(data)


IEC_HEAD = [
    "NUCICA   HPGE   0   0     0                                     ",
    "     3564.00     3600.00    12                                  ",
    "09/12/21 10:54:31 08/25/21 11:34:36                             ",
    "-1.55656000E-02 8.00000000E-01-2.97939000E-08 0.00000000E+00    ",
    " 1.00000000E-01 2.00000000E-02 3.00000000E-03 4.00000000E-04    ",
    "                                                      Dummy data",
    "                                                     Test case 1",
    *[" 0.000000000E+00" * 4] * 51,
]

IEC_COUNTS = [
    "     0     40680     41390     41100     40900     41720",
    "     5     41790     41920     42330     42370     42110",
    "    10     42620     43020",
]


def iec_of(head: list[str] = IEC_HEAD, counts: list[str] = IEC_COUNTS) -> bytes:
    return "".join(f"A004{line}\r\n" for line in [*head, *counts]).encode()


AMPTEK = """<<PMCA SPECTRUM>>
TAG - live_data
DESCRIPTION - Am-241 foil
GAIN - 2
THRESHOLD - 50
LIVE_MODE - 0
PRESET_TIME - 4000
LIVE_TIME - 3983.720000
REAL_TIME - 4000.000000
START_TIME - 10/20/1998 12:17:17
SERIAL_NUMBER - 1199
<<CALIBRATION>>
LABEL - Energy (eV)
1 0.0
322 13950.0
<<ROI>>
312 330
<<DATA>>
0
5
20000001
7
<<END>>
<<DPP CONFIGURATION>>
RESC=Y; Reset Configuration
<<DPP CONFIGURATION END>>
"""
