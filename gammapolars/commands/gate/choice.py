"""The gate on a line, as the command line gives it: its unit, whose hits, its width, and doubts about it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from gammapolars.commands.gate.parse import GateOptions
from gammapolars.core.errors import UsageError
from gammapolars.core.quantities import ENERGY
from gammapolars.detectors import Detector, Detectors
from gammapolars.gates import AUTO, Gate
from gammapolars.spectra.line_gates import gate_doubts, line_gate

KEV = ENERGY.unit


class Choice(NamedTuple):
    """The choice of a gate.

    Attributes:
        gate: on the line.
        calibrated: whether it is one of energies; else of adc values.
        detectors: whose hits may lie in it, as far as they are described.
        width_from: where its width is from.
    """

    gate: Gate
    calibrated: bool
    detectors: tuple[Detector, ...]
    width_from: str

    def doubts(self) -> Iterator[str]:
        """Warnings about the gate, one sentence each."""
        if self.calibrated:
            yield from gate_doubts(self.gate, self.detectors)


def chosen(
    options: GateOptions,
    detectors: Detectors,
    *,
    has_energies: bool,
    line: float | None = None,
    backgrounds: Sequence[str] | None = None,
    widest: bool = False,
) -> Choice:
    """The gate on a line.

    Args:
        options: of the command.
        detectors: that are known, with their resolutions.
        has_energies: whether hits have energies.
        line: where the line lies; None: as the command says.
        backgrounds: next to it; with `line`.
        widest: whether one gate is for all detectors, as wide as the widest line.

    Raises:
        UsageError: an energy is asked for, and there are only channels.
    """
    if options.unit == KEV and not has_energies:
        raise UsageError(
            f"no detector is calibrated, but --on {options.on:g} is an energy: give a detectors.toml with "
            "--detectors, or gate on ADC channels with --unit adc"
        )
    if line is None:
        line, backgrounds = options.on, options.background
    keys = {detectors.named(name).key for name in options.of or ()}
    those = tuple(one for one in detectors if not keys or one.key in keys) if options.unit == KEV else ()
    gate = line_gate(line, options.width, backgrounds or (), those)
    if widest:
        gate = Gate(gate.low, gate.high, gate.background)
    by_fwhm = options.width is None and any(one.fwhm for one in those)
    width_from = "given" if options.width is not None else "2 FWHM" if by_fwhm else "no FWHM is known"
    return Choice(gate, options.unit == KEV, those, width_from)


def partner_gate(
    options: GateOptions, detectors: Detectors, *, has_energies: bool, widest: bool = False
) -> Gate | None:
    """The gate on the coincident line, in any detector, if one is named.

    Raises:
        UsageError: an energy is asked for, and there are only channels.
    """
    if options.partner is None:
        return None
    anywhere = replace(options, of=None)
    beside = options.partner_background or [AUTO]
    return chosen(
        anywhere, detectors, has_energies=has_energies, line=options.partner, backgrounds=beside, widest=widest
    ).gate
