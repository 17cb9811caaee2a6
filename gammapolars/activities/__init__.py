"""From peak areas to activities: decay, efficiency, the uncertainty budget, and what cannot be seen any more."""

from gammapolars.activities.activity import Activity, activity
from gammapolars.activities.curve import EfficiencyCurve
from gammapolars.activities.decay import Measurement, activity_at
from gammapolars.activities.fit import EfficiencyFit, fit_efficiency
from gammapolars.activities.limits import (
    CurrieLimits,
    LineCounts,
    currie_limits,
    line_counts,
    minimum_detectable_activity,
    upper_limit,
)
from gammapolars.activities.mean import NuclideActivity, activity_of
from gammapolars.activities.points import LINE_COLUMNS, PEAK_COLUMNS, efficiency_points, unmatched_lines

__all__ = [
    "LINE_COLUMNS",
    "PEAK_COLUMNS",
    "Activity",
    "CurrieLimits",
    "EfficiencyCurve",
    "EfficiencyFit",
    "LineCounts",
    "Measurement",
    "NuclideActivity",
    "activity",
    "activity_at",
    "activity_of",
    "currie_limits",
    "efficiency_points",
    "fit_efficiency",
    "line_counts",
    "minimum_detectable_activity",
    "unmatched_lines",
    "upper_limit",
]
