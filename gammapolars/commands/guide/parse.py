"""What `gammapolars guide` is asked."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.command import command
from gammapolars.commands.declared import OUTPUT


@command()
class GuideOptions:
    """Read the guide: a tutorial, how-to pages, reference and physics. Without a topic, its table of contents."""

    topic: Annotated[str | None, typer.Argument(metavar="TOPIC", help="A page, such as calibrate or lifetimes.")] = None
    html: Annotated[Path | None, "Folder to write the whole guide into, as web pages.", OUTPUT] = None
    overwrite: Annotated[bool, "Replace the guide in a folder that exists."] = False
