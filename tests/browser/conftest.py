"""A real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # a container has little of it
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
# The browser itself reports these about pages that tell a person about a mistake.
EXPECTED = ("status of 422", "status of 409")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the tests of a file: while Playwright lives, its event loop counts as running, and no
    other test of the process can have one."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh profile on a wide screen."""
    made = browser.new_context(viewport={"width": 1280, "height": 860}, locale="en-GB")
    made.set_default_timeout(20_000)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A tab in which nothing may go wrong: script errors and refused content fail the test at its end."""
    made = context.new_page()
    faults: list[str] = []
    made.on("pageerror", lambda error: faults.append(f"{made.url}: {error}"))
    made.on(
        "console",
        lambda message: (
            faults.append(f"{made.url}: {message.text}")
            if message.type in ("error", "warning") and not any(e in message.text for e in EXPECTED)
            else None
        ),
    )
    yield made
    assert faults == []
