# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Inventory plugin: the deployments of a console as hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
name: deployments
version_added: 0.1.0
short_description: Deployments of a Labyard console
author: The Labyard authors (@labyard)
description:
  - Makes a host of each deployment that the owner of the key may see, with what the console knows of it in
    variables that begin with C(labyard_).
  - What people wrote, such as names and parameters, comes as data. It is never taken for a template.
  - The file must have a name that ends in C(deployments.yml), C(deployments.yaml), C(labyard.yml) or
    C(labyard.yaml).
extends_documentation_fragment:
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
options:
  plugin:
    description: Names this plugin.
    type: str
    required: true
    choices: [labyard.platform.deployments]
  url:
    description: Address of the console, such as V(https://labyard.example.org).
    type: str
    required: true
    env:
      - name: LABYARD_URL
  api_key:
    description: Key to the console.
    type: str
    required: true
    env:
      - name: LABYARD_API_KEY
  validate_certs:
    description: Check the certificate of the console.
    type: bool
    default: true
  ca_path:
    description: File with the certificates of authorities that are trusted besides those of the system.
    type: path
  timeout:
    description: Seconds that one call may take.
    type: int
    default: 30
  hostname:
    description:
      - What names the hosts.
      - Where V(name) stands for several deployments, as of different owners, each gets its id added, as in
        C(demo-k3v9x2ab).
    type: str
    choices: [name, id, stack]
    default: name
  filters:
    description:
      - Which deployments, by C(name), C(search), C(plan), C(project), C(owner), C(state), C(health) and
        C(removed), as in M(labyard.platform.service_deployment_info).
    type: dict
    default: {}
seealso:
  - plugin: labyard.platform.service_deployment_info
    plugin_type: module
"""

EXAMPLES = r"""
# All of them, in groups such as plan_notebook and health_running.
# The url and the key come from LABYARD_URL and LABYARD_API_KEY.
plugin: labyard.platform.deployments
keyed_groups:
  - key: labyard_plan
    prefix: plan
  - key: labyard_health
    prefix: health
groups:
  broken: labyard_state == 'FAILED'
compose:
  # All play on this machine, which looks at them from outside.
  ansible_connection: "'local'"
  address: labyard_endpoints | map(attribute='url') | first | default('')
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

from ansible_collections.labyard.platform.plugins.module_utils._console.errors import ConsoleError
from ansible_collections.labyard.platform.plugins.module_utils._console.listing import (
    FILTERS,
    STATES,
    list_deployments,
)
from ansible_collections.labyard.platform.plugins.module_utils._console.options import connect_console

_SUFFIXES = ("deployments.yml", "deployments.yaml", "labyard.yml", "labyard.yaml")
# What a host has as `labyard_<name>`: a closed list, so that the console can set no other variable.
_SHOWN = (
    "id", "name", "plan", "project", "owner", "health", "health_detail", "message", "stack", "params",
    "endpoints", "services", "volumes", "created_at", "updated_at",
)  # fmt: skip


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """See DOCUMENTATION."""

    NAME = "labyard.platform.deployments"

    def verify_file(self, path: str) -> bool:
        """Whether the file at `path` may be one of this plugin's, by its name."""
        return bool(super().verify_file(path)) and path.endswith(_SUFFIXES)

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Add the deployments to `inventory`; raises AnsibleParserError in words."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        deployments = self._read_deployments(self.get_cache_key(path), cache)
        for host, deployment in name_hosts(deployments, self.get_option("hostname")).items():
            self._add_host(host, deployment)

    def _read_deployments(self, key: str, cache: bool) -> list[dict[str, Any]]:
        """From the cache where that is on and has them, else from the console."""
        kept = self.get_option("cache")
        if kept and cache and key in self._cache:
            found: list[dict[str, Any]] = self._cache[key]
            return found
        names = ("url", "api_key", "validate_certs", "ca_path", "timeout")
        try:
            client = connect_console({name: self._text_option(name) for name in names})
            deployments = list_deployments(client, self._read_filters())
        except ConsoleError as error:
            raise AnsibleParserError(str(error)) from error
        if kept:
            self._cache[key] = deployments
        return deployments

    def _text_option(self, name: str) -> Any:
        """An option of the file; one that is a template, such as a lookup of the key, is filled in."""
        value = self.get_option(name)
        return self.templar.template(value) if isinstance(value, str) else value

    def _read_filters(self) -> Mapping[str, Any]:
        filters: Mapping[str, Any] = self.get_option("filters")
        strange = sorted(set(filters) - set(FILTERS))
        if strange:
            raise AnsibleParserError(f"filters: {', '.join(strange)} is none of: {', '.join(FILTERS)}.")
        if filters.get("state") is not None and filters["state"] not in STATES:
            raise AnsibleParserError(f"filters.state must be one of: {', '.join(STATES)}.")
        return filters

    def _add_host(self, host: str, deployment: Mapping[str, Any]) -> None:
        self.inventory.add_host(host)
        variables = describe_host(deployment)
        for name, value in variables.items():
            self.inventory.set_variable(host, name, value)
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, host, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, host, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, host, strict=strict)


def name_hosts(deployments: list[dict[str, Any]], by: str) -> dict[str, dict[str, Any]]:
    """The deployments by the name of their host: `by` is name, id or stack. None gets lost."""
    count = Counter(deployment[by] for deployment in deployments)
    return {d[by] if count[d[by]] == 1 else f"{d[by]}-{d['id']}": d for d in deployments}


def describe_host(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """The variables of a deployment's host."""
    return {
        **{f"labyard_{name}": deployment[name] for name in _SHOWN},
        "labyard_state": deployment["state_name"],
    }
