"""A collection with one service that needs no engine: each of its runs leaves a mark in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.conftest import REPOSITORY

NAME = "labyard_test.marks.mark"
STEPS = ("Begin", "Wait", "End")


def write_collection(folder: Path, marks: Path) -> Path:
    """Write the collection and an ansible.cfg that finds it; the path of that.

    A run of `install` appends `begin HOST` to the file of its deployment in `marks`, waits for `seconds`
    (a parameter; a fifth of it where another run has begun before), and appends `end HOST`.
    """
    role = folder.joinpath("collections", "ansible_collections", *NAME.split(".")[:2], "roles", "mark")
    options = {
        "labyard_deployment": {"description": "The deployment.", "type": "dict", "required": True},
        "mark_seconds": {"description": "How long it waits.", "type": "int", "default": 0},
    }
    phase = {"title": "Launch", "timeout": 600, "steps": list(STEPS), "idempotent": True}
    documents: dict[str, Any] = {
        "defaults/main.yml": {"mark_seconds": 0},
        "tasks/install.yml": _tasks(marks),
        "meta/argument_specs.yml": {
            "argument_specs": {"install": {"short_description": "Leave a mark", "options": options}}
        },
        "meta/service.yml": {
            "title": "Mark",
            "summary": "Leaves a mark.",
            "groups": [{"title": "Time", "fields": ["seconds"]}],
            "phases": {"install": phase},
        },
    }
    for name, document in documents.items():
        path = role / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return write_config(folder)


def _tasks(marks: Path) -> list[dict[str, Any]]:
    file = f"{marks}/{{{{ labyard_deployment.id }}}}"

    def leave(word: str) -> dict[str, Any]:
        return {"ansible.builtin.raw": f'echo "{word} $(hostname)" >> {file}', "changed_when": True}

    result = {"services": [], "endpoints": [], "health": "running", "message": "Marked."}
    return [
        {"name": STEPS[0], **leave("begin")},
        {
            "name": STEPS[1],
            "ansible.builtin.shell": f"""
                if [ "$(grep -c begin {file})" = 1 ]
                then sleep {{{{ mark_seconds }}}}
                else sleep {{{{ mark_seconds // 5 }}}}
                fi
            """,
            "changed_when": False,
            "when": "mark_seconds > 0",
        },
        {"name": STEPS[2], **leave("end")},
        {
            "name": "Hand over the result",
            "ansible.builtin.set_stats": {"data": {"labyard_result": result}, "aggregate": False},
            "register": "__mark_handed_over",
        },
    ]


def write_config(folder: Path) -> Path:
    """The repository's ansible.cfg with this collection beside its own."""
    text = (REPOSITORY / "ansible.cfg").read_text(encoding="utf-8")
    places = f"{folder / 'collections'}:{REPOSITORY / '.collections'}"
    text = text.replace("collections_path = .collections", f"collections_path = {places}")
    text = text.replace(
        "inventory = inventories/local", f"inventory = {REPOSITORY / 'inventories' / 'local'}"
    )
    path = folder / "ansible.cfg"
    path.write_text(text, encoding="utf-8")
    return path
