"""Where an answer leads: which operations take the id that it holds."""

from __future__ import annotations

from typing import Any

_COMMAND = ("show_one_command", "list_tasks", "cancel_command", "retry_failed_command")
_DEPLOYMENT = ("show_one_deployment", "open_deployment", "remove_deployment")
_USER = ("show_user", "change_user", "disable_user", "list_user_keys", "make_user_key")
_WEBHOOK = ("show_one_webhook", "change_one_webhook", "list_notices", "test_webhook", "delete_one_webhook")
_PLAN = ("show_one_plan", "show_schema", "put_plan", "retire_one_plan")
_ACCOUNT = ("show_one_account", "change_one_account")
_INVOICE = ("show_one_invoice", "show_document", "list_lines")
_PROJECT = ("show_one_project", "change_project")

_PAYMENT = ("show_one_payment", "refund_one_payment")
_ORDER = ("show_one_order", "cancel_one_order")
_WALLET = ("show_one_wallet", "list_entries", "correct_wallet")
_BUDGET = ("show_one_budget", "show_budget_status", "change_one_budget", "delete_one_budget")
_BUDGET_REQUEST = ("show_budget_request", "decline_budget_request", "approve_budget_request")


def _links(place: str, parameter: str, names: tuple[str, ...]) -> dict[str, Any]:
    return {
        name: {"operationId": name, "parameters": {parameter: f"$response.body#/{place}"}} for name in names
    }


_OF_COMMAND = {
    **_links("id", "command_id", _COMMAND),
    **_links("deployment/id", "deployment_id", _DEPLOYMENT),
}

# By operation and status.
LINKS: dict[str, dict[str, dict[str, Any]]] = {
    "record_payment": {"201": _links("id", "payment_id", _PAYMENT)},
    "order_one_payment": {"202": _links("id", "order_id", _ORDER)},
    "change_one_wallet": {"200": _links("account", "account", _WALLET)},
    "make_one_budget": {"201": _links("id", "budget_id", _BUDGET)},
    "make_budget_request": {"201": _links("id", "request_id", _BUDGET_REQUEST)},
    "issue_command": {"202": _OF_COMMAND},
    "retry_failed_command": {"202": _OF_COMMAND},
    "remove_deployment": {"202": _OF_COMMAND},
    "list_commands": {"200": _links("items/0/id", "command_id", _COMMAND)},
    "list_deployments": {"200": _links("items/0/id", "deployment_id", _DEPLOYMENT)},
    "make_user": {"201": _links("username", "username", _USER)},
    "list_users": {"200": _links("items/0/username", "username", ("show_user",))},
    "make_webhook": {"201": _links("id", "webhook_id", _WEBHOOK)},
    "put_plan": {"201": _links("name", "name", _PLAN)},
    "post_plan": {"201": _links("name", "name", _PLAN)},
    "list_plans": {"200": _links("items/0/name", "name", ("show_one_plan", "show_schema"))},
    "make_one_project": {"201": _links("name", "name", _PROJECT)},
    "make_one_account": {"201": _links("name", "account", _ACCOUNT)},
    "list_accounts": {"200": _links("items/0/name", "account", ("show_one_account",))},
    "add_one_tariff": {"201": _links("id", "tariff_id", ("show_one_tariff", "change_tariff"))},
    "draft_one_invoice": {"201": _links("id", "invoice", _INVOICE)},
    "list_invoices": {"200": _links("items/0/id", "invoice", _INVOICE)},
    "make_own_key": {"201": _links("name", "name", ("revoke_own_key",))},
}
