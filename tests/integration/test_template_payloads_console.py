"""A person's text is data: through the form, the REST interface and the command line it is refused, or
stored and shown as what it is; it never runs."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest
import requests

from tests.conftest import PLAN, RunningConsole
from tests.integration.jupyter import compute
from tests.integration.test_console_rest import get_in


def payloads(mark: Path) -> list[str]:
    """Texts that make the file `mark` wherever they are taken for more than texts."""
    return [
        f"{{{{ lookup('pipe', 'touch {mark}') }}}}",
        f"{{% set x = lookup('pipe', 'touch {mark}') %}}",
        f"$(touch {mark})",
        f"`touch {mark}`",
        f"; touch {mark} #",
    ]


KEYS = ["__ansible_unsafe", "__ansible_vault", "ansible_ssh_common_args", "ansible_python_interpreter"]
FIELDS = ["image_flavour", "cpu_limit", "memory_limit", "idle_timeout", "environment", "pip_packages"]


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "mark"


def test_rest_refuses_payloads_in_every_field_and_key(
    console: RunningConsole, unique: str, mark: Path
) -> None:
    for payload in payloads(mark):
        bodies = [{"plan": payload}, {"name": payload}, {"phase": payload}, {"project": payload}]
        bodies += [{"params": {field: payload}} for field in FIELDS]
        bodies += [{"params": {"pip_packages": [payload]}}, {"params": {"environment": {payload: "x"}}}]
        bodies += [{"params": {payload: "x"}}, {payload: "x"}]
        for body in bodies:
            answer = console.call(
                "POST", "commands", {"plan": PLAN, "phase": "install", "name": unique, **body}
            )
            assert 400 <= answer.status_code < 500, (body, answer.text)
    for key in KEYS:
        for body in ({key: "x"}, {"params": {key: "x"}}, {"params": {"environment": {"A": {key: "x"}}}}):
            answer = console.call(
                "POST", "commands", {"plan": PLAN, "phase": "install", "name": unique, **body}
            )
            assert answer.status_code == 422, (body, answer.text)
    assert not mark.exists()


def test_command_line_refuses_payloads(console: RunningConsole, unique: str, mark: Path) -> None:
    for payload in payloads(mark):
        for arguments in (
            ("--service", payload, "--name", unique),
            ("--service", PLAN, "--name", payload),
            ("--service", PLAN, "--name", unique, "-p", f"image_flavour={payload}"),
            ("--service", PLAN, "--name", unique, "-p", f"{payload}=x"),
        ):
            done = console.labyard("deployservice", *arguments, check=False)
            assert done.returncode == 2, done.stdout
            assert "Traceback" not in done.stderr
    assert not mark.exists()


def test_form_takes_payloads_as_text_and_the_notebook_gets_them_as_they_are(
    console: RunningConsole, unique: str, mark: Path
) -> None:
    texts = {f"P{n}": payload for n, payload in enumerate(payloads(mark))}
    texts["DOLLAR"] = "$HOME ${HOME} $$"
    browser = requests.Session()
    post(
        browser,
        f"{console.url}/sign-in",
        {"username": console.username, "password": console.password},
    )
    lines = "\n".join(f"{name}={text}" for name, text in texts.items())
    form = f"{console.url}/plans/{PLAN}/launch"
    refused = post(browser, form, {"name": payloads(mark)[0], "param-environment": lines})
    assert refused.status_code == 422
    assert payloads(mark)[0] in html.unescape(refused.text)
    accepted = post(browser, form, {"name": unique, "param-environment": lines})
    command_id = accepted.url.rstrip("/").rsplit("/", 1)[1]
    ended = console.finish({"id": command_id})
    assert ended["state"] == 5, ended
    assert ended["params"]["environment"] == texts
    base, token = get_in(console, ended["deployment"]["id"])
    code = f"import json, os; print(json.dumps([os.environ[k] for k in {list(texts)!r}]))"
    assert json.loads(compute(base, token, code)) == list(texts.values())
    page = browser.get(f"{console.url}/deployments/{ended['deployment']['id']}", timeout=30).text
    assert payloads(mark)[0] in html.unescape(page)
    console.finish(
        console.issue(deployment=ended["deployment"]["id"], phase="remove", params={"keep_data": False})
    )
    assert not mark.exists()


def post(browser: requests.Session, url: str, fields: dict[str, str]) -> requests.Response:
    """Send the form at `url` with all of its own values but `fields`."""
    page = browser.get(url, timeout=30).text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert token, page
    return browser.post(url, data={"csrf_token": token[1], **fields}, timeout=30)
