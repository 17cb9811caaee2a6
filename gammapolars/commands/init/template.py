"""The text of an experiment.toml, and of the detectors.toml next to it: commented, so that it needs no guide."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gammapolars.core import defaults
from gammapolars.core.types import Key
from gammapolars.detectors.values import format_key, format_value


@dataclass(frozen=True)
class Content:
    """What is known of an experiment.

    Attributes:
        file: the name of the file.
        runs: of the measurement, by their names from the folder of the file.
        calibration: runs with sources, likewise.
        sources: in these.
        background: runs without a source, likewise.
        detectors: the path of detectors.toml.
        calibrated: whether that has energies.
        channels: how many are in the hits.
        reading: options for all steps that were given.
        apart: whether each file of the measurement is a run of its own.
        calibration_apart: whether each file of the calibration is.
    """

    file: str
    runs: Sequence[str]
    calibration: Sequence[str]
    sources: Sequence[str]
    background: Sequence[str]
    detectors: str
    calibrated: bool
    channels: int
    reading: dict[str, object] = field(default_factory=dict)
    apart: bool = False
    calibration_apart: bool = False


def experiment_text(content: Content) -> str:
    """The text of an experiment.toml."""
    return "\n".join([_head(content), _common(content), _calibrate(content), *_coincidences(content), REPORT])


def _head(content: Content) -> str:
    background = f"# background = {_list(content.background)}   # no step reads it\n" if content.background else ""
    return f"""\
# One file for a whole analysis. To do it:   gammapolars run {content.file}
# Each table is a step, with the options of the command of that name: 'gammapolars gate --help' explains them
# (--bin-kev becomes bin_kev = 2). Only what changed is done again; --dry-run says what that is.
# Paths start from the folder of this file; outputs lie in the folder 'output'.

runs = {_list(content.runs)}   # the measurement
{background}{format_key("detectors", content.detectors, "names, kinds, geometry: yours to edit, and never replaced")}\
output = "analysis"
"""


def _common(content: Content) -> str:
    given = "".join(format_key(key, value) for key, value in content.reading.items())
    apart = format_key("apart", True, "each file is a run of its own").replace("True", "true") if content.apart else ""
    return f"""\
# Options of all steps that read runs and have them: how hits are read, and how pairs are found.
[common]
{format_key("window", defaults.WINDOW, 'coincidences: |dt| <= this; or "LOW:HIGH", as in "-50ns:300ns"')}\
{apart}{given}\
# random = "auto"                  # subtract random coincidences, counted in windows beside the prompt peak
# reject = "{defaults.REJECT}"   # flags of hits that are left out
# min_energy = 20                  # keV: leave out hits below this energy, after [calibrate]
# keep = "polygons.toml"           # keep only hits inside polygons, after [calibrate]
# add_back = "100ns"               # sum the hits of detectors of one group, such as a clover
# veto = "BGO=200ns"               # leave out hits in coincidence with a detector of this kind
"""


def _calibrate(content: Content) -> str:
    lines = f"""\
[calibrate]
runs = {_list(content.calibration or content.runs)}
source = {_list(content.sources or ["Eu-152"])}
{"apart = true   # each file is a run of its own" + chr(10) if content.calibration_apart else ""}\
# order = 2                        # of the polynomial; chosen if not given
# track = [1332.5]                 # keV: follow these lines, and correct drifting gains
# figures = "calibration"          # a folder of figures
"""
    if content.sources and not content.calibrated:
        return f"# Energies, from the lines of sources.\n{lines}"
    why = (
        "detectors.toml has energy calibrations; to measure them anew:"
        if content.calibrated
        else "No source was recognised in the names of the runs; with one:"
    )
    return f"# Energies. {why}\n{_commented(lines)}"


def _coincidences(content: Content) -> list[str]:
    has_energies = content.calibrated or content.sources
    matrix = MATRIX if has_energies else MATRIX_OF_CHANNELS
    texts = [ALIGN, COINCIDENCES, matrix]
    if content.channels < 2:
        steps = _commented(ALIGN + COINCIDENCES + matrix)
        texts = [f"# There is one detector in the first hits; with several:\n{steps}"]
    return [*texts, GATES]


ALIGN = """\
# Time offsets, from coincidences.
[align]
# search = "10us"                  # how far from zero offsets may lie
# figure = "timing.png"            # time differences before and after
"""

COINCIDENCES = """\
# All pairs of hits of different detectors.
[coincidences]
# start = "0/1"                    # keep only pairs of this detector with stop; dt is then signed
# stop = "0/2"
"""

MATRIX = """\
# Energy against energy.
[matrix]
# bin_kev = 2
# axes = "dt:energy"               # other quantities
"""

MATRIX_OF_CHANNELS = """\
# Pulse height against pulse height: without this line energy against energy, once these are calibrated.
[matrix]
axes = "adc:adc"
"""

GATES = """\
# Spectra in coincidence with a line: one [[gate]] for each.
# [[gate]]
# on = 1332.5                      # keV
# background = "auto"              # next to the line; or "1345:1355"
# peaks = "peaks-1332.csv"         # a table of the peaks in it

# The lifetime of a level, from the times between the gammas above and below it.
# [lifetime]
# start = "0/1"
# stop = "0/2"
# start_gate = "340:350"           # keV
# stop_gate = "775:785"
"""

REPORT = """\
# A query of your own, or of gammapolars ('gammapolars query' lists them); its parameters are keys, too.
# [[query]]
# name = "rates_by_minute"
# minutes = 0.5

# One page that explains the measurement: analysis/report/index.html
[report]
"""

DETECTORS = """\
# The detectors: names as they appear in tables and figures. Further keys, for those that have them:
#   kind = "HPGe"                  group = "clover-1"        for vetoes and add-back
#   threshold_kev = 20             range_kev = [20, 3000]    hits that are used
#   theta_deg = 90                 phi_deg = 0               directions, for angular correlations
# Calibrations are measured: those of 'gammapolars run' lie in the folder of its outputs. This file stays as it is.
"""


def detectors_text(channels: dict[Key, str]) -> str:
    """The text of a detectors.toml without calibrations."""
    names, tables = set[str](), []
    for (board, channel), known in channels.items():
        name = known if known and known not in names else f"{board}/{channel}"
        names.add(name)
        tables.append(f"\n[[detector]]\nname = {format_value(name)}\nboard = {board}\nchannel = {channel}\n")
    return DETECTORS + "".join(tables)


def _commented(text: str) -> str:
    return "".join(f"{'' if line.startswith('#') else '# '}{line}" for line in text.splitlines(keepends=True))


def _list(values: Sequence[str]) -> str:
    return format_value(list(values))
