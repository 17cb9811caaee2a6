"""Telling files apart by their content, without reading gigabytes."""

import hashlib
from pathlib import Path

SAMPLED_BYTES = 2**20


def fingerprint(path: Path) -> str:
    """A hash of a file's size, first and last megabyte."""
    size = path.stat().st_size
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    with path.open("rb") as file:
        digest.update(file.read(SAMPLED_BYTES))
        file.seek(max(size - SAMPLED_BYTES, 0))
        digest.update(file.read(SAMPLED_BYTES))
    return f"blake2b-sampled:{digest.hexdigest()}"
