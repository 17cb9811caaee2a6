"""The summary of `calibrate` for people."""

from typing import Any

import polars as pl

from gammapolars.commands.calibrate.run import CalibrateSummary
from gammapolars.commands.drifts import drift_lines
from gammapolars.commands.layout import table
from gammapolars.commands.summaries import warnings
from gammapolars.core.digits import counted, plus_minus


def text(summary: CalibrateSummary) -> list[str]:
    """The summary for people."""
    lines: list[str] = []
    matches = pl.DataFrame() if summary.lines is None else summary.lines
    for detector in summary.detectors:
        terms = " + ".join(
            f"{coefficient:.6g}{('', ' adc', ' adc²', ' adc³')[power]}"
            for power, coefficient in enumerate(detector["energy"])
        )
        low, high = detector["energy_range"]
        matched = matches.filter(name=detector["name"])
        lines += [
            f"{detector['name']}: E = {terms}".replace("+ -", "− ") + f" keV, ADC channels {low:.5g} to {high:.5g}",
            *table(
                ["line", "keV", "adc", "residual keV", "sigma", "FWHM keV", ""],
                [_line_row(line) for line in matched.iter_rows(named=True)],
            ),
        ]
    return [
        *lines,
        *warnings(summary),
        f"{summary.outputs[0]}: {counted(len(summary.detectors), 'detector')} calibrated",
        *(drift_lines(summary.drift) if summary.drift else []),
    ]


def _line_row(line: dict[str, Any]) -> list[str]:
    return [
        line["nuclide"] or "given",
        f"{line['energy_kev']:.3f}",
        plus_minus(line["adc"], line["adc_unc"]),
        "–" if line["residual_kev"] is None else f"{line['residual_kev']:+.3f}",
        "–" if line["residual_sigma"] is None else f"{line['residual_sigma']:+.1f}",
        f"{line['fwhm_kev']:.3g}",
        "" if line["used"] else f"not used: {line['reason']}",
    ]
