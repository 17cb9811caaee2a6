"""The command `guide`: a page of the guide to read, or all of them as web pages."""

from dataclasses import dataclass

from gammapolars.analysis.summaries import Summary
from gammapolars.commands.guide.pages import INDEX, figures, page, topics
from gammapolars.commands.guide.parse import GuideOptions
from gammapolars.core.errors import UsageError
from gammapolars.core.records import optional
from gammapolars.io.output_folder import folder_complete_or_nothing


@dataclass(frozen=True, kw_only=True)
class GuideSummary(Summary):
    """A page of the guide, or where its web pages are.

    Attributes:
        topic: the page.
        title: its title.
        markdown: its text.
        pages: how many web pages were written.
    """

    topic: str | None = optional()
    title: str | None = optional()
    markdown: str | None = optional()
    pages: int | None = optional()


def guide(options: GuideOptions) -> GuideSummary:
    """Find the page that is asked for, or write all of them."""
    if options.html is None:
        found = page(options.topic or INDEX)
        return GuideSummary(topic=found.topic, title=found.title, markdown=found.markdown)
    if options.topic:
        raise UsageError("--html writes all pages: leave the topic out")
    from gammapolars.commands.guide.html import write_pages

    pages = [page(topic) for topic in topics()]
    names = [f"{topic}.html" for topic in topics()] + [name for one in pages for name in figures(one.markdown)]
    with folder_complete_or_nothing(options.html, overwrite=options.overwrite, names=names, last="index.html") as part:
        write_pages(pages, part)
    return GuideSummary(pages=len(pages)).saved(options.html / "index.html")
