"""Text of unknown origin, such as names in files, as a terminal can show it without obeying it."""

import json
import re

HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
"""Control characters (C0, C1), marks that turn the direction of writing or take no room, line ends of Unicode, and
bytes of names that are no text."""


def visible(text: str) -> str:
    r"""One line of text, in which hidden characters are written as in Python: `\x1b`, `\u202e`."""
    return HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def visible_json(text: str) -> str:
    """JSON that holds the same, with hidden characters escaped."""
    return HIDDEN.sub(lambda found: json.dumps(found[0])[1:-1], text)
