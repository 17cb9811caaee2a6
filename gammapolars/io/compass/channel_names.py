"""CoMPASS's names of the channels of a run: `V1725_292 CH4`."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from gammapolars.core.types import Key
from gammapolars.io.compass.file_names import parse_name, stage_of_folder
from gammapolars.io.compass.settings_xml import BoardInfo


def channel_names(
    folder: Path, boards: Sequence[BoardInfo], seen: Iterable[Key], of_files: Mapping[Path, Iterable[Key]]
) -> dict[Key, str]:
    """The names of the channels that are seen in a run's hits, as far as they are known.

    The name of a file of one channel gives its board, `settings.xml` those of all boards in their order. Where neither
    does, the names of other files in the run's folder do, if they are all of one board and so are the hits.

    Args:
        folder: of the run.
        boards: as `settings.xml` and `run.info` have them.
        seen: (board, channel) of the hits.
        of_files: the same of each file that was read.
    """
    keys = sorted(set(seen))
    labels = {number: board.label for number, board in enumerate(boards) if board.label}
    if not labels and len({board for board, _ in keys}) == 1 and len(named := _boards_named_in(folder)) == 1:
        labels = {keys[0][0]: named.pop()}
    own = {(number, one.channel): one.label for number, board in enumerate(boards) for one in board.channels}
    names = {key: _name(labels[key[0]], key[1], own.get(key)) for key in keys if key[0] in labels}
    for path, inside in of_files.items():
        file, here = parse_name(path), set(inside)
        if file and file.board and len(here) == 1:
            (key,) = here
            names[key] = _name(file.board, key[1], own.get(key))
    return names


def _name(board: str, channel: int, label: str | None) -> str:
    """A channel's name, followed by its label in CoMPASS."""
    plain = f"CH{channel}"
    return f"{board} {plain}" if label in (None, "", plain) else f"{board} {plain} ({label})"


def _boards_named_in(folder: Path) -> set[str]:
    """The boards in the names of files in a run's folder, and in those of its stages."""
    try:
        inside = sorted(folder.iterdir())
        places = [folder, *(path for path in inside if path.is_dir() and stage_of_folder(path))]
        names = [path for place in places for path in place.iterdir()]
    except OSError:
        return set()
    return {file.board for path in names if (file := parse_name(path)) and file.board}
