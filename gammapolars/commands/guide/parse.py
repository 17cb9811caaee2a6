"""What `gammapolars guide` is asked."""

from pathlib import Path
from typing import Annotated

from gammapolars.commands.command import command
from gammapolars.commands.declared import OUTPUT
from gammapolars.commands.help_pages import OUTPUT as SAVING
from gammapolars.commands.notes import argument, option, switch


def topics(incomplete: str) -> list[str]:
    """Pages that a shell completes."""
    from gammapolars.commands.guide.pages import topics

    return [topic for topic in topics() if topic.startswith(incomplete)]


@command(short_help="Read the guide: tutorial, how-to pages, reference")
class GuideOptions:
    """Read the guide: a tutorial, how-to pages, reference and physics.

    Without a topic, it shows the table of contents.

    Examples:
    gammapolars guide
    gammapolars guide calibrate
    gammapolars guide --html guide
    """

    topic: Annotated[
        str | None, argument("TOPIC", "Page to read, such as calibrate or lifetimes.", complete=topics)
    ] = None
    html: Annotated[Path | None, option("FOLDER", "Write the whole guide into this folder, as web pages."), OUTPUT] = (
        None
    )
    overwrite: Annotated[bool, switch("--overwrite", "Replace a guide that exists.", under=SAVING)] = False
