"""Outputs that appear together: all are complete before the first takes its name, or none of them does."""

import contextlib
import errno
import filecmp
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType
from typing import Self

from gammapolars.core.errors import OutputError, UsageError, writable
from gammapolars.core.file_identity import repeated_name
from gammapolars.core.system import patiently
from gammapolars.io.hidden import hidden_folder, hidden_name, hold, ready_to_move, remove

_CURRENT: ContextVar["Transaction | None"] = ContextVar("outputs that appear together", default=None)


class _Output:
    """A complete output that waits for its name, and the file that had that name before.

    Attributes:
        in_one_step: whether it replaces that by itself, so that nothing has to be kept where it is the only output.
    """

    in_one_step = True

    def __init__(self, hidden: Path, path: Path, *, overwrite: bool) -> None:
        self.hidden, self.path, self.overwrite = hidden, path, overwrite
        self._before: Path | None = None

    @property
    def replaces(self) -> bool:
        """Whether something has its name now, and may be replaced."""
        return self.overwrite and os.path.lexists(self.path)

    def keep_old(self, cleaning: ExitStack) -> None:
        """Keep the file to be replaced until all outputs have their names."""
        if not self.replaces:
            return
        before = hidden_name(self.path, "part")
        cleaning.callback(self._forget)
        self._before = before
        with writable(self.path):
            try:
                os.link(self.path, before, follow_symlinks=False)
            except OSError:  # file systems without hard links
                shutil.copy2(self.path, before, follow_symlinks=False)
        hold(before, cleaning)

    def publish(self) -> None:
        """Let the output take its name.

        Raises:
            OutputError: it cannot, or another process wrote a file of this name.
        """
        ready_to_move(self.hidden)
        with writable(self.path):
            if self.overwrite:
                patiently(lambda: self.hidden.replace(self.path))
                return
            try:
                os.link(self.hidden, self.path)  # unlike a rename, never replaces another process's new file
            except FileExistsError:
                raise self._too_late() from None
            except OSError:
                patiently(lambda: self.hidden.rename(self.path))  # file systems without hard links

    def _too_late(self) -> OutputError:
        return OutputError(f"{self.path}: was written by another process in the meantime: choose another output")

    def take_back(self, published: os.stat_result) -> None:
        """Put back the former file, if the output has its name already; `published` is of the hidden file."""
        if not self._is_at(published):
            return
        if self._before:
            ready_to_move(self._before)
            self._before.replace(self.path)
        else:
            self.path.unlink()

    def _is_at(self, published: os.stat_result) -> bool:
        """Whether the output has its name."""
        try:
            return os.path.samestat(os.lstat(self.path), published)
        except FileNotFoundError:
            return False

    def _forget(self) -> None:
        if self._before:
            remove(self._before)

    def leave_old(self) -> Path | None:
        """Leave the former file under the name that it was kept by."""
        before, self._before = self._before, None
        return before


class _Folder(_Output):
    """The same for a folder: no system replaces one in a single step, so that the former one makes room first."""

    in_one_step = False

    def __init__(self, hidden: Path, path: Path, *, overwrite: bool) -> None:
        super().__init__(hidden, path, overwrite=overwrite)
        self._room = ExitStack()

    def keep_old(self, cleaning: ExitStack) -> None:
        """Make a hidden folder for the folder to be replaced."""
        if self.replaces:
            cleaning.callback(self._forget)
            self._before = hidden_folder(self.path, "partial", self._room) / self.path.name

    def publish(self) -> None:
        """Let the output take its name.

        Raises:
            OutputError: it cannot, or another process wrote a folder of this name.
        """
        ready_to_move(self.hidden)
        before = self._before
        with writable(self.path):
            try:
                if before:
                    patiently(lambda: self.path.rename(before))
                patiently(lambda: self.hidden.rename(self.path))
            except BaseException as error:
                self._put_back()
                if isinstance(error, OSError) and error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    raise self._too_late() from None
                raise

    def take_back(self, published: os.stat_result) -> None:
        """Put back the former folder, if the output has its name already; `published` is of the hidden one."""
        if self._is_at(published):
            self.path.rename(self.hidden)
        self._put_back()

    def _put_back(self) -> None:
        if self._before and os.path.lexists(self._before) and not os.path.lexists(self.path):
            self._before.rename(self.path)

    def _forget(self) -> None:
        if self._before:
            self._room.close()


class Transaction:
    """Outputs that take their names together, at the end of the block: where one cannot, the others are taken back.

    Where the block ends with an error, none of them appears.
    """

    def __init__(self) -> None:
        self.cleaning = ExitStack()
        self._paths: list[Path] = []
        self._outputs: list[_Output] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.cleaning:
            if kind is None:
                self._publish()

    def begin(self, path: Path) -> None:
        """An output of this name is on the way.

        Raises:
            UsageError: another one of the same name is.
        """
        if repeated_name([*self._paths, path]):
            raise UsageError(f"{path.name}: two outputs have this name: give them different names")
        self._paths.append(path)

    def add(self, hidden: Path, path: Path, *, overwrite: bool) -> None:
        """A hidden file or folder is complete; it will be called `path`."""
        kind = _Folder if hidden.is_dir() else _Output
        self._outputs.append(kind(hidden, path, overwrite=overwrite))

    def files(self) -> dict[Path, Path]:
        """The files that wait for their names, those in folders too: each by the name that it will have."""
        return {
            one.path / file.relative_to(one.hidden): file
            for one in self._outputs
            for file in (sorted(one.hidden.rglob("*")) if one.hidden.is_dir() else [one.hidden])
            if file.is_file()
        }

    def leave_equal(self) -> None:
        """Leave files whose content does not change as they are, with their times."""
        self._outputs = [one for one in self._outputs if not _is_equal(one.hidden, one.path)]

    def _publish(self) -> None:
        for one in self._outputs:
            if len(self._outputs) > 1 or not one.in_one_step:
                one.keep_old(self.cleaning)
        done: list[tuple[_Output, os.stat_result]] = []
        try:
            for one in self._outputs:
                with writable(one.path):
                    done.append((one, os.lstat(one.hidden)))
                one.publish()
        except BaseException as error:
            if lost := [text for one, published in reversed(done) if (text := _taken_back(one, published))]:
                raise OutputError("; ".join([str(error), *lost])) from error
            raise


def _is_equal(hidden: Path, path: Path) -> bool:
    """Whether both are files with the same content."""
    return hidden.is_file() and path.is_file() and filecmp.cmp(hidden, path, shallow=False)


def _taken_back(output: _Output, published: os.stat_result) -> str:
    """Take an output back; a message for the user where that fails."""
    try:
        output.take_back(published)
    except OSError as error:
        before = output.leave_old()
        where = f": its previous content is in {before}" if before else ""
        return f"{output.path} could not be withdrawn ({error.strerror}){where}"
    return ""


def current_transaction(cleaning: ExitStack) -> Transaction:
    """The transaction that outputs belong to now; where there is none, one that ends with `cleaning`."""
    return _CURRENT.get() or cleaning.enter_context(Transaction())


@contextmanager
def outputs_together() -> Iterator[None]:
    """All outputs of the block appear together at its end, or none of them; in another such block, at the end of that.

    Raises:
        OutputError: one cannot be written.
    """
    if _CURRENT.get():
        yield
        return
    with outputs_at_once():
        yield


@contextmanager
def outputs_at_once() -> Iterator[Transaction]:
    """The same for files that are there at the end of the block whatever block encloses it."""
    with Transaction() as outputs:
        token = _CURRENT.set(outputs)
        try:
            yield outputs
        finally:
            with contextlib.suppress(ValueError):  # a generator may be closed elsewhere
                _CURRENT.reset(token)
