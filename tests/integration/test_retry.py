"""A retry goes on at the step that failed: what must not be done twice is not done twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.conftest import RunningConsole, wait_until
from tests.unit.catalog.git_server import GitServer

LOADER = "site.services.loader"
_SPECS = """
argument_specs:
  install:
    options:
      loader_folder: {description: Where it loads to., type: str, default: /nowhere}
      labyard_deployment: {type: dict, required: true}
  remove: {}
"""
_SIDECAR = """
title: Loader
icon: box
summary: Loads data once, then needs a ticket.
phases:
  install:
    timeout: 60
    steps:
      - {name: Load the data, repeat: false}
      - Show the ticket
      - Hand over the result
  remove:
    timeout: 60
    steps: [Hand over the result]
"""
_RESULT = """
- name: Hand over the result
  ansible.builtin.set_stats:
    data:
      labyard_result: {services: [], endpoints: [], volumes: [], health: running, message: Loaded.}
    aggregate: false
  register: __loader_handed_over
"""
_INSTALL = """---
- name: Load the data
  ansible.builtin.tempfile:
    path: "{{ loader_folder }}"
    prefix: loaded-
  when: "'Load the data' not in labyard_steps_done"

- name: Show the ticket
  ansible.builtin.slurp:
    src: "{{ loader_folder }}/ticket"
"""
ROLE = {
    "loader/meta/argument_specs.yml": _SPECS,
    "loader/meta/service.yml": _SIDECAR,
    "loader/meta/main.yml": "dependencies: []\n",
    "loader/defaults/main.yml": "loader_folder: /nowhere\n",
    "loader/tasks/install.yml": _INSTALL + _RESULT,
    "loader/tasks/remove.yml": "---" + _RESULT,
}


def make_plan(site: RunningConsole, git_server: GitServer, folder: Path) -> None:
    """The plan `loader`, which loads into `folder`, once its role was fetched."""
    git_server.commit("loader", ROLE)
    source = {"repository": git_server.url("loader"), "ref": "main", "path": "loader"}
    plan = {"name": "loader", "configuration": LOADER, "source": source, "fixed": {"folder": str(folder)}}
    answer = site.call("POST", "plans", plan)
    assert answer.status_code in (200, 201), answer.text
    wait_until(lambda: site.call("GET", "plans/loader").json()["available"], 60, "the plan was fetched")


def test_retry_leaves_out_the_step_that_was_done_and_must_not_be_repeated(
    site: RunningConsole, git_server: GitServer, unique: str, tmp_path: Path
) -> None:
    make_plan(site, git_server, tmp_path)
    failed = site.finish(site.issue(plan="loader", phase="install", name=unique, params={}))
    assert (failed["state"], states(failed)["Load the data"], states(failed)["Show the ticket"]) == (9, 5, 9)
    assert len(list(tmp_path.glob("loaded-*"))) == 1

    (tmp_path / "ticket").write_text("valid", encoding="utf-8")
    answer = site.call("POST", f"commands/{failed['id']}/retry")
    assert answer.status_code == 202, answer.text
    retried = site.finish(answer.json())
    assert (retried["state"], retried["retry_of"]) == (5, failed["id"]), retried
    assert set(states(retried).values()) == {5}
    assert len(list(tmp_path.glob("loaded-*"))) == 1, "it was not loaded again"

    again = site.finish(site.issue(deployment=failed["deployment"]["id"], phase="install"))
    assert again["state"] == 5, again
    assert len(list(tmp_path.glob("loaded-*"))) == 2, "a new command does everything"


def states(command: dict[str, Any]) -> dict[str, int]:
    return {task["name"]: task["state"] for task in command["tasks"]}
