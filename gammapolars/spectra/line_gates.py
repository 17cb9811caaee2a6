"""Gates on lines as wide as the detectors' resolution, and the doubts about gates that are not."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from gammapolars.core.types import Key
from gammapolars.corrections.energy import by_detector
from gammapolars.detectors import Detector, Detectors
from gammapolars.gates import DEFAULT_KEV, WIDTH_FWHM, Background, Gate


@dataclass(frozen=True)
class DetectorGates(Gate):
    """Gates on one line, as wide as the resolution of each detector asks for; the ends are those of the widest.

    Attributes:
        by_key: the gate of each detector whose FWHM is known.
        rest: the gate of all others.
    """

    HIDDEN = ("by_key", "rest")

    by_key: Mapping[Key, Gate] = field(default_factory=dict, hash=False)
    rest: Gate = field(default_factory=lambda: Gate(0.0, 1.0))

    def weight(self, energy: str | pl.Expr) -> pl.Expr:
        """The weight of a hit by the gate of its own detector; the column is `energy_kev` with the side's suffix."""
        assert isinstance(energy, str), "the detector is chosen by the suffix of the column"
        suffix, value = energy.removeprefix("energy_kev"), pl.col(energy)
        known = [Detector(*key) for key in self.by_key]

        def end(of: Callable[[Gate], float]) -> pl.Expr:
            own = by_detector(Detectors(tuple(known)), lambda one: of(self.by_key[one.key]), pl.Float64, suffix)
            return own.fill_null(of(self.rest))

        def between(low: Callable[[Gate], float], high: Callable[[Gate], float]) -> pl.Expr:
            return value.is_between(end(low), end(high))

        in_background = pl.any_horizontal(
            pl.lit(value=False),
            *(
                between(lambda gate, n=n: gate.background[n][0], lambda gate, n=n: gate.background[n][1])  # type: ignore[misc]
                for n in range(len(self.background))
            ),
        ).fill_null(value=False)
        outside = pl.when(in_background).then(-end(lambda gate: gate.scale)).otherwise(0.0)
        return pl.when(between(lambda gate: gate.low, lambda gate: gate.high)).then(1.0).otherwise(outside)


def fwhm_kev(detector: Detector, energy_kev: float) -> float | None:
    """A detector's FWHM at an energy: FWHM² = a + b E + c E²; None where it is not known, or not above 0 there."""
    square = sum(one * energy_kev**power for power, one in enumerate(detector.fwhm or ()))
    return math.sqrt(square) if square > 0 and math.isfinite(square) else None


def line_gate(line_kev: float, width: float | None, backgrounds: Background, detectors: Sequence[Detector]) -> Gate:
    """A gate on a line: as wide as asked for, else 2 FWHM of each detector, else 6 keV.

    Args:
        line_kev: where the line lies.
        width: of the gate, from one end to the other; None: by the resolution.
        backgrounds: stretches next to the line, as for `Gate.around`.
        detectors: whose hits are gated.

    Raises:
        UsageError: impossible stretches.
    """

    def own(fwhm: float | None) -> Gate:
        wide = width if width is not None else DEFAULT_KEV if fwhm is None else WIDTH_FWHM * fwhm
        clear = wide / WIDTH_FWHM if fwhm is None else fwhm
        return Gate.around(line_kev, fwhm=clear, width=wide, background=backgrounds)

    by_key = {one.key: own(fwhm) for one in detectors if (fwhm := fwhm_kev(one, line_kev)) is not None}
    rest = own(None)
    widest = max(by_key.values(), key=lambda gate: gate.width, default=rest)
    if all(gate == rest for gate in by_key.values()):
        return rest
    return DetectorGates(widest.low, widest.high, widest.background, by_key, rest)


def gate_doubts(gate: Gate, detectors: Sequence[Detector]) -> Iterator[str]:
    """The detectors of which a gate holds only part of the line, in a sentence."""
    middle = (gate.low + gate.high) / 2
    widths = {one.name: fwhm for one in detectors if (fwhm := fwhm_kev(one, middle)) is not None}
    own = gate.by_key if isinstance(gate, DetectorGates) else {}
    narrow = [one.name for one in detectors if own.get(one.key, gate).width < widths.get(one.name, 0.0) * (1 - 1e-9)]
    if narrow:
        widest = max(narrow, key=widths.__getitem__)
        yield (
            f"the gate from {gate.low:,.6g} to {gate.high:,.6g} keV is narrower than a line in "
            f"{', '.join(narrow)} (FWHM {widths[widest]:.3g} keV in {widest}): it contains only part of the "
            "line"
        )


def width_of(gate: Gate) -> str:
    """How wide a gate is, in words: of several detectors, from the narrowest to the widest."""
    least = min(one.width for one in gate.by_key.values()) if isinstance(gate, DetectorGates) else gate.width
    low, high = f"{least:.3g}", f"{gate.width:.3g}"
    return high if low == high else f"{low} to {high}"
