"""Distributions of the pulse shape, one facet per detector."""

import plotnine as p9
from plotnine.composition import Compose

from gammapolars.figures.spectrum import Words, energy_histograms
from gammapolars.figures.style import SCREEN, FigureStyle
from gammapolars.figures.tables import Frame, collected


def pulse_shapes(
    frame: Frame, *, overlay: str | None = None, note: str | None = None, style: FigureStyle = SCREEN
) -> p9.ggplot | Compose:
    """Counts over the pulse shape on a logarithmic scale, one facet per detector.

    Args:
        frame: `psd` (bin centres), `counts`, optionally `variance`; for several detectors `board`, `channel`, `name`.
        overlay: column that distinguishes the inputs, which are drawn over each other; `name` overlays detectors.
        note: text for the subtitle.
        style: style of the figure.
    """
    words = Words(title="Pulse shapes", counts="counts", nothing="no data: no hit has a pulse shape", note=note)
    return energy_histograms(collected(frame), words, style, {}, None, overlay, None, log=True)
