"""What `gammapolars lines` is asked."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gammapolars.commands.app import AsJson, app

if TYPE_CHECKING:
    pass


@app.command()
def lines(
    nuclide: Annotated[
        str | None, typer.Argument(metavar="NUCLIDE|KEV", help="Eu-152, Ra-226 for its chain, or an energy in keV.")
    ] = None,
    within: Annotated[float, typer.Option("--within", help="Around an energy: how far lines may lie, in keV.")] = 3.0,
    cascades: Annotated[
        bool, typer.Option("--cascades", help="Pairs of photons from one decay, with gammapolars[nuclear].")
    ] = False,
    least: Annotated[
        float | None, typer.Option("--least", help="Photons, or pairs, per 100 decays; of pairs 0.1 if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show gamma lines of a nuclide or near an energy, with uncertainties; without a name, which nuclides there are."""
    from gammapolars import gamma_lines
    from gammapolars.commands.lines import text
    from gammapolars.commands.summaries import print_summary
    from gammapolars.gamma_lines import ensdf

    energy = _energy(nuclide)
    summary: dict[str, Any]
    if cascades:
        if nuclide is None or energy is not None:
            raise typer.BadParameter("cascades are those of a nuclide: gammapolars lines Co-60 --cascades")
        least = ensdf.NOTABLE if least is None else least
        name, found = ensdf.canonical(nuclide), ensdf.cascades(nuclide, least_coincidences=least)
        summary = {"nuclide": name, "cascades": found.to_dicts()}
        shown = text.cascades_text(name, found, least)
    elif nuclide is None:
        summary = {"nuclides": gamma_lines.nuclides()}
        shown = text.names_text(gamma_lines.nuclides())
    elif energy is not None:
        found = gamma_lines.nearest_lines(energy, within_kev=within, least_intensity=least or 0.0)
        summary = {"energy_kev": energy, "within_kev": within, "lines": found.to_dicts()}
        shown = text.near_text(energy, within, found)
    else:
        name, found = gamma_lines.canonical(nuclide), gamma_lines.lines(nuclide, least_intensity=least or 0.0)
        summary = {"nuclide": name, "lines": found.to_dicts()}
        shown = text.nuclide_text(name, found)
    print_summary(summary, lambda _: shown, as_json=as_json)


def _energy(text: str | None) -> float | None:
    """The number of keV that an argument is, if it is one."""
    try:
        return float(text or "")
    except ValueError:
        return None
