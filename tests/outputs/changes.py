"""Changes on purpose, applied to an older checkout's outputs so that they can be compared: see `keys.py`."""

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

EVERY = "*"
"""In place of a command's name: all commands. In a path: each value of an object."""


@dataclass(frozen=True)
class TextChange:
    """A change of what is printed, on purpose.

    Attributes:
        command: whose text it is, or `*`.
        pattern: a regular expression of the old text.
        new: what stands in its place now; groups as `re.sub` takes them.
        why: the reason, for readers.
    """

    command: str
    pattern: str
    new: str
    why: str


@dataclass(frozen=True)
class Changes:
    """All changes on purpose; by command, as `keys.py` describes them.

    Attributes:
        renamed: old path -> new path of keys.
        added: paths of new keys.
        rewritten: makes the new form of a whole summary.
        texts: of printed text.
    """

    renamed: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    added: Mapping[str, Sequence[str]] = field(default_factory=dict)
    rewritten: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    texts: Sequence[TextChange] = ()

    def new_form(self, command: str, old: Any) -> Any:
        """An old summary as it would be now."""
        new = copy.deepcopy(old)
        for name in (EVERY, command):
            for source, target in self.renamed.get(name, {}).items():
                _move(new, source.split("."), target.split(".") if target is not None else [])
        for name in (EVERY, command):
            if name in self.rewritten:
                new = self.rewritten[name](new)
        return new

    def without_additions(self, command: str, new: Any, old: Any) -> Any:
        """A summary without the new keys that an older one, in its new form, lacks."""
        new = copy.deepcopy(new)
        for name in (EVERY, command):
            for path in self.added.get(name, ()):
                _leave_out(new, old, path.split("."))
        return new

    def new_text(self, command: str, old: str) -> str:
        """An old printed text as it would be now."""
        for change in self.texts:
            if change.command in (EVERY, command):
                old = re.sub(change.pattern, change.new, old)
        return old


def _move(tree: Any, source: Sequence[str], target: Sequence[str]) -> None:
    """Give a value another path, or take it away where there is no target."""
    if len(source) > 1 and (not target or (len(target) > 1 and source[0] == target[0])):
        for branch in _branches(tree, source[0]):
            _move(branch, source[1:], target[1:])
        return
    values = list(_take(tree, source))
    if values and target:
        _put(tree, target, values[0])


def _branches(tree: Any, part: str) -> Iterator[Any]:
    """What a part of a path leads to."""
    name = part.removesuffix("[]")
    if not isinstance(tree, dict) or (name != EVERY and name not in tree):
        return
    for branch in list(tree.values()) if name == EVERY else [tree[name]]:
        if part.endswith("[]"):
            yield from branch if isinstance(branch, list) else ()
        else:
            yield branch


def _take(tree: Any, path: Sequence[str]) -> Iterator[Any]:
    """Take a value away, and the objects around it that hold nothing else."""
    if not isinstance(tree, dict) or path[0] not in tree:
        return
    if len(path) == 1:
        yield tree.pop(path[0])
        return
    yield from _take(tree[path[0]], path[1:])
    if tree[path[0]] == {}:
        del tree[path[0]]


def _put(tree: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
    tree[path[-1]] = value


def _leave_out(new: Any, old: Any, path: Sequence[str]) -> None:
    """Take a key away from one tree where the other lacks it."""
    if len(path) == 1:
        if isinstance(new, dict) and not (isinstance(old, dict) and path[0] in old):
            new.pop(path[0], None)
        return
    for of_new, of_old in zip(_branches(new, path[0]), _branches(old, path[0]), strict=False):
        _leave_out(of_new, of_old, path[1:])
