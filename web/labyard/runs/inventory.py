"""What the operator's inventory says of a service: variables that stand in for a role's defaults."""

from __future__ import annotations

import json
import logging
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._request.spec import Configuration
from labyard.settings import Settings, python_folder

from .folder import play_environment

log = logging.getLogger(__name__)

_LIMIT = 60  # seconds that reading may take
_read: dict[tuple[Path, float], Mapping[str, Any]] = {}


def operator_values(configuration: Configuration, settings: Settings) -> dict[str, Any]:
    """Values by public name that the inventory sets for the manager of the swarm.

    Those that are templates are left out: only a run can tell what they come to.
    """
    phase = configuration.phases.get("install")
    fields = (*phase.fields, *phase.operator_fields) if phase else ()
    variables = _manager_variables(settings)
    found = {field.name: variables[field.option] for field in fields if field.option in variables}
    return {name: value for name, value in found.items() if "{{" not in json.dumps(value)}


def _manager_variables(settings: Settings) -> Mapping[str, Any]:
    """The variables of the first manager, read again when the inventory's files have changed."""
    path = settings.inventory
    files = [path, *path.rglob("*")] if path.is_dir() else [path, *path.parent.glob("group_vars/**/*")]
    key = (path, max((file.stat().st_mtime for file in files if file.exists()), default=0.0))
    if key not in _read:
        _read.clear()
        _read[key] = _list_inventory(settings)
    return _read[key]


def _list_inventory(settings: Settings) -> Mapping[str, Any]:
    """As `ansible-inventory` tells it; nothing where it cannot: the run itself says why then."""
    try:
        done = subprocess.run(
            [str(python_folder() / "ansible-inventory"), "-i", str(settings.inventory), "--list"],
            env=play_environment(settings),
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            check=True,
        )
        listed = json.loads(done.stdout)
        managers = listed.get("swarm_managers", {}).get("hosts", [])
        variables: Mapping[str, Any] = listed["_meta"]["hostvars"].get(managers[0], {}) if managers else {}
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        log.warning("the inventory %s could not be read: %s", settings.inventory, type(error).__name__)
        return {}
    return variables
