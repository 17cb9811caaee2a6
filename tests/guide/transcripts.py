"""The pages of the guide as they run: every command and every piece of Python in it, with what it prints."""

import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import chdir, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from tests.commandline import REPOSITORY, gammapolars
from tests.cookbook.example_runs import write_runs

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

KINDS = {"console", "python", "text", "toml", "powershell", "sh"}
"""Console: commands behind `$` and what they print. Text: what the Python before it prints, or an example of a form."""

_SPEED = re.compile(r"in [\d.,]+ m?s \([\d.,]+ \w+ hits/s\)")
_PRINTS = re.compile(r"\bprint\(")


def clone(folder: Path) -> Path:
    """A folder that looks like a clone of the repository to the commands, with the runs of the page of analyses."""
    for name in ("data", "queries"):
        shutil.copytree(REPOSITORY / name, folder / name)
    write_runs(folder / "runs")
    return folder


def as_run(markdown: str, folder: Path) -> str:
    """A page with what its commands and its Python truly print, run in order in a folder.

    Raises:
        AssertionError: a command fails where the page does not show an error, or a block has no language.
    """
    names: dict[str, Any] = {}
    parts, at, printed = [], 0, ""
    with chdir(folder):
        for block in FENCE.finditer(markdown):
            kind, body = block[1], block[2]
            assert kind in KINDS, f"a block of kind '{kind}': {body[:60]}"
            if kind == "console":
                body = "".join(_ran(body))
            elif kind == "python":
                printed = _python(body, names)
            elif kind == "text" and printed:
                body, printed = printed, ""
            parts += [markdown[at : block.start()], f"```{kind}\n{body}```"]
            at = block.end()
    return "".join(parts) + markdown[at:]


def _ran(body: str) -> Iterator[str]:
    """The commands of a block, each with its output behind it; `...` stands for what is left out."""
    for call in re.findall(r"^\$ (.*(?:\n  .*\S(?=\n))*)", body, re.MULTILINE):
        command = re.split(r"\n", call)[0]
        yield f"$ {command}\n"
        yield _output(command, shown=_shown_behind(body, command))


def _shown_behind(body: str, command: str) -> str:
    """What the page shows behind a command."""
    rest = body.partition(f"$ {command}\n")[2]
    return rest.partition("\n$ ")[0] + "\n" if "\n$ " in rest else ("" if rest.startswith("$ ") else rest)


def _output(command: str, shown: str) -> str:
    """What a command prints, with the speeds that the page shows, cut where the page cuts it."""
    words = shlex.split(command)
    assert words[0] == "gammapolars", command
    done = gammapolars(*words[1:])
    fails = shown.startswith("Error: ")
    assert (done.code != 0) == fails, f"{command}: exit code {done.code}\n{done.out}{done.err}"
    out = done.err if fails else done.out
    speeds = iter(_SPEED.findall(shown))
    out = _SPEED.sub(lambda found: next(speeds, found[0]), out)
    return _as_cut(out, shown)


def _as_cut(out: str, shown: str) -> str:
    """The output, with `...` where the page leaves lines out."""
    lines, wanted = out.splitlines(), shown.splitlines()
    if "..." not in wanted:
        return out
    cut = wanted.index("...")
    after = wanted[cut + 1 :]
    return "\n".join([*lines[:cut], "...", *(lines[-len(after) :] if after else [])]) + "\n"


def _python(body: str, names: dict[str, Any]) -> str:
    """What a piece of Python prints; its names go on to the next piece of the page."""
    out = StringIO()
    with redirect_stdout(out):
        exec(compile(body, "guide", "exec"), names)
    return out.getvalue()
