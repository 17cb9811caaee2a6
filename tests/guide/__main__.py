"""`python -m tests.guide [TOPIC…]`: write what the commands and the Python of the guide print into its pages.

The figures that a page shows are those that its commands draw; they are written beside it.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from gammapolars.commands.guide.pages import API, figures, topics
from tests.commandline import REPOSITORY
from tests.guide.transcripts import as_run, clone


def main() -> None:
    for topic in sys.argv[1:] or topics():
        if topic == API:
            continue
        path = REPOSITORY / "gammapolars" / "guide" / f"{topic}.md"
        with tempfile.TemporaryDirectory() as folder:
            before = path.read_text(encoding="utf-8")
            after = as_run(before, clone(Path(folder)))
            for name in figures(after):
                shutil.copy(Path(folder) / name, path.with_name(name))
        if after != before:
            path.write_text(after, encoding="utf-8")
            print(f"{topic}: other output")


if __name__ == "__main__":
    main()
