"""Permissions of a page: it may run and load only its own script and style, by their hashes."""

import base64
from collections.abc import Sequence
from hashlib import sha256


def policy(styles: Sequence[str], scripts: Sequence[str], *, connect: str = "") -> str:
    """The value of a page's `Content-Security-Policy`.

    Nothing is loaded from elsewhere, no `style` attribute and no handler in the markup counts, and no text is ever run
    as a script but those named.

    Args:
        styles: the exact texts between <style> and </style>.
        scripts: the exact texts between <script> and </script>.
        connect: addresses that scripts may ask, such as 'self' where a page is served; none: nothing.
    """
    rules = {
        "default-src": "'none'",
        "script-src": _hashes(scripts),
        "style-src": _hashes(styles),
        "img-src": "data: blob:",
        "base-uri": "'none'",
        "form-action": "'none'",
        **({"connect-src": connect} if connect else {}),
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _hashes(texts: Sequence[str]) -> str:
    digests = (base64.b64encode(sha256(text.encode("utf-8")).digest()).decode("ascii") for text in texts if text)
    return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
