"""What a person does in the console, with the keyboard alone."""

from __future__ import annotations

from playwright.sync_api import Page, expect

_FOCUSED = """() => {
  const element = document.activeElement;
  if (!element || element === document.body) return "";
  const label = element.labels?.[0]?.textContent ?? element.getAttribute("aria-label");
  return (label ?? element.textContent).replace(/\\s+/g, " ").trim();
}"""
_MOST_STOPS = 80


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the element called `name` has the focus, and see that the focus shows."""
    for _ in range(_MOST_STOPS):
        page.keyboard.press("Tab")
        if page.evaluate(_FOCUSED).startswith(name):
            seen = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert seen != "none", f"nothing shows that {name} has the focus"
            return
    raise AssertionError(f"Tab never comes to {name!r} on {page.url}")


def choose(page: Page, name: str) -> None:
    """Go to the link or button called `name` and press Enter."""
    tab_to(page, name)
    page.keyboard.press("Enter")


def arrive(page: Page, heading: str) -> None:
    """Wait until the page with that heading is there."""
    expect(page.get_by_role("heading", name=heading, level=1, exact=True)).to_be_visible()
    page.wait_for_load_state()


def write(page: Page, name: str, text: str) -> None:
    """Go to the field called `name` and replace what it holds."""
    tab_to(page, name)
    page.keyboard.press("Control+a")
    page.keyboard.type(text)


def sign_in(page: Page, url: str, username: str, password: str) -> None:
    """From the sign-in form to the catalogue."""
    page.goto(url)
    expect(page.get_by_label("User name")).to_be_focused()
    page.keyboard.type(username)
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")
    arrive(page, "Catalogue")


def wait_for_end(page: Page, title: str, seconds: int = 120) -> None:
    """Stay on the live page of a command until it says `title`."""
    expect(page.locator("#outcome-title")).to_have_text(title, timeout=seconds * 1000)


def deployment_id(page: Page) -> str:
    """The deployment that the page of a command or deployment is about."""
    link = page.locator('a[href^="/deployments/"]').first.get_attribute("href")
    assert link is not None
    return link.split("/")[2]
