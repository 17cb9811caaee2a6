"""One browser for all tests of live pages."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.report.live import browsers

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    with browsers.started() as browser:
        yield browser
