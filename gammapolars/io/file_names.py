"""Names that Windows does not give to files, though some of them seem to work."""

import re
from pathlib import PurePath

from gammapolars.core.errors import OutputError
from gammapolars.core.system import IS_WINDOWS

_DEVICE = re.compile(r"(?:CON|PRN|AUX|NUL|COM[1-9¹²³]|LPT[1-9¹²³])[ .]*(?:\..*)?", re.IGNORECASE | re.DOTALL)
_FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f]')


def check_name(path: PurePath) -> None:
    """Raise on Windows if an output cannot have its name.

    Raises:
        OutputError: it would be a device, a hidden stream of another file, or a file of another name.
    """
    if IS_WINDOWS and (why := fault_on_windows(path.name)):
        raise OutputError(f"{path}: {why}: name another output")


def fault_on_windows(name: str) -> str | None:
    """Why Windows has no file of this name, after "Naming Files, Paths, and Namespaces" of its documentation.

    Data written to `run:1.csv` go into a hidden stream of `run`, and to `NUL.csv` nowhere; a point or space at
    the end is dropped.
    """
    if found := _FORBIDDEN.search(name):
        return f"file names on Windows cannot contain {found[0]!r}"
    if _DEVICE.fullmatch(name):
        return f"{re.split('[ .]', name)[0].upper()} is a device on Windows"
    if name.endswith((".", " ")):
        return "file names on Windows cannot end with a period or a space"
    return None
