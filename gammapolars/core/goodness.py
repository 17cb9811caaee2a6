"""How well a fit describes its points, in words."""


def goodness(chi2: float | None, ndf: int) -> str:
    """χ² and degrees of freedom; where there is none, the residuals are 0 by construction, and nothing is tested."""
    if ndf < 1 or chi2 is None:
        return "no degrees of freedom: nothing tests the fit"
    return f"χ²/ndf = {chi2:.1f}/{ndf}"
