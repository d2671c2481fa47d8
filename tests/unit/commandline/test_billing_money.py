"""Payments, wallets and budgets on the command line: what they ask the console for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.commandline.answering import Reply, answering
from tests.unit.commandline.test_services import run

ORDER = {"id": "o" * 16, "kind": "checkout", "state": "open", "account": "user:ada", "invoice": "L-000007"}
ORDER |= {"amount": "40.00", "currency": "EUR", "url": "https://checkout.stripe.com/c/pay/cs_1", "error": ""}
ENTRY = {"position": 1, "created_at": "2026-01-01T00:00:00.000Z", "classification": "ADD_WALLET_TOP_UP"}
ENTRY |= {"amount": "5.00", "balance": "5.00", "status": "BILLED", "reason": "", "payment": "p" * 12}
STATUS = {"budget": "b" * 12, "scope": "user", "subject": "ada", "measure": "cpu", "used": "3", "limit": "4"}
STATUS |= {"unit": "cores", "percent": 75, "left": "1", "action": "refuse", "stop_at": None}
REQUEST = {"id": "r" * 12, "state": "asked", "username": "ada", "scope": "user", "subject": "ada"}
REQUEST |= {
    "measure": "cpu",
    "present_limit": "4",
    "limit": "8",
    "unit": "cores",
    "reason": "x",
    "answer": "",
}


@pytest.mark.parametrize(
    ("line", "method", "path", "body"),
    [
        (
            "pay L-000007 --from wallet",
            "POST",
            "payments",
            {"invoice": "L-000007", "gateway": "wallet"},
        ),
        (
            "pay L-000007 --from hand --amount 40.00 --reference b7 --received 2026-02-03T00:00:00Z --key k",
            "POST",
            "payments",
            {
                "invoice": "L-000007",
                "gateway": "manual",
                "amount": "40.00",
                "reference": "b7",
                "received_at": "2026-02-03T00:00:00Z",
                "key": "k",
            },
        ),
        (
            "topup user:ada 50.00 --currency EUR --from stripe",
            "POST",
            "payments/orders",
            {"account": "user:ada", "amount": "50.00", "currency": "EUR"},
        ),
        (
            "refund pppppppppppp --amount 5.00 --reason twice",
            "POST",
            "payments/pppppppppppp/refund",
            {"amount": "5.00", "reason": "twice", "to": "source"},
        ),
        (
            "wallet change user:ada --currency EUR --debt-limit 20",
            "PATCH",
            "wallets/user%3Aada",
            {"currency": "EUR", "debt_limit": "20"},
        ),
        (
            "wallet correct user:ada --reason no -- -5.00",
            "POST",
            "wallets/user%3Aada/corrections",
            {"amount": "-5.00", "reason": "no"},
        ),
        (
            "budget set user cpu 4 --for ada --action stop --grace 60",
            "POST",
            "budgets",
            {
                "scope": "user",
                "measure": "cpu",
                "limit": "4",
                "subject": "ada",
                "action": "stop",
                "grace_minutes": 60,
            },
        ),
        ("budget change bbbbbbbbbbbb --limit 8", "PATCH", "budgets/bbbbbbbbbbbb", {"limit": "8"}),
        ("budget delete bbbbbbbbbbbb --yes", "DELETE", "budgets/bbbbbbbbbbbb", None),
        (
            "budget ask bbbbbbbbbbbb 8 --reason course",
            "POST",
            "budget-requests",
            {"budget": "bbbbbbbbbbbb", "limit": "8", "reason": "course"},
        ),
        ("budget approve rrrrrrrrrrrr", "POST", "budget-requests/rrrrrrrrrrrr/approve", {}),
        (
            "budget decline rrrrrrrrrrrr --answer full",
            "POST",
            "budget-requests/rrrrrrrrrrrr/decline",
            {"answer": "full"},
        ),
    ],
)
def test_command_when_given_then_asks_for_just_that(
    line: str, method: str, path: str, body: dict[str, Any] | None
) -> None:
    reply = (
        Reply(204) if method == "DELETE" else Reply(201, {"payment": None, "order": {"id": "o"}, "id": "x"})
    )
    with answering(reply) as server:
        done = run(server, "billing", *line.split())
    assert done.exit_code == 0, done.output
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.body or None) == (method, f"/api/v1/{path}", body or None)


@pytest.mark.parametrize(
    ("line", "item", "words"),
    [
        ("orders", ORDER, ["L-000007", "40.00 EUR", "https://checkout.stripe.com/c/pay/cs_1"]),
        ("wallet show user:ada", ENTRY, ["ADD_WALLET_TOP_UP", "BILLED"]),
        ("budget mine", STATUS, ["75 %", "4 cores", "refuse"]),
        ("budget status bbbbbbbbbbbb", STATUS, ["75 %"]),
        ("budget requests --state asked", REQUEST, ["asked", "ada"]),
    ],
)
def test_list_when_shown_then_is_a_table(line: str, item: dict[str, Any], words: list[str]) -> None:
    with answering(Reply(200, {"items": [item], "next": None})) as server:
        done = run(server, "billing", *line.split())
    assert done.exit_code == 0, done.output
    assert [word for word in words if word not in done.output] == []
