"""The main path as a person walks it: sign in, fill in, launch, work, remove."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.browser.steps import arrive, choose, deployment_id, sign_in, tab_to, wait_for_end, write
from tests.conftest import PLAN, RunningConsole, wait_until

SCREENSHOT = Path(__file__).resolve().parents[2] / "docs" / "images" / "console.png"
NAME = "field-notes"


def test_notebook_from_the_form_to_a_computed_cell_to_its_removal(
    console: RunningConsole, page: Page, context: BrowserContext
) -> None:
    sign_in(page, console.url, console.username, console.password)

    choose(page, "Launch Notebook")
    arrive(page, "Launch Notebook")
    write(page, "Name", NAME)
    write(page, "Memory", "7")
    page.keyboard.press("Enter")
    refuses_at_the_field(page)
    choose(page, "Small")
    expect(page.get_by_label("Memory (MiB)")).to_have_value("512")
    choose(page, "Launch")

    arrive(page, f"Launch {NAME}")
    wait_for_end(page, "Done")
    shows_all_steps_done(page)
    deployment = deployment_id(page)

    with context.expect_page() as opened:
        choose(page, "Open JupyterLab")
    assert compute_in_jupyterlab(opened.value, "6*7") == "42"
    opened.value.close()

    page.goto(f"{console.url}/deployments/{deployment}")
    expect(page.locator("dd").filter(has_text="Running").first).to_be_visible()
    choose(page, "Logs of its services")
    expect(page.locator("[data-logs-text]")).to_contain_text("Jupyter")
    fits_on_a_phone(page, console.url, deployment)
    follows_without_a_stream(page, console.url, deployment)
    follows_without_scripts(context, console.url, deployment)

    page.goto(f"{console.url}/deployments/{deployment}")
    take_picture(page)
    choose(page, "Remove")
    arrive(page, f"Remove {NAME}?")
    expect(page.get_by_role("heading", name="What is lost")).to_be_visible()
    expect(page.get_by_role("heading", name="What is kept")).to_be_visible()
    volumes_follow_the_box(page)
    choose(page, f"Remove {NAME}")
    arrive(page, f"Remove {NAME}")
    wait_for_end(page, "Done")
    page.goto(f"{console.url}/deployments?q={NAME}")
    expect(page.get_by_role("heading", name="No deployment matches")).to_be_visible()


def test_launch_that_no_node_can_ever_carry_is_refused_at_the_field(
    console: RunningConsole, page: Page, unique: str
) -> None:
    wait_until(lambda: console.query("SELECT 1 FROM nodes"), 60, "the console has seen the nodes")
    sign_in(page, console.url, console.username, console.password)
    choose(page, "Launch Notebook")
    arrive(page, "Launch Notebook")
    write(page, "Name", unique)
    write(page, "Memory", "1048576")
    choose(page, "Launch")
    memory = page.get_by_label("Memory (MiB)")
    expect(memory).to_have_accessible_description(re.compile("no node has 1024 GiB; the largest has"))
    expect(memory).to_have_value("1048576")
    expect(page.get_by_label("Name")).to_have_value(unique)


def test_launch_that_fails_says_why_and_offers_a_retry(
    console: RunningConsole, page: Page, unique: str
) -> None:
    plan = {"name": unique, "title": f"Broken {unique}", "configuration": "labyard.platform.notebook"}
    answer = console.call("POST", "plans", {**plan, "fixed": {"image_prefix": f"{unique}/none"}})
    assert answer.status_code == 201, answer.text
    sign_in(page, console.url, console.username, console.password)
    choose(page, f"Launch Broken {unique}")
    arrive(page, f"Launch Broken {unique}")
    write(page, "Name", unique)
    write(page, "Memory", "300")
    choose(page, "Launch")
    arrive(page, f"Launch {unique}")
    wait_for_end(page, "Something that it needs is missing")
    expect(page.locator("[data-live=outcome]")).to_contain_text(f"{unique}/none")
    expect(page.locator("[data-live=outcome]")).to_contain_text("no service of it")
    expect(page.get_by_role("button", name="Retry", exact=True)).to_be_visible()

    choose(page, "Change and retry")
    expect(page.get_by_label("Memory (MiB)")).to_have_value("300")
    choose(page, "Back")
    arrive(page, unique)
    choose(page, "Remove")
    arrive(page, f"Remove {unique}?")
    choose(page, f"Remove {unique}")
    arrive(page, f"Remove {unique}")
    wait_for_end(page, "Done")
    console.call("DELETE", f"plans/{unique}")


def refuses_at_the_field(page: Page) -> None:
    memory = page.get_by_label("Memory (MiB)")
    expect(memory).to_have_attribute("aria-invalid", "true")
    expect(memory).to_have_value("7")
    expect(memory).to_have_accessible_description(re.compile("must be between 256 and 1048576 MiB"))
    expect(page.locator("#errors")).to_be_focused()
    expect(page.get_by_label("Name")).to_have_value(NAME)
    choose(page, "Memory (MiB): must be between")
    expect(memory).to_be_focused()
    page.keyboard.press("Shift+Tab")


def shows_all_steps_done(page: Page) -> None:
    bar = page.get_by_role("progressbar", name="Steps")
    steps = page.locator(".step")
    assert bar.get_attribute("aria-valuenow") == str(steps.count())
    expect(page.locator('.step[data-state="COMPLETED"]')).to_have_count(steps.count())
    expect(page.locator("[data-live=head]")).to_contain_text("Completed")
    choose(page, "Log")
    expect(page.locator("[data-log-text]")).to_contain_text("TASK")


def compute_in_jupyterlab(lab: Page, code: str) -> str:
    """Type `code` into the first cell of a new notebook and run it; what came out."""
    lab.locator('.jp-LauncherCard[data-category="Notebook"]').first.click(timeout=60_000)
    ready = '.jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook-ExecutionIndicator[data-status="idle"]'
    lab.locator(ready).wait_for(timeout=60_000)
    cell = lab.locator(".jp-Notebook .jp-Cell .cm-content").first
    cell.click(timeout=60_000)
    lab.keyboard.type(code)
    expect(cell).to_have_text(code)
    output = lab.locator(".jp-Notebook .jp-OutputArea-output").first
    # JupyterLab drops a cell that is run while its kernel settles, and leaves its number empty: a person
    # presses again.
    for _ in range(10):
        lab.keyboard.press("Control+Enter")
        try:
            output.wait_for(timeout=6_000)
        except PlaywrightTimeout:
            cell.click()
            continue
        break
    return output.inner_text().strip()


def take_picture(page: Page) -> None:
    """The picture in the README; only when asked for, so that a test run changes no file."""
    if os.environ.get("LABYARD_SCREENSHOT") == "1":
        SCREENSHOT.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOT, full_page=True)


def fits_on_a_phone(page: Page, url: str, deployment: str) -> None:
    """No page of the narrowest phone scrolls sideways."""
    command = page.locator('.history a[href^="/commands/"]').first.get_attribute("href")
    page.set_viewport_size({"width": 320, "height": 640})
    one = f"/deployments/{deployment}"
    for path in (
        "/",
        f"/plans/{PLAN}/launch",
        "/deployments",
        "/deployments?q=nothing-is-called-that",
        one,
        f"{one}/update",
        f"{one}/remove",
        f"{one}/logs",
        command,
    ):
        page.goto(f"{url}{path}")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 320, f"{path} is {width} px wide"
    page.set_viewport_size({"width": 1280, "height": 860})


def follows_without_a_stream(page: Page, url: str, deployment: str) -> None:
    """Where a proxy lets no stream through, the page asks again and again."""

    def refuse(route, request) -> None:
        if "event-stream" in request.headers.get("accept", ""):
            route.fulfill(status=204)
        else:
            route.continue_()

    page.route("**/events*", refuse)
    page.goto(f"{url}/deployments/{deployment}")
    choose(page, "Check")
    wait_for_end(page, "Done", 60)
    page.unroute("**/events*")


def follows_without_scripts(context: BrowserContext, url: str, deployment: str) -> None:
    """Without scripts the page loads itself again until the command has ended."""
    assert context.browser is not None
    plain = context.browser.new_context(java_script_enabled=False, storage_state=context.storage_state())
    page = plain.new_page()
    page.goto(f"{url}/deployments/{deployment}")
    page.get_by_role("button", name="Check").click()
    wait_for_end(page, "Done", 60)
    plain.close()


def volumes_follow_the_box(page: Page) -> None:
    """The volume stands among what is lost as soon as nobody wants to keep it."""
    tab_to(page, "Keep my files")
    page.keyboard.press("Space")
    expect(page.locator("[data-lost]")).to_contain_text("_home")
    page.keyboard.press("Space")
    expect(page.locator("[data-kept]")).to_contain_text("_home")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_follow_the_readers_choice_of_light_or_dark(
    console: RunningConsole, page: Page, scheme: str
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{console.url}/sign-in")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
