"""The text that the command `peaks` prints."""

from typing import Any

from gammapolars.commands.layout import table
from gammapolars.commands.peaks.run import PeaksSummary
from gammapolars.commands.summaries import tail
from gammapolars.core.digits import plus_minus
from gammapolars.identification import kind_text

LEGEND = (
    "sigma: local significance; p: probability that the background alone gives such a peak anywhere in the spectrum"
)


def text(summary: PeaksSummary) -> list[str]:
    """The summary of `peaks` for people."""
    peaks = [] if summary.peaks is None else summary.peaks.to_dicts()
    in_kev = any(peak.get("centroid_kev") is not None for peak in peaks)
    unit, name = ("kev", "keV") if in_kev else ("adc", "adc")
    several = summary.spectra.height > 1
    rows = [
        [
            *([_spectrum_name(peak, summary)] if several else []),
            plus_minus(peak[f"centroid_{unit}"], peak[f"centroid_{unit}_unc"]),
            plus_minus(peak[f"fwhm_{unit}"], peak[f"fwhm_{unit}_unc"]),
            _area(peak),
            f"{peak['significance']:,.1f}",
            _probability(peak["p_value"]),
            f"{peak['chi2_ndf']:.2f}",
            "" if peak["status"] == "ok" else peak["status"],
            *([kind_text(peak)] if in_kev else []),
        ]
        for peak in peaks
        if peak.get(f"centroid_{unit}") is not None
    ]
    head = [
        *(["detector"] if several else []),
        name,
        f"FWHM {name}",
        "area",
        "sigma",
        "p",
        "χ²/ndf",
        "",
        *(["kind"] if in_kev else []),
    ]
    return [
        *table(head, rows),
        f"{len(peaks)} peaks above {summary.least_significance:g} sigma in {summary.spectra.height} spectra",
        *([LEGEND] if rows else []),
        *tail(summary),
    ]


def _area(peak: dict[str, Any]) -> str:
    """An area with its uncertainty, or with both where they differ."""
    low, high = peak["area_unc_low"], peak["area_unc_high"]
    return plus_minus(peak["area"], peak["area_unc"]) if low == high else f"{peak['area']:.1f} +{high:.1f} -{low:.1f}"


def _probability(value: float) -> str:
    return "<1e-9" if value < 1e-9 else f"{value:.1g}"


def _spectrum_name(peak: dict[str, Any], summary: PeaksSummary) -> str:
    key = {name: peak[name] for name in ("run", "board", "channel") if name in peak}
    name: str = summary.spectra.filter(**key)["name"][0]
    return f"{name} run {peak['run']}" if "run" in peak else name
