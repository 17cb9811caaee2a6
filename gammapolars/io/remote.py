"""Files on servers, `https://`, `s3://` or `root://`, read in ranges through fsspec as if they lay on a disk."""

import os
from pathlib import Path
from typing import IO, Any

from gammapolars.core.errors import InputError, RemoteError, first_line

SCHEMES = ("http://", "https://", "s3://", "root://")

BLOCK_BYTES = 2**18
"""Bytes requested at once where metadata are read here and there."""

THREADS = 16
"""How many baskets are asked for at once: each waits for the network, not for a processor."""


def is_remote(name: str | Path) -> bool:
    """Whether a name is the address of a file on a server."""
    return str(name).startswith(SCHEMES)


class RemotePath(type(Path())):  # type: ignore[misc]
    """The address of a file on a server in place of a path; a path's own text would lose one of its slashes.

    It answers the questions of a reader: whether it is there, how long it is, and its bytes.
    """

    url: str
    _files: Any
    _size: int

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.url, self._size)

    def __str__(self) -> str:
        return str(getattr(self, "url", "")) or super().__str__()

    def __fspath__(self) -> str:
        return str(self)

    def exists(self, **_: Any) -> bool:
        return True

    def is_dir(self, **_: Any) -> bool:
        return False

    def resolve(self, strict: bool = False) -> "RemotePath":  # noqa: ARG002 - as of any path
        return self

    def stat(self, **_: Any) -> os.stat_result:
        """Its size, in bytes; nothing else is known."""
        return os.stat_result((0, 0, 0, 0, 0, 0, self._size, 0, 0, 0))

    def open(self, mode: str = "rb", **_: Any) -> IO[Any]:
        """The file, for reading here and there.

        Raises:
            RemoteError: the server does not give it any more.
        """
        try:
            file: IO[Any] = self._files.open(self.url, mode, block_size=BLOCK_BYTES)
        except Exception as error:
            raise RemoteError(f"{self.url}: cannot be read from its server: {first_line(error)}") from None
        return file

    def read_range(self, offset: int, count: int) -> bytes:
        """Some of its bytes; by any thread.

        Raises:
            RemoteError: the server does not give them.
            InputError: it gives no parts of files.
        """
        try:
            data = bytes(self._files.cat_file(self.url, start=offset, end=offset + count))
        except Exception as error:
            raise RemoteError(f"{self.url}: cannot be read from its server: {first_line(error)}") from None
        if len(data) > count:
            raise InputError(f"{self.url}: the server sends only whole files: copy it to this computer first")
        return data


def _restored(url: str, size: int) -> RemotePath:
    """The same address in another process, which asks the server only when it reads."""
    import fsspec

    path = RemotePath(url)
    path._files = fsspec.url_to_fs(url)[0]
    path.url, path._size = url, size
    return path


def remote_path(url: str) -> RemotePath:
    """Find a file on its server.

    Raises:
        InputError: there is no such file or server, or the package that reads from it is not installed.
        RemoteError: the server does not answer.
    """
    import fsspec

    path = RemotePath(url)
    try:
        path._files = fsspec.url_to_fs(url)[0]
        info = path._files.info(url)
        size = info["size"]
    except (ImportError, ValueError) as error:
        raise InputError(
            f"{url}: cannot be read without additional packages: pip install 'gammapolars[remote]' "
            f"({first_line(error)})"
        ) from None
    except FileNotFoundError as error:  # fsspec also raises it for a server that does not answer
        if error.__cause__ is None or getattr(error.__cause__, "status", 0) == 404:
            raise InputError(f"{url}: there is no such file on the server") from None
        raise RemoteError(f"{url}: cannot be read from its server: {error.__cause__}") from None
    except Exception as error:
        raise RemoteError(f"{url}: cannot be read from its server: {first_line(error)}") from None
    if size is None:
        raise InputError(
            f"{url}: the server does not report its size and cannot send parts of it: copy it to this computer first"
        )
    path.url, path._size = url, int(size)
    if url.startswith("http") and not info.get("partial"):
        path.read_range(0, 1)  # the server does not say that it can give parts: see whether it does
    return path
