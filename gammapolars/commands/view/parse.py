"""What `gammapolars view` is asked."""

from typing import Annotated

from gammapolars.commands.command import command
from gammapolars.commands.notes import option, switch
from gammapolars.commands.options import Pairing, RandomOption, Reading, Reject, Runs, WindowOption
from gammapolars.core import defaults


@command(short_help="Gate on a matrix in the browser with the mouse")
class ViewOptions(Reading, Pairing):
    """Draw gates on a matrix in the browser.

    The matrix is a stored one, or that of saved pairs or of the pairs of runs. The page is served on this machine
    only; end it with Ctrl-C.

    Examples:
    gammapolars view run.root --detectors d.toml
    gammapolars view matrix.parquet
    """

    names: Runs
    bin_kev: Annotated[
        float | None, option("KEV", "Bin width for pairs; if not given, as the resolution requires.")
    ] = None
    window: WindowOption = defaults.WINDOW
    random: RandomOption = None
    reject: Reject = defaults.REJECT
    port: Annotated[int, "Port to serve the page on; 0: any free port."] = 0
    browser: Annotated[bool, switch("--browser/--no-browser", "Open the page, or only print its address.")] = True
    idle_min: Annotated[float, option("MINUTES", "End after this long without a request from the page.")] = 600.0
