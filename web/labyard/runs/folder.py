"""The private folder of a run: what goes in before it starts, what is taken away after it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.orm import object_session

from ansible_collections.labyard.platform.plugins.module_utils._request.request import stack_name
from ansible_collections.labyard.platform.plugins.module_utils._request.shapes import shape_of
from labyard.catalog.sources import roles_folder
from labyard.models import Command, installation_id
from labyard.settings import Settings, own_playbook, python_folder, write_private

from .ident import IDENT

# What a play's process may know of ours: no setting or secret of the console is among it.
_PASSED_ON = (
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "DOCKER_HOST",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
)


def run_folder(settings: Settings, command_id: str, fence: int) -> Path:
    """Where the run of that claim lives."""
    return settings.runs / f"{command_id}-{fence}"


def artifacts_of(folder: Path) -> Path:
    """Where ansible-runner writes about the run in `folder`."""
    return folder / "artifacts" / IDENT


# Phases that say what they change: their modules are asked for what differs.
_SHOWS_DIFFERENCE = ("update", "scale")


def prepare_folder(
    folder: Path,
    command: Command,
    plan: Mapping[str, Any],
    secrets: Mapping[str, str],
    settings: Settings,
    steps_done: Sequence[str] = (),
) -> None:
    """Write the request of `command` and the description of its job; only this user can read them.

    Raises OSError, and leaves nothing behind then.
    """
    request = _request_of(command, plan, secrets, steps_done)
    _write(folder, request, _job_of(command, settings, settings.playbook))


def prepare_removal(folder: Path, command: Command, settings: Settings) -> None:
    """As `prepare_folder`, for a removal by the stack's name, without the service's role or any secret."""
    deployment = command.deployment
    request = {"stack": stack_name(deployment.plan.name, deployment.id), "secrets": {}}
    _write(folder, request, _job_of(command, settings, own_playbook("removal.yml")))


def prepare_own_play(folder: Path, playbook: str, request: Mapping[str, Any], settings: Settings) -> None:
    """As `prepare_folder`, for a playbook of ours that belongs to no deployment; no secret goes in."""
    path = own_playbook(playbook)
    job = {"playbook": str(path), "inventory": str(settings.inventory), "cwd": str(path.parent)}
    _write(folder, {**request, "secrets": {}}, job)


def _write(folder: Path, request: Mapping[str, Any], job: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, mode=0o700)
    try:
        write_private(folder / "request.json", json.dumps(request))
        write_private(folder / "job.json", json.dumps(job))
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def shows_difference(command: Command) -> bool:
    """Whether the run of `command` says what it changes, or would change."""
    return command.check_only or command.phase in _SHOWS_DIFFERENCE


def _request_of(
    command: Command, plan: Mapping[str, Any], secrets: Mapping[str, str], steps_done: Sequence[str]
) -> dict[str, Any]:
    deployment = command.deployment
    session = object_session(command)
    if session is None:
        raise ValueError("the command belongs to no session")
    return {
        "plan": dict(plan),
        "phase": command.phase,
        "name": deployment.name,
        "deployment": {
            "id": deployment.id,
            "project": deployment.project.name,
            "owner": deployment.owner.username,
            "console": installation_id(session),
            "shape": shape_of(plan["shapes"], {**deployment.params, **command.params, **plan["fixed"]}),
        },
        "params": {k: v for k, v in command.params.items() if k not in plan["fixed"]},
        "secrets": dict(secrets),
        "steps_done": list(steps_done),
    }


def _job_of(command: Command, settings: Settings, playbook: Path) -> dict[str, Any]:
    options = ("--check",) if command.check_only else ()
    return {
        "playbook": str(playbook),
        "inventory": str(settings.inventory),
        "cwd": str(playbook.parent),
        "options": [*options, *(("--diff",) if shows_difference(command) else ())],
    }


def forget_secrets(folder: Path) -> None:
    """Take away what only the run needed to know: the request and the secrets beside it."""
    (folder / "request.json").unlink(missing_ok=True)
    for name in ("request.json.secrets", "env"):
        shutil.rmtree(folder / name, ignore_errors=True)


def play_environment(settings: Settings, folder: Path | None = None) -> dict[str, str]:
    """The environment of a play: scrubbed, because ansible-runner writes it into its artifacts.

    Roles that were fetched into the run's `folder` are found there.
    """
    env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    env["PATH"] = os.pathsep.join((str(python_folder()), os.environ.get("PATH", os.defpath)))
    env.setdefault("HOME", str(Path.home()))
    env.setdefault("LANG", "C.UTF-8")
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    if settings.ansible_config:
        env["ANSIBLE_CONFIG"] = str(settings.ansible_config)
    if folder is not None and roles_folder(folder).is_dir():
        env["ANSIBLE_ROLES_PATH"] = str(roles_folder(folder))
    return env
