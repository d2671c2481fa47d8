"""Nobody gets past the sign-in: every route is refused to who has not, but for a short list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from apiflask import APIFlask
from werkzeug.routing import Rule

from labyard.app import create_app
from labyard.migrate import upgrade_tables
from labyard.models import db
from labyard.settings import read_settings

# Open to everyone, and why.
OPEN = {
    "static": "styles and scripts of our pages",
    "bootstrap.static": "styles and scripts of Bootstrap",
    "openapi.spec": "the description of the interface; it holds no data",
    "api_docs.show_docs": "the same for people",
    "pages.sign_in": "the way in",
    "probes.healthz": "asked by supervisors, which have no account",
    "probes.readyz": "asked by supervisors, which have no account",
    "probes.metrics": "asked by Prometheus; numbers only",
    "payment_messages.take_stripe": "Stripe has no key; each message is signed, and refused otherwise",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[APIFlask]:
    """A console with nothing in it. Forms need no token here: they must be refused all the same."""
    home = tmp_path_factory.mktemp("routes")
    made = create_app(read_settings({"LABYARD_HOME": str(home)}), TESTING=True, WTF_CSRF_ENABLED=False)
    with made.app_context():
        upgrade_tables()
    yield made
    with made.app_context():
        db.engine.dispose()


def address_of(app: APIFlask, rule: Rule) -> str:
    """An address that `rule` serves, with any value for each variable."""
    values = {}
    for name in rule.arguments:
        converter = rule._converters[name]
        choices = getattr(converter, "regex", "").removeprefix("(?:").removesuffix(")").split("|")
        values[name] = 1 if type(converter).__name__ == "IntegerConverter" else choices[0]
        length = re.search(r"\{(\d+)\}$", choices[0])
        if "[" in str(values[name]):
            values[name] = "a" * int(length[1]) if length else "anything"
    with app.test_request_context():
        return str(app.url_map.bind("localhost").build(rule.endpoint, values))


def test_routes_when_nobody_is_signed_in_then_all_but_the_open_ones_are_refused(app: APIFlask) -> None:
    client = app.test_client()
    let_in = []
    for rule in app.url_map.iter_rules():
        if rule.endpoint in OPEN:
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            answer = client.open(address_of(app, rule), method=method, json={} if method != "GET" else None)
            to_sign_in = answer.status_code == 302 and answer.location.startswith("/sign-in?next=")
            if answer.status_code != 401 and not to_sign_in:
                let_in.append(f"{method} {rule.rule}: {answer.status_code}")
    assert not let_in


def test_routes_when_a_key_is_wrong_then_the_interface_answers_with_a_problem(app: APIFlask) -> None:
    answer = app.test_client().get("/api/v1/deployments", headers={"Authorization": "Bearer wrong"})
    assert answer.status_code == 401
    assert answer.content_type == "application/problem+json"
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_routes_when_listed_then_the_open_ones_are_still_there(app: APIFlask) -> None:
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}
    assert not set(OPEN) - endpoints, "take these off the list"


def test_source_when_routes_are_made_then_no_get_commits() -> None:
    """A page that is only looked at changes nothing: no view of GET alone ends a transaction."""
    code = Path(__file__).resolve().parents[2] / "web" / "labyard"
    found = []
    for path in [*(code / "api").glob("*.py"), *(code / "pages").glob("*.py")]:
        for function in path.read_text(encoding="utf-8").split("\n@blueprint.get(")[1:]:
            body = function.split("\n\n\n")[0]
            if "commit_request(" in body or "session().commit(" in body:
                found.append(f"{path.name}: {body.splitlines()[0]}")
    assert not found
