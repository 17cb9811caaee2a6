"""Recorded data, and the input of a command: no output ever replaces it, or is taken for it later."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gammapolars.core.errors import GammapolarsError, OutputError
from gammapolars.core.file_identity import Identity, identity, real, same_file
from gammapolars.io.compass import csv as compass_csv
from gammapolars.io.compass.file_names import parse_name, run_folder_of, stage_of_folder
from gammapolars.io.compass.folders import find_run_files
from gammapolars.io.dataset import is_dataset
from gammapolars.io.formats import FORMATS, format_of
from gammapolars.io.input_file import open_file
from gammapolars.io.patterns import matches
from gammapolars.io.protection import Protection
from gammapolars.io.provenance import of_file
from gammapolars.io.reading import READING
from gammapolars.io.remote import is_remote
from gammapolars.io.text.blocks import TextFile

NOTES = ("run.info", "settings.xml")
"""Files that CoMPASS writes next to the hits of a run."""

HISTOGRAMS = "hcompass"
"""So begin, in small letters, the names of its files of histograms."""

ANOTHER = "choose another output"


@dataclass(frozen=True)
class RunFolder:
    """A run's folder, or that of a stage in it.

    Attributes:
        path: of the folder.
        format: the suffix of the run's files; empty where there are none.
        named: whether they are named as CoMPASS names them: files with other names are then not read.
    """

    path: Path
    format: str = ""
    named: bool = True

    def takes(self, path: Path) -> bool:
        """Whether a new file in the folder would be read as part of the run."""
        suffix = path.suffix.lower()
        if suffix not in FORMATS or path.name.startswith("."):
            return False
        if parse_name(path):
            return True
        order = list(FORMATS)
        return not self.named and order.index(suffix) <= order.index(self.format)


@dataclass(frozen=True)
class Recorded(Protection):
    """The files that a command reads, and recordings in general.

    Attributes:
        files: that are read.
        folders: of runs that are read.
        patterns: by which files were named, where outputs are hits as well.
    """

    files: tuple[Path, ...]
    folders: tuple[RunFolder, ...] = ()
    patterns: tuple[str, ...] = ()

    @cached_property
    def _by_identity(self) -> dict[Identity | Path, Path]:
        folders = {path.parent: real(path.parent) for path in self.files}
        by_path: dict[Identity | Path, Path] = {folders[path.parent] / path.name: path for path in self.files}
        return by_path | {own: path for path in self.files if (own := identity(path))}

    def check(self, path: Path) -> None:
        """Raise where an output would replace a file that is read or was recorded, or would be read as a run next time.

        Raises:
            OutputError: it would.
        """
        if same := self._by_identity.get(identity(path) or real(path)) or self._by_identity.get(real(path)):
            other = "" if str(same) == str(path) else f" (as {same})"
            raise OutputError(
                f"{path}: is read by this command{other}, and an output never replaces its own input: {ANOTHER}"
            )
        if is_dataset(path) and same_file(path, dict.fromkeys(file.parent for file in self.files)):
            raise OutputError(f"{path}: is read by this command, and an output never replaces its own input: {ANOTHER}")
        folder = self._folder(path.parent)
        exists = path.exists() and not path.is_dir()
        if exists and not path.is_file():
            raise OutputError(f"{path}: is a device or a pipe, which the output would replace: {ANOTHER}")
        if folder and exists and of_file(path) is None:
            raise OutputError(
                f"{path}: is in the folder of a run being read, where only outputs with provenance are "
                f"replaced: {ANOTHER}"
            )
        if (folder and folder.takes(path)) or any(_matches(path, pattern) for pattern in self.patterns):
            raise OutputError(
                f"{path}: would be read as part of the run next time: write it to another folder or in another format"
            )
        if exists and is_recording(path):
            raise OutputError(f"{path}: contains recorded data, which an output never replaces: {ANOTHER}")

    def check_folder(self, folder: Path) -> None:
        """Raise where a folder of outputs is one of a run that is read.

        Raises:
            OutputError: it is.
        """
        if self._folder(folder) or (stage_of_folder(folder) and self._folder(folder.parent)):
            raise OutputError(f"{folder}: is the folder of a run being read: choose another folder")

    def _folder(self, path: Path) -> RunFolder | None:
        own = identity(path)
        return next((folder for folder in self.folders if own and identity(folder.path) == own), None)


def _matches(path: Path, pattern: str) -> bool:
    """Whether a pattern of files would take a new one."""
    return path.absolute().match(str(Path(pattern).absolute()))


def is_recording(path: Path) -> bool:
    """Whether a file was recorded, or written by other programs in its place: hits without provenance of ours."""
    if path.name in NOTES:
        return True
    if format_of(path) is None or of_file(path) is not None:
        return False
    if parse_name(path) or (path.name.lower().startswith(HISTOGRAMS) and path.suffix.lower() == ".root"):
        return True
    try:
        if path.suffix.lower() == ".csv":  # our own carry no provenance
            return compass_csv.is_header(TextFile(path).first_line)
        open_file(path, READING)
    except (GammapolarsError, OSError):
        return False
    return True


def read_by(names: Iterable[str | Path], further: Iterable[Path] = (), *, to_hits: bool = False) -> Recorded:
    """The files to be protected where runs are read; names without any are passed over.

    Args:
        names: files, glob patterns or folders of runs, or of whatever else a command takes in their place.
        further: files that are read as well.
        to_hits: whether outputs are hits again: a pattern would take them for more of the run without an error.
    """
    files, folders, patterns = [*further], list[RunFolder](), list[str]()
    looked_into = set[Path]()
    for name in names:
        if is_remote(name):
            continue
        paths, is_pattern = _named(str(name))
        if is_pattern and to_hits:
            patterns.append(str(name))
        for path in paths:
            if is_dataset(path):
                files += _inside(path)
                continue
            folder = path if path.is_dir() else run_folder_of(path)
            files += [folder / note for note in NOTES]
            if path.is_dir():
                folders += _folders_of(path)
                continue
            files.append(path)
            if folder not in looked_into and (parse_name(path) or stage_of_folder(path.absolute().parent)):
                looked_into.add(folder)
                folders += _with_stages(folder, RunFolder(folder))
    return Recorded(tuple(files), tuple(folders), tuple(patterns))


def _inside(folder: Path) -> list[Path]:
    """All files and folders in a folder."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _named(name: str) -> tuple[Sequence[Path], bool]:
    """The files and folders that a name means, and whether it is a pattern."""
    try:
        if Path(name).exists():
            return [Path(name)], False
        found = matches(name)
    except (OSError, ValueError):
        found = None
    return found or [], found is not None


def _folders_of(folder: Path) -> Iterator[RunFolder]:
    """A folder that is named as a run, and those in which the run's files lie."""
    try:
        run = find_run_files(folder)
    except GammapolarsError:
        yield from _with_stages(folder, RunFolder(folder))
        return
    files = RunFolder(run.folder, run.format, named=any(map(parse_name, run.paths)))
    yield from _with_stages(folder, files)
    if run.folder != folder:
        yield from _with_stages(run.folder, files)


def _with_stages(folder: Path, like: RunFolder) -> Iterator[RunFolder]:
    yield RunFolder(folder, like.format, like.named)
    try:
        inside = [path for path in folder.iterdir() if stage_of_folder(path) and path.is_dir()]
    except OSError:
        return
    yield from (RunFolder(path, like.format, like.named) for path in inside)
