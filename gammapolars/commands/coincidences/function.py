"""What the command `coincidences` does on a cluster, as a function."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.coincidences.rule import AnyWindow
from gammapolars.commands.cluster import with_engine
from gammapolars.commands.coincidences.parse import CoincidencesOptions
from gammapolars.commands.command import performed
from gammapolars.commands.options import with_losses
from gammapolars.core import defaults
from gammapolars.detectors import AnyDetector, AnyDetectors, detectors_of, key_of
from gammapolars.io import AnyNames, Losses, names_of, scan_pairs
from gammapolars.streaming.time_order import REORDER_PS


def pairs_on(
    client: Any,
    runs: AnyNames,
    output: str | Path,
    *,
    window: AnyWindow = defaults.WINDOW,
    random: str | Sequence[AnyWindow] = (),
    reject: str | int = defaults.REJECT,
    start: AnyDetector | None = None,
    stop: AnyDetector | None = None,
    nearest: bool = False,
    detectors: AnyDetectors | None = None,
    add_back: str | None = None,
    veto: Sequence[str] = (),
    min_energy_kev: float | None = None,
    keep: str | Path | None = None,
    many_pairs: bool = False,
    reorder_ps: int = REORDER_PS,
    apart: bool = False,
    losses: Losses | None = None,
    hits_per_task: int | None = None,
    overwrite: bool = False,
) -> pl.LazyFrame:
    """The pairs of runs, found by the workers of a Dask cluster: what the command `coincidences --scheduler` does.

        pairs = gp.pairs_on(client, "run/", "pairs/", window="250ns", random="auto", detectors="detectors.toml")

    The pairs are the same, row for row, as from the runs in one process. Runs and output must lie where all workers,
    and this process, see them by the same names.

    Args:
        client: a `distributed.Client`.
        runs: files, patterns or folders, as for `scan`.
        output: a table of pairs, or the folder of a dataset of them.
        window: the coincidence window, as for `pairs`, and so are the four that follow.
        random: windows of random coincidences.
        reject: flags that reject a hit.
        start: the detector of a.
        stop: the detector of b.
        nearest: whether only the nearest stop of each start is kept.
        detectors: or the path of detectors.toml; None: hits stay as they are.
        add_back: the window of add-back, such as `100ns`.
        veto: such as `BGO=200ns`.
        min_energy_kev: a threshold (keV) for all detectors besides those in detectors.toml, as for `select_hits`.
        keep: a file of polygons, in which hits have to lie.
        many_pairs: whether to go on even if more than 10 pairs per hit, or 10^10 in all, are expected.
        reorder_ps: how far back in time a hit may lie and still be put in its place.
        apart: whether files are runs of their own.
        losses: collects damage; without it, damage is an error.
        hits_per_task: about how many hits a task has; None: as suits the workers.
        overwrite: whether an output that exists is replaced.

    Returns:
        The pairs, lazily, from the output.

    Raises:
        InputError: nothing is found, or a file is not a table of hits.
        UsageError: an impossible argument.
        OutputError: the output exists already or cannot be written.
        ClusterError: workers are lost, or have another version of gammapolars.
    """
    from gammapolars.cluster import engine_of

    known = None if detectors is None else detectors_of(detectors)
    ends = {
        name: None if one is None else "{}/{}".format(*key_of(one, known))
        for name, one in (("start", start), ("stop", stop))
    }
    windows: Any = [random] if isinstance(random, str) else list(random)
    given: dict[str, Any] = {"detectors": known, "window": window, "random": windows or None, "reject": reject, **ends}
    options = CoincidencesOptions(
        names=[str(name) for name in names_of(runs)],
        output=Path(output),
        nearest=nearest,
        add_back=add_back,
        veto=list(veto) or None,
        min_energy=min_energy_kev,
        keep=None if keep is None else Path(keep),
        many_pairs=many_pairs,
        reorder=f"{reorder_ps}ps",
        apart=apart,
        overwrite=overwrite,
        **given,
    )
    engine = engine_of(client, hits_per_task=hits_per_task)
    performed("gammapolars.commands.coincidences", with_engine(with_losses(options, losses), engine))
    return scan_pairs(output)
