"""Every route for every role: who is not meant is refused, always. Made from the map of routes, so a
route that stands in no table here makes the tests fail."""

from __future__ import annotations

import re
from contextvars import Context
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from labyard.accounts.keys import create_key
from labyard.billing.accounts import find_account
from labyard.billing.budget_requests import ask_for_more
from labyard.billing.gateway_stripe import StripeGateway
from labyard.billing.orders import order_checkout
from labyard.billing.payments import NewPayment
from labyard.billing.wallets import top_up
from labyard.clock import utc_now
from labyard.context import session
from labyard.models import Budget, Command, Deployment, Orphan, State, User, Webhook
from labyard.models.base import begin_writing
from labyard.settings import Settings, read_settings
from tests.billing_data import add_standard_tariff, bill, take, tariff, usage
from tests.unit.conftest import end_command, issue, key_of, make_person

# Who may use a route. A thing that is not theirs looks to other people as if it were not there.
EVERYBODY = {
    "list_plans",
    "show_one_plan",
    "show_schema",
    "list_configurations",
    "list_deployments",
    "watch_deployments",
    "list_commands",
    "issue_command",
    "issue_commands",
    "show_self",
    "change_self",
    "list_own_keys",
    "make_own_key",
    "revoke_own_key",
    "list_webhooks",
    "make_webhook",
    "list_volumes",
    "list_servers",
    "list_usage",
    "sum_up_usage",
    "export_usage",
    "list_imported_costs",
    "sum_up_imported_costs",
    "export_imported_costs",
    "list_accounts",
    "list_tariffs",
    "show_one_tariff",
    "list_invoices",
    "export_invoices",
    "list_payments",
    "record_payment",
    "list_orders",
    "order_one_payment",
    "list_wallets",
    "list_budgets",
    "list_own_budgets",
    "list_budget_requests",
    "make_budget_request",
}
OWNER_AND_ADMINS = {
    "show_one_deployment",
    "remove_deployment",
    "show_logs",
    "show_one_command",
    "list_tasks",
    "list_events",
    "cancel_command",
    "retry_failed_command",
    "delete_volume",
    "forget_volume",
    "show_one_account",
    "show_one_invoice",
    "show_document",
    "list_lines",
    "explain_one_line",
    "list_line_records",
    "show_one_payment",
    "show_one_order",
    "cancel_one_order",
    "show_one_wallet",
    "list_entries",
    "show_one_budget",
    "show_budget_status",
    "show_budget_request",
}
OWNER_ALONE = {
    "open_deployment": 403,  # what an admin gets: they see it, but do not get in
    "show_one_webhook": 404,
    "change_one_webhook": 404,
    "delete_one_webhook": 404,
    "list_notices": 404,
    "test_webhook": 404,
}
ADMINS = {
    "post_plan",
    "put_plan",
    "retire_one_plan",
    "list_users",
    "make_user",
    "show_user",
    "change_user",
    "disable_user",
    "list_user_keys",
    "make_user_key",
    "revoke_user_key",
    "list_projects",
    "make_one_project",
    "show_one_project",
    "change_project",
    "list_audit",
    "list_workers",
    "list_orphans",
    "repair_one_orphan",
    "take_usage",
    "take_imported_costs",
    "make_one_account",
    "change_one_account",
    "add_one_tariff",
    "change_tariff",
    "draft_one_invoice",
    "finalize_one_invoice",
    "void_invoice",
    "credit_invoice",
    "refund_one_payment",
    "change_one_wallet",
    "correct_wallet",
    "make_one_budget",
    "change_one_budget",
    "delete_one_budget",
    "approve_budget_request",
    "decline_budget_request",
}
# What a request of a route carries, so that nothing but the role can be the reason of a refusal.
_PLAN = {"configuration": "labyard.platform.notebook"}
COSTS = {"columns": {"usage_date": "usage_date", "cost": "cost"}, "currency": "USD"}
BODIES: dict[str, dict[str, Any]] = {
    "issue_command": {"plan": "notebook", "phase": "install", "name": "another"},
    "issue_commands": {"commands": [{"plan": "notebook", "phase": "install", "name": "third"}]},
    "post_plan": {"name": "small", **_PLAN},
    "put_plan": _PLAN,
    "change_self": {"mail_on_end": True},
    "make_own_key": {"name": "new"},
    "make_user_key": {"name": "new"},
    "make_user": {"username": "new", "password": "a long password"},
    "change_user": {"mail_on_end": True},
    "make_one_project": {"name": "new"},
    "change_project": {"members": []},
    "make_webhook": {"url": "https://example.org/"},
    "change_one_webhook": {"active": True},
    "repair_one_orphan": {"action": "forget"},
    "take_usage": {"records": [usage("another")]},
    "take_imported_costs": {"source": "cloud", "csv": "usage_date,cost\n", "mapping": COSTS},
    "make_one_account": {"name": "new"},
    "change_one_account": {"holder": "Ada"},
    "add_one_tariff": {"tariff": tariff(name="other")},
    "change_tariff": {"valid_to": None},
    "draft_one_invoice": {"account": "user:ada", "period": "2026-02"},
    "void_invoice": {"reason": "a test"},
    "credit_invoice": {"reason": "a test", "lines": [{"position": 1, "amount": "0.01"}]},
    "record_payment": {"invoice": "L-000001", "amount": "0.01", "gateway": "wallet"},
    "refund_one_payment": {"amount": "1.00", "reason": "a test"},
    "order_one_payment": {"account": "user:ada", "amount": "5.00"},
    "change_one_wallet": {"currency": "EUR", "debt_limit": "5.00"},
    "correct_wallet": {"amount": "1.00", "reason": "a test"},
    "make_one_budget": {"scope": "platform", "measure": "memory", "limit": "4"},
    "change_one_budget": {"limit": "5"},
    "make_budget_request": {"budget": "budgetofcpus", "limit": "9", "reason": "a test"},
    "approve_budget_request": {},
    "decline_budget_request": {"answer": "a test"},
}
# There is no hub here, so nobody finds anything of it; tests/unit/hubs has one.
OF_A_HUB = {"stop_first_server", "stop_named_server"}
REFUSED = (401, 403, 404)

Route = tuple[str, str, str]  # method, endpoint, rule


def routes_of(app: APIFlask) -> list[Route]:
    """Every method of every route of the interface."""
    return [
        (method, rule.endpoint.removeprefix("api."), rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("api.")
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


@pytest.fixture
def settings(console_home: Path, console_database: dict[str, str]) -> Settings:
    """A console where people pay at Stripe; the file with the key is read by workers alone."""
    key = {"LABYARD_STRIPE_KEY_FILE": str(console_home / "no-file")}
    return read_settings({"LABYARD_HOME": str(console_home), **console_database, **key})


@pytest.fixture
def place(client: FlaskClient) -> dict[str, str]:
    """Things of ada's, and of everybody's, by the names they have in routes."""
    ada = make_person("ada")
    document = issue(client, key_of(ada)).json
    begin_writing()
    command = session().get_one(Command, document["id"])
    end_command(command, State.FAILED)
    command.deployment.state = State.PENDING
    command.deployment.state = State.COMPLETED
    command.deployment.endpoints = [{"name": "JupyterLab", "url": "http://127.0.0.1:1", "access": "token"}]
    hook = Webhook(owner_id=ada.id, url="https://example.org/", sealed_secret="")
    orphan = Orphan(kind="network", ident="n", deployment_id="", detail="", confirmed=True)
    removed = Deployment(
        name="removed",
        owner=ada,
        project=ada.projects[0],
        plan=command.deployment.plan,
        state=State.REMOVED,
        volumes=[{"name": "kept_home", "kept": True}],
    )
    session().add_all([hook, orphan, removed])
    session().flush()
    found = {
        "deployment_id": document["deployment"]["id"],
        "command_id": document["id"],
        "webhook_id": hook.id,
        "orphan_id": str(orphan.id),
        "username": "zoe",
        "owner": "ada",
        "volume_name": "kept_home",
    }
    session().commit()
    create_key_of("zoe", make_person("zoe"))
    tariff_id = add_standard_tariff()
    take(usage())
    return {
        **found,
        "account": "user:ada",
        "invoice": str(bill()),
        "position": "1",
        "tariff_id": str(tariff_id),
        **money_of("ada"),
    }


def money_of(username: str) -> dict[str, str]:
    """A payment, an order and budgets of a person, with requests for more."""
    begin_writing()
    person = session().query(User).filter_by(username=username).one()
    account = find_account(session(), f"user:{username}")
    payment = top_up(session(), account, NewPayment(Decimal(10), "EUR"))
    order = order_checkout(session(), StripeGateway, account, None, NewPayment(Decimal(5), "EUR"))
    found = {"payment_id": payment.id, "order_id": order.id, "budget_id": "budgetofmany"}
    for measure, name in (
        ("deployments", "budgetofmany"),
        ("storage", "budgetofdisk"),
        ("cpu", "budgetofcpus"),
    ):
        budget = Budget(id=name, scope="user", subject=username, measure=measure, most=Decimal(4))
        budget.action, budget.set_by = "warn", person
        session().add(budget)
    session().flush()
    for name, about in (("request_id", "budgetofmany"), ("other_request", "budgetofdisk")):
        found[name] = ask_for_more(session(), person, about, "8", "a test").id
    session().commit()
    return found


def create_key_of(name: str, person: Any, **options: Any) -> dict[str, str]:
    begin_writing()
    key = create_key(session(), person, name, **options)
    session().commit()
    return {"Authorization": f"Bearer {key}"}


def call(
    client: FlaskClient, route: Route, place: dict[str, str], headers: dict[str, str], **names: str
) -> int:
    """The status of one request of `route`."""
    method, endpoint, rule = route
    name = {"plans": "notebook", "projects": "default"}.get(rule.split("/")[3], "test")
    values = {"name": name, **place, **names}
    path = re.sub(r"<(?:\w+(?:\([^)]*\))?:)?(\w+)>", lambda found: values[found[1]], rule)
    body = BODIES.get(endpoint)

    def ask() -> int:
        sent = {"If-Match": "*", **headers}
        # Not `client.open`: a stream has to be closed in the context in which it was begun.
        answer = FlaskClient.open(client, path, method=method, headers=sent, json=body)
        answer.close()
        return int(answer.status_code)

    session().commit()
    return Context().run(ask)


def answers(
    app: APIFlask, place: dict[str, str], headers: dict[str, str], endpoints: set[str]
) -> dict[str, int]:
    """The status of each of these routes. Changes that were made are undone by nobody: each is asked once."""
    client = app.test_client()
    return {
        f"{route[0]} {route[1]}": call(client, route, place, headers)
        for route in routes_of(app)
        if route[1] in endpoints
    }


def test_every_route_stands_in_a_table(app: APIFlask) -> None:
    routes = [endpoint for _, endpoint, _ in routes_of(app)]
    tables = (EVERYBODY, OWNER_AND_ADMINS, set(OWNER_ALONE), ADMINS, OF_A_HUB)
    assert sorted(routes) == sorted(endpoint for table in tables for endpoint in table)
    assert set(BODIES) <= set(routes)


@pytest.mark.parametrize(
    "role", ["nobody", "wrong key", "basic", "expired", "revoked", "disabled", "session"]
)
def test_who_is_nobody_is_refused_everywhere(app: APIFlask, place: dict[str, str], role: str) -> None:
    headers = {
        "nobody": {},
        "wrong key": {"Authorization": "Bearer lyk_" + "a" * 43},
        "basic": {"Authorization": "Basic YWRhOng="},
        "session": {"Cookie": "labyard=.eJwlzjsOwjAMANC7ZGbwJ3acXqaKv7C2dELcnUq89yvd5"},
    }
    if role in ("expired", "revoked", "disabled"):
        headers[role] = dead_key(role)
    found = answers(app, place, headers[role], {endpoint for _, endpoint, _ in routes_of(app)})
    assert {route: status for route, status in found.items() if status != 401} == {}


def dead_key(role: str) -> dict[str, str]:
    """The key of an admin that is no longer valid."""
    person = make_person(role, is_admin=True)
    end = utc_now() - timedelta(seconds=1) if role == "expired" else None
    headers = create_key_of("dead", person, expires_at=end)
    begin_writing()
    person.active = role != "disabled"
    if role == "revoked":
        from labyard.accounts.keys import revoke_key

        revoke_key(session(), person, "dead")
    session().commit()
    return headers


def test_second_person_finds_nothing_of_the_first(app: APIFlask, place: dict[str, str]) -> None:
    eve = key_of(make_person("eve"))
    found = answers(app, place, eve, OWNER_AND_ADMINS | set(OWNER_ALONE) | OF_A_HUB)
    assert {route: status for route, status in found.items() if status != 404} == {}
    deployment = session().get_one(Deployment, place["deployment_id"], populate_existing=True)
    assert deployment.state == State.COMPLETED
    assert session().query(Command).count() == 1


def test_person_who_is_no_admin_is_refused_what_admins_do(app: APIFlask, place: dict[str, str]) -> None:
    found = answers(app, place, key_of(make_person("eve")), ADMINS)
    assert {route: status for route, status in found.items() if status != 403} == {}


def test_owner_is_let_in(app: APIFlask, client: FlaskClient, place: dict[str, str]) -> None:
    from labyard.accounts.people import get_user

    ada = create_key_of("second", get_user(session(), "ada"))
    mine = OWNER_AND_ADMINS | set(OWNER_ALONE)
    for route in routes_of(app):
        if route[1] in mine - {"delete_one_webhook", "show_logs"}:
            assert call(client, route, place, ada) not in REFUSED, route
    everybody = [route for route in routes_of(app) if route[1] in EVERYBODY]
    assert {r[1]: s for r in everybody if (s := call(client, r, place, ada)) in REFUSED} == {}


def test_admin_is_let_in_but_for_what_is_the_owners_alone(
    app: APIFlask, client: FlaskClient, place: dict[str, str]
) -> None:
    admin = key_of(make_person("root", is_admin=True))
    found = answers(app, place, admin, set(OWNER_ALONE))
    assert {route.split()[1]: status for route, status in found.items()} == OWNER_ALONE
    last = {
        "disable_user",
        "retire_one_plan",
        "delete_one_budget",
    }  # after them, what others ask for is not there
    for route in sorted(routes_of(app), key=lambda route: route[1] in last):
        if route[1] in (ADMINS | OWNER_AND_ADMINS) - {"show_logs", "revoke_user_key"}:
            assert call(client, route, place, admin) not in REFUSED, route
    (revoke,) = [route for route in routes_of(app) if route[1] == "revoke_user_key"]
    assert call(client, revoke, place, admin, name="zoe") == 404  # disabling revoked it already
