"""The summary of `lifetime` for people."""

from gammapolars.commands.layout import table
from gammapolars.commands.lifetime.run import LifetimeSummary, SavedPairsLifetimeSummary
from gammapolars.commands.summaries import head, saved_head, tail
from gammapolars.core.digits import plus_minus
from gammapolars.core.units import PS_PER_UNIT, format_ps
from gammapolars.lifetimes import Component, LifetimeFit


def text(summary: LifetimeSummary | SavedPairsLifetimeSummary) -> list[str]:
    """The summary for people."""
    fit, expected, ends = summary.fit, "", list[str]()
    if isinstance(summary, LifetimeSummary):
        chance = plus_minus(summary.chance_per_ns_expected, summary.chance_per_ns_expected_unc)
        expected = f", {chance} expected from the rates in the gates"
        ends = table(
            ["detector", "in gate", "counts/s in gate", "counts/s total", "dead-time corrected"], _ends(summary)
        )
    lines = [
        *(head(summary) if isinstance(summary, LifetimeSummary) else saved_head(summary)),
        f"{summary.pairs:,} pairs of {summary.start} and {summary.stop} within "
        f"{summary.window_ps}{', only the nearest stop for each start' if summary.nearest else ''}, "
        f"{summary.pairs_in_gates:,} in the gates, in bins of {format_ps(summary.bin_ps)}",
        *(_component_text(part, fit.direction) for part in fit.components),
    ]
    if fit.upper_limit_ps is not None:
        lines.append(f"no lifetime was resolved: less than {_in_unit(fit.upper_limit_ps)} (95 %)")
    width = {"the fit": "fitted", "detectors.toml": "from detectors.toml", "given": "as given"}
    lines += [
        f"prompt peak at {plus_minus(fit.t0_ps, fit.t0_ps_unc)} ps, FWHM "
        f"{plus_minus(fit.fwhm_ps, fit.fwhm_ps_unc)} ps, {width[summary.sigma_from]}: "
        f"{_amplitude_text(fit, 'prompt', 'pairs')}; χ²/ndf {fit.chi2:,.1f}/{fit.ndf}",
        f"random {_amplitude_text(fit, 'chance_per_ns', 'pairs per ns')}{expected}",
        *ends,
    ]
    return [*lines, *tail(summary)]


def _amplitude_text(fit: LifetimeFit, name: str, unit: str) -> str:
    """Counts with their uncertainty, or their upper limit."""
    counts, unc, limit = (getattr(fit, f"{name}{part}") for part in ("", "_unc", "_limit"))
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


def _component_text(part: Component, direction: str) -> str:
    unit, factor = _unit(part.lifetime_ps)
    tau = plus_minus(part.lifetime_ps / factor, part.lifetime_ps_unc / factor)
    half = plus_minus(part.half_life_ps / factor, part.half_life_ps_unc / factor)
    counts = plus_minus(part.counts, part.counts_unc)
    return f"lifetime {tau} {unit}, half-life {half} {unit}, from {counts} decays ({direction})"


def _unit(picoseconds: float) -> tuple[str, float]:
    name = next((name for name in ("s", "ms", "us", "ns") if picoseconds >= PS_PER_UNIT[name]), "ps")
    return name, PS_PER_UNIT[name]


def _in_unit(picoseconds: float) -> str:
    unit, factor = _unit(picoseconds)
    return f"{picoseconds / factor:.3g} {unit}"
