"""What the command `report` does, as a function."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gammapolars.coincidences.rule import AnyWindow
from gammapolars.commands.command import performed
from gammapolars.commands.options import with_losses
from gammapolars.commands.report.parse import ReportOptions
from gammapolars.core import defaults
from gammapolars.detectors import AnyDetectors
from gammapolars.io import AnyNames, Losses, names_of
from gammapolars.streaming.time_order import REORDER_PS


def write_report(
    runs: AnyNames,
    folder: str | Path,
    *,
    detectors: AnyDetectors | None = None,
    window: AnyWindow = defaults.WINDOW,
    random: str | Sequence[AnyWindow] = (),
    reject: str | int = defaults.REJECT,
    min_energy_kev: float | None = None,
    keep: str | Path | None = None,
    live: bool = True,
    many_pairs: bool = False,
    tree: str | None = None,
    stage: str | None = None,
    bin_layout: str | None = None,
    bits: str | None = None,
    reorder_ps: int = REORDER_PS,
    apart: bool = False,
    drop_duplicates: bool = False,
    losses: Losses | None = None,
    overwrite: bool = False,
) -> Path:
    """Explain a run on one HTML page: what the command `report` does.

        gp.write_report("run.root", "report", detectors="detectors.toml")

    Args:
        runs: files, patterns or folders, as for `scan`; or files of saved pairs.
        folder: for the page, `index.html`, and its tables.
        detectors: or the path of detectors.toml; None: hits stay as they are.
        window: the coincidence window, as for `pairs`.
        random: windows of random coincidences, which are subtracted, as for `pairs`.
        reject: flags that reject a hit: names, a mask, or `none`.
        min_energy_kev: a threshold (keV) for all detectors besides those in detectors.toml, as for `select_hits`.
        keep: a file of polygons, in which hits have to lie.
        live: whether the page has a matrix on which gates can be drawn.
        many_pairs: whether to go on even if more than 10 pairs per hit, or 10^10 in all, are expected.
        tree: as for `scan`, and so are the others that follow.
        stage: which files of a run folder.
        bin_layout: of BIN files without a header.
        bits: bits and step of a time counter that rolls over without a flag.
        reorder_ps: how far back in time a hit may lie and still be put in its place.
        apart: whether files are runs of their own.
        drop_duplicates: whether hits with the board, channel and time of another one are left out.
        losses: collects damage; without it, damage is an error.
        overwrite: whether the report in a folder that exists is replaced.

    Returns:
        The path of the page.

    Raises:
        InputError: nothing is found, or a file is not a table of hits.
        UsageError: an impossible argument.
        OutputError: the folder exists already, cannot be written, or is that of a run.
    """
    windows: Any = [random] if isinstance(random, str) else list(random)
    given: dict[str, Any] = {"detectors": detectors, "window": window, "random": windows or None, "reject": reject}
    options = ReportOptions(
        names=[str(name) for name in names_of(runs)],
        output=Path(folder),
        min_energy=min_energy_kev,
        keep=None if keep is None else Path(keep),
        live=live,
        many_pairs=many_pairs,
        tree=tree,
        stage=stage,
        bin_layout=bin_layout,
        bits=bits,
        reorder=f"{reorder_ps}ps",
        apart=apart,
        drop_duplicates=drop_duplicates,
        overwrite=overwrite,
        **given,
    )
    return Path(performed("gammapolars.commands.report", with_losses(options, losses)).outputs[0])
