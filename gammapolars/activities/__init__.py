"""From peak areas to activities: decay, efficiency, the uncertainty budget, and limits of detection."""

from gammapolars.activities.activity import Activity as Activity
from gammapolars.activities.activity import activity as activity
from gammapolars.activities.curve import EfficiencyCurve as EfficiencyCurve
from gammapolars.activities.decay import Measurement as Measurement
from gammapolars.activities.decay import activity_at as activity_at
from gammapolars.activities.fit import EfficiencyFit as EfficiencyFit
from gammapolars.activities.fit import fit_efficiency as fit_efficiency
from gammapolars.activities.limits import CurrieLimits as CurrieLimits
from gammapolars.activities.limits import currie_limits as currie_limits
from gammapolars.activities.limits import minimum_detectable_activity as minimum_detectable_activity
from gammapolars.activities.limits import upper_limit as upper_limit
from gammapolars.activities.line_counts import LineCounts as LineCounts
from gammapolars.activities.line_counts import line_counts as line_counts
from gammapolars.activities.mean import NuclideActivity as NuclideActivity
from gammapolars.activities.mean import activity_of as activity_of
from gammapolars.activities.points import LINE_COLUMNS as LINE_COLUMNS
from gammapolars.activities.points import PEAK_COLUMNS as PEAK_COLUMNS
from gammapolars.activities.points import efficiency_points as efficiency_points
from gammapolars.activities.points import unmatched_lines as unmatched_lines
