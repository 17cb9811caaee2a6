"""A page in a real browser: what a user does to it, and what it shows then."""

import csv
import io
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge", "msedge")

Rows = list[tuple[float, float, float]]


def executable() -> str | None:
    """The browser that is to be used; a failure where one is named that is not there."""
    if named := os.environ.get("GAMMAPOLARS_BROWSER"):
        path = shutil.which(named)
        assert path, f"GAMMAPOLARS_BROWSER names {named}, and there is no such program"
        return path
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def started() -> Iterator["Browser"]:
    """A browser; a skipped test without one."""
    path = executable()
    if path is None:
        pytest.skip("no Chromium is installed")
    if not os.environ.get("GAMMAPOLARS_BROWSER"):
        pytest.importorskip("playwright.sync_api", reason="playwright is in the browser extra")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        as_root = hasattr(os, "geteuid") and os.geteuid() == 0
        yield playwright.chromium.launch(executable_path=path, args=["--no-sandbox"] if as_root else [])


TYPE = """texts => {
  const fields = ["low", "high", "background"].map(name => document.getElementById(`live-${name}`));
  fields.forEach((field, k) => { field.value = texts[k]; });
  fields[2].dispatchEvent(new Event("change"));
}"""


CSV = """async () => {
  const make = URL.createObjectURL;
  let blob;
  URL.createObjectURL = one => (blob = one, "#");
  HTMLAnchorElement.prototype.click = () => {};
  document.querySelector("[data-live=csv]").click();
  URL.createObjectURL = make;
  delete HTMLAnchorElement.prototype.click;
  return blob.text();
}"""


@dataclass
class LivePage:
    """A page that was opened.

    Attributes:
        page: of playwright.
        problems: errors, warnings and dialogs that came up.
    """

    page: "Page"
    problems: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Note whatever goes wrong from now on, violations of the content security policy among it."""
        self.page.on("console", lambda message: self.problems.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("dialog", self._dismiss)

    def _dismiss(self, dialog: "Dialog") -> None:
        self.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def type_gate(self, low: float, high: float, background: Sequence[tuple[float, float]] = ()) -> None:
        """Fill in the fields."""
        text = ", ".join(f"{one!r}:{other!r}" for one, other in background)
        self.page.evaluate(TYPE, [repr(low), repr(high), text])

    def press(self, action: str) -> None:
        """Press a button."""
        self.page.click(f"[data-live={action}]")

    def saved(self, action: str = "csv") -> bytes:
        """What a button saves."""
        with self.page.expect_download() as download:
            self.press(action)
        return Path(download.value.path()).read_bytes()

    def spectrum(self) -> Rows:
        """The gated spectrum, as it would be saved: of many downloads a browser asks whether they are wanted."""
        _, *rows = csv.reader(io.StringIO(self.page.evaluate(CSV)))
        return [(float(energy), float(counts), float(variance)) for energy, counts, variance in rows]

    @property
    def total(self) -> tuple[float, float]:
        """Net counts and their variance."""
        data: dict[str, Any] = self.page.eval_on_selector("#live", "one => ({ ...one.dataset })")
        return float(data["net"]), float(data["variance"])

    @property
    def command(self) -> str:
        return self.page.inner_text("#live-command")

    def drag(self, name: str, low: float, high: float, *, y: float = 0.6, shift: bool = False) -> None:
        """Drag over a canvas between two parts of the width of its axis."""
        box = self.page.locator(f"#live-{name}").bounding_box()
        assert box
        left, width = box["x"] + 62, box["width"] - 76
        height = box["y"] + y * box["height"]
        if shift:
            self.page.keyboard.down("Shift")
        self.page.mouse.move(left + low * width, height)
        self.page.mouse.down()
        self.page.mouse.move(left + (low + high) / 2 * width, height)
        self.page.mouse.move(left + high * width, height)
        self.page.mouse.up()
        if shift:
            self.page.keyboard.up("Shift")


@contextmanager
def opened(browser: "Browser", path: Path | str, *, in_frame: bool = False, **context: Any) -> Iterator[LivePage]:
    """A page from a file, without a network; a failure if it has errors of its own."""
    viewport = context.pop("viewport", {"width": 1280, "height": 900})
    of_page = browser.new_context(viewport=viewport, **{"offline": True, **context})
    live = LivePage(of_page.new_page())
    live.watch()
    live.page.goto(path if isinstance(path, str) else path.as_uri())
    if context.get("java_script_enabled", True) and not in_frame:
        live.page.wait_for_function(
            "() => document.querySelector('.live-on') || document.querySelector('[role=alert]')"
        )
    yield live
    of_page.close()
    assert live.problems == []
