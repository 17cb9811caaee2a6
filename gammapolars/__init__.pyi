"""The public names of gammapolars, and where each is at home: the one list, for type checkers and at run time."""

from .activities import (
    Activity as Activity,
    CurrieLimits as CurrieLimits,
    EfficiencyCurve as EfficiencyCurve,
    EfficiencyFit as EfficiencyFit,
    NuclideActivity as NuclideActivity,
    activity as activity,
    activity_at as activity_at,
    activity_of as activity_of,
    currie_limits as currie_limits,
    efficiency_points as efficiency_points,
    fit_efficiency as fit_efficiency,
    line_counts as line_counts,
    minimum_detectable_activity as minimum_detectable_activity,
)
from .analysis.gain_correction import correct_drift as correct_drift, load_drift as load_drift
from .analysis.pair_tasks import PairTasks as PairTasks, tasks as tasks
from .analysis.tasks.task import Task as Task
from .angular import (
    AngularFit as AngularFit,
    angle_deg as angle_deg,
    angular_coefficients as angular_coefficients,
    angular_correlation as angular_correlation,
    angular_counts as angular_counts,
    angular_singles as angular_singles,
    attenuation as attenuation,
    fit_legendre as fit_legendre,
)
from .calibration.drift import DriftTrack as DriftTrack, track_drift as track_drift
from .calibration.energy import calibrate_peaks as calibrate_peaks, fit_energy as fit_energy, match_lines as match_lines
from .calibration.timing import Timing as Timing, measure_timing as measure_timing
from .coincidences import (
    add_back as add_back,
    chance_pairs as chance_pairs,
    event_summary as event_summary,
    events as events,
    nearest as nearest,
    nearest_chance_pairs as nearest_chance_pairs,
    pairs as pairs,
    triples as triples,
    veto as veto,
)
from .commands.coincidences.function import pairs_on as pairs_on
from .commands.report.function import write_report as write_report
from .commands.simulate.function import simulate_run as simulate_run
from .core.errors import (
    CalibrationError as CalibrationError,
    ClusterError as ClusterError,
    DetectorsError as DetectorsError,
    GammapolarsError as GammapolarsError,
    InputError as InputError,
    OutputError as OutputError,
    QueryError as QueryError,
    TableError as TableError,
    TimeOrderError as TimeOrderError,
    UsageError as UsageError,
)
from .core.flags import FLAGS as FLAGS, has_any as has_any
from .core.pulse_shape import psd as psd
from .core.schema import (
    DRIFT as DRIFT,
    EVENTS as EVENTS,
    HITS as HITS,
    LINES as LINES,
    MATRIX as MATRIX,
    PAIRS as PAIRS,
    PEAKS as PEAKS,
    SPECTRUM as SPECTRUM,
    TRIPLES as TRIPLES,
    require as require,
)
from .corrections import (
    align as align,
    calibrate as calibrate,
    energy_kev as energy_kev,
    select_hits as select_hits,
)
from .corrections.drift_table import Drift as Drift
from .detectors import (
    BoardClock as BoardClock,
    CalibrationSource as CalibrationSource,
    Detector as Detector,
    Detectors as Detectors,
    load_detectors as load_detectors,
    named as named,
)
from .figures import plot as plot
from .gamma_lines import cascades as cascades, lines as lines, nearest_lines as nearest_lines, nuclides as nuclides
from .gates import Gate as Gate, PolygonGate as PolygonGate, load_gates as load_gates
from .io import save as save, scan as scan, scan_pairs as scan_pairs
from .io.matrix_files import save_matrix as save_matrix, scan_matrix as scan_matrix
from .identification import peak_kinds as peak_kinds
from .io.progress import progress as progress
from .io.reading import Losses as Losses
from .io.spectra.measurement import Measurement as Measurement, RecordedSpectrum as RecordedSpectrum
from .io.spectrum_files import read_spectrum as read_spectrum, save_spectrum as save_spectrum
from .lifetimes import LifetimeFit as LifetimeFit, fit_lifetime as fit_lifetime, time_spectrum as time_spectrum
from .peaks import figure_of_merit as figure_of_merit, find_peaks as find_peaks, fit_peaks as fit_peaks
from .rates import true_rates as true_rates
from .report.live.notebook import live as live
from .spectra import (
    add_spectra as add_spectra,
    coincidence_peak as coincidence_peak,
    cube_slice as cube_slice,
    divide_by_efficiency as divide_by_efficiency,
    gate as gate,
    matrix as matrix,
    per_second as per_second,
    project as project,
    rebin as rebin,
    spectrum as spectrum,
    subtract as subtract,
    time_slices as time_slices,
)
from .spectra.net_matrix import NetMatrix as NetMatrix
from .streaming.map_slices import map_slices as map_slices
from .streaming.slices import slices as slices

__all__: list[str]
