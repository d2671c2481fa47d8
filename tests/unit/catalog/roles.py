"""The files of a small service role that does nothing."""

from __future__ import annotations

SPECS = """
argument_specs:
  install:
    options:
      echo_text:
        description: What it says.
        type: str
        default: hello
      labyard_deployment:
        type: dict
        required: true
  remove: {}
"""

SIDECAR = """
title: Echo
icon: megaphone
summary: Says what you say.
groups:
  - title: Words
    fields: [text]
phases:
  install:
    timeout: 60
    steps: [Hand over the result]
  remove:
    timeout: 60
    steps: [Hand over the result]
"""

_TASKS = """---
- name: Hand over the result
  ansible.builtin.set_stats:
    data:
      labyard_result:
        services: []
        endpoints: []
        volumes: []
        health: {health}
        message: "{message}"
    aggregate: false
  register: __echo_handed_over
"""


def role_files(
    folder: str = "", *, specs: str = SPECS, sidecar: str = SIDECAR, message: str = "Said."
) -> dict[str, str]:
    """The role `echo` below `folder`: path to text."""
    at = f"{folder}/" if folder else ""
    return {
        f"{at}meta/argument_specs.yml": specs,
        f"{at}meta/service.yml": sidecar,
        f"{at}meta/main.yml": "dependencies: []\n",
        f"{at}defaults/main.yml": "echo_text: hello\n",
        f"{at}tasks/install.yml": _TASKS.format(health="running", message=message),
        f"{at}tasks/remove.yml": _TASKS.format(health="missing", message="Gone."),
    }
