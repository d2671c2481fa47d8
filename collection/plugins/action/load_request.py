# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin: bring what a person asked for into a play, as data and never as templates.

Extra-vars, inventories and vars files are all templated, so a person's text in them is code.
What an action plugin returns is not. Hence the request travels as a file, and this plugin is the
only way in: it checks the file, its frame and every parameter before any task can see a value.
"""

from __future__ import annotations

import importlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.plugins.action import ActionBase

from ansible_collections.labyard.platform.plugins.module_utils._request.request import (
    PlanSpec,
    Request,
    RequestError,
    parse_request,
    read_plans,
    resolve_options,
)
from ansible_collections.labyard.platform.plugins.module_utils._request.secret_files import (
    SecretFileError,
    keep_secret_files,
    write_secret_files,
)
from ansible_collections.labyard.platform.plugins.module_utils._request.shapes import shape_of
from ansible_collections.labyard.platform.plugins.module_utils._request.spec import (
    Configuration,
    ConfigurationError,
    read_configuration,
)

_LARGEST_REQUEST = 1024 * 1024  # bytes
_RESERVED_KEY = "__ansible"


class ActionModule(ActionBase):
    """Read, check and hand over one request file."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Return the request's values as `variables`, or every fault of it in one message."""
        result = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            {
                "path": {"type": "str"},
                "plans_file": {"type": "str"},
                "secrets_dir": {"type": "str"},
            }
        )
        path = options["path"]
        try:
            variables = load_request(
                path, options["plans_file"], options["secrets_dir"], dry_run=self._task.check_mode
            )
        except RequestError as error:
            lines = "\n".join(f"  {place}: {text}" for place, text in error.errors.items())
            where = f" {path}" if path else ""
            return {**result, "failed": True, "errors": error.errors,
                    "msg": f"The request{where} cannot be carried out:\n{lines}"}  # fmt: skip
        # Values may be private to the person: they go on to the tasks, not into the log.
        return {**result, "changed": False, "variables": variables, "_ansible_no_log": True}


def load_request(
    path: str | None, plans_file: str | None, secrets_dir: str | None, *, dry_run: bool = False
) -> dict[str, Any]:
    """The variables of the request file `path`: checked options, the frame, paths of secrets.

    With `dry_run` no secret is made. Raises RequestError with every fault by its place.
    """
    if not path:
        raise RequestError({"labyard_request": "say which request: -e labyard_request=FILE"})
    file = Path(path).expanduser().absolute()
    document = read_document(file)
    request = parse_request(document, _plans_for(document, plans_file))
    configuration = _find_configuration(request.plan)
    options = resolve_options(configuration, request)
    kept_in = Path(secrets_dir).expanduser().absolute() if secrets_dir else default_secrets_dir()
    folder = kept_in / request.subject.id
    return {
        **options,
        **_frame(request, options, _shape(request, configuration)),
        "labyard_secret_files": _secret_files(request, configuration, file, folder, dry_run),
        "labyard_secrets_folder": str(folder) if folder.is_dir() else "",
    }


def read_document(file: Path) -> Any:
    """The JSON document of the private file `file`.

    Raises RequestError if others may read it, if it is no JSON, or if it has a key that Ansible
    would take for an instruction.
    """
    try:
        with file.open("rb") as stream:
            about = os.fstat(stream.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise RequestError({"request": "is no ordinary file"})
            if about.st_mode & 0o077:
                mode = stat.S_IMODE(about.st_mode)
                raise RequestError({"request": f"others may read it (mode {mode:04o}): chmod 600 {file}"})
            text = stream.read(_LARGEST_REQUEST + 1)
    except OSError as error:
        raise RequestError({"request": f"cannot be read ({error.strerror})"}) from error
    if len(text) > _LARGEST_REQUEST:
        raise RequestError({"request": f"is larger than {_LARGEST_REQUEST // 1024} KiB"})
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError({"request": f"is not JSON: {error}"}) from error
    reserved = {place: "is a name that Ansible keeps for itself" for place in reserved_keys(document)}
    if reserved:
        raise RequestError(reserved)
    return document


def reserved_keys(node: Any, place: str = "") -> Iterator[str]:
    """The places of all keys in `node`, at any depth, that Ansible gives a meaning of its own."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            here = f"{place}.{key}".lstrip(".")
            if str(key).startswith(_RESERVED_KEY):
                yield here
            yield from reserved_keys(value, here)
    elif isinstance(node, list):
        for position, value in enumerate(node):
            yield from reserved_keys(value, f"{place}[{position}]")


def default_secrets_dir() -> Path:
    """Where secrets made for operators are kept, next to the console's other state."""
    return Path(os.environ.get("LABYARD_HOME") or ".local").expanduser().absolute() / "secrets"


def _plans_for(document: Any, plans_file: str | None) -> Mapping[str, PlanSpec]:
    """The catalogue, read only for a request that names its plan."""
    if not plans_file or not isinstance(document, Mapping) or not isinstance(document.get("plan"), str):
        return {}
    return read_plans(Path(plans_file).expanduser())


def _find_configuration(plan: PlanSpec) -> Configuration:
    """The configuration of `plan`; raises RequestError if there is none.

    One with a source was fetched, into a folder of its full name on Ansible's path of roles.
    """
    name = plan.configuration
    namespace, collection, role = name.split(".")
    if plan.source:
        places = [Path(folder) / name for folder in constants.DEFAULT_ROLES_PATH]
    else:
        try:
            package = importlib.import_module(f"ansible_collections.{namespace}.{collection}")
        except ImportError as error:
            problem = f"{name}: the collection {namespace}.{collection} is not installed"
            raise RequestError({"plan.configuration": problem}) from error
        places = [Path(folder) / "roles" / role for folder in package.__path__]
    role_path = next((place for place in places if (place / "meta" / "service.yml").is_file()), None)
    if role_path is None:
        problem = f"{name} is no service: it is no role with a meta/service.yml"
        raise RequestError({"plan.configuration": problem})
    try:
        return read_configuration(role_path, name)
    except ConfigurationError as error:
        raise RequestError({"plan.configuration": str(error)}) from error


def _shape(request: Request, configuration: Configuration) -> str:
    """The plan's shape that the request makes of the deployment: as it says, else by what it asks for."""
    if request.subject.shape is not None:
        return request.subject.shape
    install = configuration.phases["install"].fields if request.phase == "install" else ()
    defaults = {field.name: field.default for field in install}
    return shape_of(request.plan.shapes, {**defaults, **request.params, **request.plan.fixed})


def _frame(request: Request, options: Mapping[str, Any], shape: str) -> dict[str, Any]:
    """The variables that every service role gets, whatever its own options are."""
    subject = request.subject
    return {
        "labyard_configuration": request.plan.configuration,
        "labyard_phase": request.phase,
        "labyard_given": sorted(options),
        "labyard_steps_done": list(request.steps_done),
        "labyard_deployment": {
            "id": subject.id,
            "name": subject.name,
            "plan": subject.plan,
            "project": subject.project,
            "owner": subject.owner,
            "stack": subject.stack,
            "labels": subject.labels,
            "container_labels": subject.container_labels(shape),
        },
    }


def _secret_files(
    request: Request, configuration: Configuration, file: Path, folder: Path, dry_run: bool
) -> dict[str, str]:
    """A file for every secret of the service: given with the request, or made once and kept."""
    sizes = {secret.name: secret.size for secret in configuration.secrets}
    unknown = {
        f"secrets.{name}": f"is no secret of this service; known are: {', '.join(sizes) or 'none'}"
        for name in request.secrets
        if name not in sizes
    }
    if unknown:
        raise RequestError(unknown)
    missing = {name: size for name, size in sizes.items() if name not in request.secrets}
    install = request.phase == "install"
    try:
        given = write_secret_files(file.with_name(f"{file.name}.secrets"), request.secrets)
        kept = keep_secret_files(folder, missing, make=install, dry_run=dry_run)
    except SecretFileError as error:
        raise RequestError({"secrets": str(error)}) from error
    return {**kept, **given}
