"""What a fit of a lifetime finds."""

import math
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import polars as pl


@dataclass(frozen=True)
class Component:
    """One exponential decay.

    Attributes:
        lifetime_ps: the mean lifetime τ.
        lifetime_ps_unc: its uncertainty, one standard deviation.
        lifetime_ps_low: how far down the likelihood falls by ½, below `lifetime_ps`; the same `_high` above.
        counts: decays, those beyond the window included.
        counts_unc: one standard deviation.
    """

    lifetime_ps: float
    lifetime_ps_unc: float
    lifetime_ps_low: float
    lifetime_ps_high: float
    counts: float
    counts_unc: float

    @property
    def half_life_ps(self) -> float:
        """The half-life, τ ln 2."""
        return self.lifetime_ps * math.log(2)

    @property
    def half_life_ps_unc(self) -> float:
        """Its uncertainty."""
        return self.lifetime_ps_unc * math.log(2)


@dataclass(frozen=True)
class LifetimeFit:
    """A prompt peak, decays and chance, fitted to a time spectrum.

    Attributes:
        components: the decays, the longest lifetime first; none where none is resolved from the prompt peak.
        upper_limit_ps: where no decay is resolved: no lifetime above this agrees with the spectrum (95 %); None also
            where none can be excluded.
        direction: whether decays come after the start (`stop after start`) or before it.
        t0_ps: where the prompt peak stands, and decays begin.
        t0_ps_unc: its uncertainty.
        fwhm_ps: full width at half maximum of the prompt peak.
        fwhm_ps_unc: its uncertainty; 0 where the width was given.
        prompt: counts of the prompt peak; 0 where none is needed.
        prompt_unc: one standard deviation; where there is a limit, that above `prompt`.
        prompt_limit: upper limit of 95 %, where no prompt peak is needed or none lies within one standard deviation.
        chance_per_ns: counts per ns by chance, of all pairs.
        chance_per_ns_unc: one standard deviation; where there is a limit, that above `chance_per_ns`.
        chance_per_ns_limit: upper limit of 95 %, where no chance at all lies within one standard deviation.
        chi2: of the likelihood (Baker and Cousins), of bins joined to hold some counts each.
        ndf: degrees of freedom.
        curves: `dt_ps` (bin's first ps), `width_ps`, `counts`, and the expected `fit`, `prompt`, `decay_1`, …,
            `chance`.
        warnings: what must be known of it, one sentence each.
    """

    components: tuple[Component, ...]
    upper_limit_ps: float | None
    direction: Literal["stop after start", "start after stop"]
    t0_ps: float
    t0_ps_unc: float
    fwhm_ps: float
    fwhm_ps_unc: float
    prompt: float
    prompt_unc: float
    prompt_limit: float | None
    chance_per_ns: float
    chance_per_ns_unc: float
    chance_per_ns_limit: float | None
    chi2: float
    ndf: int
    curves: pl.DataFrame = field(repr=False)
    warnings: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """All but the curves, as JSON takes it."""
        of_decays = (
            "lifetime_ps", "lifetime_ps_unc", "lifetime_ps_low", "lifetime_ps_high", "half_life_ps",
            "half_life_ps_unc", "counts", "counts_unc",
        )  # fmt: skip
        names = (one.name for one in fields(self) if one.name not in ("components", "curves", "warnings"))
        rows = [{name: getattr(decay, name) for name in of_decays} for decay in self.components]
        return {"components": rows} | {name: getattr(self, name) for name in names}
