"""A service that needs no engine: a file that its phases make, change and take away, with a mark per step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.services.mark_collection import write_config

NAME = "labyard_test.faults.resource"
PLAN = "test-resource"
PHASES = ("install", "update", "remove")
WORK = Path(__file__).with_name("work.py")

_STEPS = {"begin": "Begin", "work": "Work"}
_RUNNING = {"name": "resource", "image": "none", "replicas": 1, "running": 1}
_THERE = {"services": [_RUNNING], "health": "running", "message": "It is there."}
_GONE = {"services": [], "endpoints": [], "health": "missing", "message": "It is gone."}


def write_collection(folder: Path, marks: Path) -> Path:
    """Write the collection and an ansible.cfg that finds it; the path of that.

    Parameters of install and update: `size`, what the file will hold; of all phases: `seconds` of work.
    The files are in `marks` (see work.py). A deployment has a secret, `token`, which the role reads.
    """
    role = folder.joinpath("collections", "ansible_collections", *NAME.split(".")[:2], "roles", "resource")
    phase = {"timeout": 170, "steps": list(_STEPS.values()), "idempotent": True}
    titles = {"install": "Launch", "update": "Change", "remove": "Remove"}
    documents: dict[str, Any] = {
        "defaults/main.yml": {"resource_seconds": 0, "resource_size": 1},
        "meta/argument_specs.yml": {"argument_specs": {name: _spec(name) for name in PHASES}},
        "meta/service.yml": {
            "title": "Resource",
            "summary": "Makes a file.",
            "groups": [{"title": "Work", "fields": ["size", "seconds"]}],
            "secrets": [{"name": "token", "generate": 32}],
            "phases": {name: {**phase, "title": titles[name]} for name in PHASES},
        },
        **{f"tasks/{name}.yml": _tasks(name, marks) for name in PHASES},
    }
    for name, document in documents.items():
        path = role / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return write_config(folder)


def _spec(phase: str) -> dict[str, Any]:
    options = {
        "labyard_deployment": {"description": "The deployment.", "type": "dict", "required": True},
        "resource_seconds": {"description": "How long it works.", "type": "float", "default": 0},
    }
    if phase != "remove":
        options["resource_size"] = {"description": "What the file holds.", "type": "int", "default": 1}
    return {"short_description": "Make, change or remove a file", "options": options}


def _tasks(phase: str, marks: Path) -> list[dict[str, Any]]:
    size = "0" if phase == "remove" else "{{ resource_size }}"
    words = ["{{ ansible_playbook_python }}", str(WORK), str(marks), "{{ labyard_deployment.id }}", phase]
    read = {"ansible.builtin.slurp": {"src": "{{ labyard_secret_files.token }}"}, "no_log": True}
    secret = [{"name": "Read the secret", **read}] if phase == "install" else []
    steps = [
        {
            "name": title,
            "ansible.builtin.command": {"argv": [*words, step, size, "{{ resource_seconds }}"]},
            "changed_when": step == "work",
        }
        for step, title in _STEPS.items()
    ]
    if phase == "remove":
        result: dict[str, Any] = _GONE
    else:
        result = {**_THERE, "endpoints": [{"name": "File", "url": "http://127.0.0.1/", "access": "token"}]}
    handed = {"data": {"labyard_result": result}, "aggregate": False}
    over = {"ansible.builtin.set_stats": handed, "register": "__resource_handed_over"}
    return [steps[0], *secret, *steps[1:], {"name": "Hand over the result", **over}]
