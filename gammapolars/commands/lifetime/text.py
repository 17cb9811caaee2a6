"""What `lifetime` tells people."""

from typing import Any

from gammapolars.commands.layout import plus_minus, table
from gammapolars.commands.lifetime.run import LifetimeSummary
from gammapolars.commands.summaries import head, tail
from gammapolars.core.units import PS_PER_UNIT, format_ps


def text(summary: LifetimeSummary) -> list[str]:
    """The summary for people."""
    lines = [
        *head(summary),
        f"{summary.pairs:,} pairs of {summary.start} and {summary.stop} within "
        f"{summary.window_ps}{', the nearest stop of each start' if summary.nearest else ''}, "
        f"{summary.pairs_in_gates:,} in the gates, "
        f"in bins of {format_ps(summary.bin_ps)}",
        *(_component_text(part, summary.direction) for part in summary.components),
    ]
    if summary.upper_limit_ps is not None:
        lines.append(f"no lifetime is resolved: less than {_in_unit(summary.upper_limit_ps)} (95 %)")
    width = {"the fit": "fitted", "detectors.toml": "fixed by detectors.toml", "given": "fixed as given"}
    lines += [
        f"prompt peak at {plus_minus(summary.t0_ps, summary.t0_ps_unc)} ps, FWHM "
        f"{plus_minus(summary.fwhm_ps, summary.fwhm_ps_unc)} ps, {width[summary.sigma_from]}: "
        f"{_amplitude_text(summary, 'prompt', 'pairs')}; χ²/ndf {summary.chi2:,.1f}/{summary.ndf}",
        f"chance {_amplitude_text(summary, 'chance_per_ns', 'pairs a ns')}, "
        f"{plus_minus(summary.chance_per_ns_expected, summary.chance_per_ns_expected_unc)} expected of the rates "
        "in the gates",
        *table(["detector", "in gate", "counts/s in gate", "counts/s of all", "without dead time"], _ends(summary)),
    ]
    return [*lines, *tail(summary)]


def _amplitude_text(summary: LifetimeSummary, name: str, unit: str) -> str:
    """Counts with their uncertainty, or their upper limit."""
    counts, unc, limit = (getattr(summary, f"{name}{part}") for part in ("", "_unc", "_limit"))
    if limit is None:
        return f"{plus_minus(counts, unc)} {unit}"
    return f"less than {limit:,.3g} {unit} (95 %)"


def _ends(summary: LifetimeSummary) -> list[list[str]]:
    return [
        [
            row["name"],
            f"{row['hits_in_gate']:,}",
            "–" if row["rate_in_gate_cps"] is None else f"{row['rate_in_gate_cps']:,.5g}",
            *(
                "–" if row[name] is None else plus_minus(row[name], row[f"{name}_unc"])
                for name in ("rate_cps", "true_rate_cps")
            ),
        ]
        for row in summary.ends
    ]


def _component_text(part: dict[str, Any], direction: str) -> str:
    unit, factor = _unit(part["lifetime_ps"])
    tau, half = (
        plus_minus(part[f"{name}_ps"] / factor, part[f"{name}_ps_unc"] / factor) for name in ("lifetime", "half_life")
    )
    counts = plus_minus(part["counts"], part["counts_unc"])
    return f"lifetime {tau} {unit}, half-life {half} {unit}, of {counts} decays ({direction})"


def _unit(picoseconds: float) -> tuple[str, float]:
    name = next((name for name in ("s", "ms", "us", "ns") if picoseconds >= PS_PER_UNIT[name]), "ps")
    return name, PS_PER_UNIT[name]


def _in_unit(picoseconds: float) -> str:
    unit, factor = _unit(picoseconds)
    return f"{picoseconds / factor:.3g} {unit}"
