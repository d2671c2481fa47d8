# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates of the swarm: texts such as ``{{.Node.Hostname}}`` that each container gets filled in. Pure.

The swarm takes ``{{`` for the start of a template in the values of the environment, in the hostname, and in
the sources, targets, labels and driver options of mounts, and nowhere else in a service. It knows no switch
for that; a template that gives the text ``{{`` is the one way to have it arrive as it is. Fields:
https://docs.docker.com/reference/cli/docker/service/create/#create-services-using-templates
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_START = "{{"
_START_AS_TEXT = '{{ "{{" }}'


def escape_templates(text: str) -> str:
    """A text that the swarm turns into ``text``."""
    return text.replace(_START, _START_AS_TEXT)


def unescape_templates(text: str) -> str:
    """What :func:`escape_templates` was given; other templates stay as they are."""
    return text.replace(_START_AS_TEXT, _START)


def with_literal_text(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A ServiceSpec whose texts arrive in the containers as they stand in ``spec``."""
    template = spec["TaskTemplate"]
    container = {**template["ContainerSpec"]}
    if "Env" in container:
        container["Env"] = [_escape_value(entry) for entry in container["Env"]]
    if "Hostname" in container:
        container["Hostname"] = escape_templates(container["Hostname"])
    if "Mounts" in container:
        container["Mounts"] = [_literal_mount(mount) for mount in container["Mounts"]]
    return {**spec, "TaskTemplate": {**template, "ContainerSpec": container}}


def _escape_value(entry: str) -> str:
    """``NAME=value``; the name is never taken for a template."""
    name, equals, value = entry.partition("=")
    return f"{name}{equals}{escape_templates(value)}"


def _literal_mount(mount: Mapping[str, Any]) -> dict[str, Any]:
    result = {**mount, **{key: escape_templates(mount[key]) for key in ("Source", "Target") if key in mount}}
    options = {**mount.get("VolumeOptions", {})}
    if "Labels" in options:
        options["Labels"] = _literal_values(options["Labels"])
    if "DriverConfig" in options:
        driver = options["DriverConfig"]
        options["DriverConfig"] = {**driver, "Options": _literal_values(driver.get("Options", {}))}
    return {**result, "VolumeOptions": options} if "VolumeOptions" in mount else result


def _literal_values(texts: Mapping[str, str]) -> dict[str, str]:
    return {key: escape_templates(text) for key, text in texts.items()}
