"""The live matrix of a page: gates by dragging, typing and keys, in one file that needs nothing else.

`packing.py` writes the filled bins of a matrix into the page, `section.py` the part shown; the script unpacks them and
computes gates as `spectra.project` does, to the last bit. `policy.py` says what a page may run.
"""

from gammapolars.report.live.bins import matrix_bin_kev as matrix_bin_kev
from gammapolars.report.live.packing import live_cells as live_cells
from gammapolars.report.live.packing import pack as pack
from gammapolars.report.live.policy import policy as policy
from gammapolars.report.live.section import Known as Known
from gammapolars.report.live.section import LiveSection as LiveSection
from gammapolars.report.live.section import section_of as section_of
