"""A browser to look at reports with: one that is installed, never one that is fetched."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
PHONE, BESIDE, DESK = 360, 1024, 1280  # from `BESIDE` on the contents stand beside the text
HEIGHT = 800
PAPER = 695, 1024  # pixels across A4 between the margins of the page, upright and sideways


def installed() -> str | None:
    """Return the path of a browser, None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def opened() -> Iterator[Browser]:
    """Start the browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=installed(), args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@dataclass
class View:
    """A page in the browser, and everything it did that a report must not do.

    Args:
        page: as Playwright has it.
        asked: what it fetched, itself included.
        said: messages, errors and dialogs.
    """

    page: Page
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def ask(self, script: str, *given: Any) -> Any:
        """Evaluate JavaScript in the page."""
        return self.page.evaluate(script, *given)


@contextmanager
def shown(browser: Browser, path: Path, width: int = DESK, **settings: Any) -> Iterator[View]:
    """Open a file in a window of its own; `settings` are those of a browser context."""
    context = browser.new_context(
        viewport={"width": width, "height": HEIGHT}, reduced_motion="reduce", **settings
    )
    view = View(context.new_page())
    view.page.on("request", lambda request: view.asked.append(request.url))
    view.page.on("console", lambda message: view.said.append(message.text))
    view.page.on("pageerror", lambda error: view.said.append(str(error)))
    view.page.on("dialog", lambda dialog: (view.said.append(dialog.message), dialog.dismiss()))
    view.page.goto(path.as_uri())
    yield view
    context.close()
