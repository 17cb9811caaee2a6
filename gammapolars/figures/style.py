"""How a figure looks, as far as a user chooses it."""

from dataclasses import dataclass
from typing import Literal

from gammapolars.core.errors import UsageError

Theme = Literal["screen", "print", "slide"]
THEMES: tuple[Theme, ...] = ("screen", "print", "slide")

CM_PER_INCH = 2.54

WIDTHS: dict[Theme, float] = {"screen": 9.0, "print": 8.6 / CM_PER_INCH, "slide": 10.0}
"""Inches: of a page or window, of a column of a journal, of a slide of 16:9."""

SLIDE_HEIGHT = 10.0 * 9 / 16
PRINT_HEIGHT = 0.58
"""Part of the height on a screen: narrower figures are higher in proportion, as fewer letters fit in a line."""

PANELS = 0.7
"""Part of the height of a figure; the rest is for titles and axes."""

FONT_SIZES: dict[Theme, float] = {"screen": 10.0, "print": 8.0, "slide": 14.0}
DPI: dict[Theme, int] = {"screen": 140, "print": 300, "slide": 160}

LEAST_CM, MOST_CM = 2.0, 120.0
LEAST_FONT, MOST_FONT = 3.0, 72.0
LEAST_DPI, MOST_DPI = 20, 2400
MOST_PIXELS = 30_000
"""A side of an image; more than twice as many are too many to draw."""


@dataclass(frozen=True, kw_only=True)
class FigureStyle:
    """Content, size and look of a figure; None leaves a choice to the figure.

    Attributes:
        title: replaces the figure's own title; an empty one removes it.
        range_x: limits of the x-axis, in its unit; bins are chosen to suit this range.
        range_y: limits of the y-axis; curves are clipped at the frame.
        log_x: whether the x-axis is logarithmic.
        log_y: whether the y-axis is logarithmic.
        bin: bin width in the unit of the x-axis, a multiple of that of the table; None: no more bins than can be seen.
        size_cm: width and height (cm).
        dpi: dots per inch of a PNG, and of bitmaps in other formats.
        font_size: of the numbers at the axes, in points; all other text and lines scale with it.
        labels: whether peaks, lines and spots have labels.
        theme: `screen`, `print` (a column of 8.6 cm) or `slide` (16:9).
    """

    title: str | None = None
    range_x: tuple[float, float] | None = None
    range_y: tuple[float, float] | None = None
    log_x: bool | None = None
    log_y: bool | None = None
    bin: float | None = None
    size_cm: tuple[float, float] | None = None
    dpi: int | None = None
    font_size: float | None = None
    labels: bool = True
    theme: Theme = "screen"

    def __post_init__(self) -> None:
        """Check the choices.

        Raises:
            UsageError: a range without a width, or a size, a resolution or a font that no figure can have.
        """
        if self.theme not in THEMES:
            raise UsageError(f"unknown theme '{self.theme}': choose one of {', '.join(THEMES)}")
        for name, range_ in (("x", self.range_x), ("y", self.range_y)):
            if range_ is not None and not -float("inf") < range_[0] < range_[1] < float("inf"):
                raise UsageError(f"the range of {name} must increase, not run from {range_[0]:g} to {range_[1]:g}")
        if self.bin is not None and not 0 < self.bin < float("inf"):
            raise UsageError(f"a bin must be wider than 0, not {self.bin:g}")
        if self.size_cm is not None and not all(LEAST_CM <= side <= MOST_CM for side in self.size_cm):
            raise UsageError(f"a figure is {LEAST_CM:g} to {MOST_CM:g} cm wide and high, not {self.size_cm}")
        if self.font_size is not None and not LEAST_FONT <= self.font_size <= MOST_FONT:
            raise UsageError(
                f"a font of {self.font_size:g} points is not readable: choose {LEAST_FONT:g} to {MOST_FONT:g}"
            )
        if self.dpi is not None and not LEAST_DPI <= self.dpi <= MOST_DPI:
            raise UsageError(f"{self.dpi} dots per inch: choose {LEAST_DPI} to {MOST_DPI}")
        if self.size_cm is not None and max(self.size_cm) / CM_PER_INCH * self.resolution > MOST_PIXELS:
            raise UsageError(f"more than {MOST_PIXELS} pixels per side: choose fewer dots per inch or a smaller size")

    @property
    def width(self) -> float:
        """Inches."""
        return self.size_cm[0] / CM_PER_INCH if self.size_cm else WIDTHS[self.theme]

    def height(self, on_screen: float) -> float:
        """Inches, of a figure that is `on_screen` inches high in a window; a slide is as high as it is."""
        if self.size_cm:
            return self.size_cm[1] / CM_PER_INCH
        if self.theme == "slide":
            return SLIDE_HEIGHT
        return on_screen if self.theme == "screen" else on_screen * PRINT_HEIGHT

    def panel(self, on_screen: float, facets: int, columns: int) -> float:
        """How high a facet is, in inches of a window in which letters have their usual size."""
        return PANELS * self.height(on_screen) / self.scale / -(-facets // columns)

    @property
    def points(self) -> float:
        """Size of the font, in points."""
        return self.font_size or FONT_SIZES[self.theme]

    @property
    def scale(self) -> float:
        """How much larger lines, symbols and text are than on a screen."""
        return self.points / FONT_SIZES["screen"]

    @property
    def resolution(self) -> int:
        """Dots per inch."""
        return self.dpi or DPI[self.theme]

    @property
    def letters(self) -> int:
        """How many letters of usual text have room side by side."""
        return max(20, int(self.width * 72 / (0.53 * self.points)))


SCREEN = FigureStyle()
"""As figures are unless something else is asked for."""
