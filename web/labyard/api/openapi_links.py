"""Where an answer leads: which operations take the id that it holds."""

from __future__ import annotations

from typing import Any

_COMMAND = ("show_one_command", "list_tasks", "cancel_command", "retry_failed_command")
_DEPLOYMENT = ("show_one_deployment", "open_deployment", "remove_deployment")
_USER = ("show_user", "change_user", "disable_user", "list_user_keys", "make_user_key")
_WEBHOOK = ("show_one_webhook", "change_one_webhook", "list_notices", "test_webhook", "delete_one_webhook")
_PLAN = ("show_one_plan", "show_schema", "put_plan", "retire_one_plan")
_PROJECT = ("show_one_project", "change_project")


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
    "make_own_key": {"201": _links("name", "name", ("revoke_own_key",))},
}
