"""A collection with one service that has all phases, needs no engine and is ready at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from .mark_collection import write_config

NAME = "labyard_test.cheap.sleeper"
TITLES = {
    "install": "Launch",
    "update": "Change",
    "start": "Start",
    "stop": "Stop",
    "scale": "Resize",
    "check": "Check",
    "remove": "Remove",
}
_HEALTH = {"stop": "stopped", "remove": "missing"}
_STEPS = ("Work", "Say the words", "Hand over the result")

# The options of install; what other phases take of them.
_OPTIONS: dict[str, dict[str, Any]] = {
    "words": {"description": "What it says.", "type": "str", "default": "nothing"},
    "size": {"description": "How large it is.", "type": "int", "default": 1},
    "settings": {"description": "What else it knows.", "type": "dict", "default": {}},
    "tags": {"description": "What it is called.", "type": "list", "elements": "str", "default": []},
    "born": {"description": "What never changes.", "type": "str", "default": "here"},
    "seconds": {"description": "How long a phase works.", "type": "int", "default": 0},
    "fails": {"description": "Whether a phase fails.", "type": "bool", "default": False},
    "keep_data": {"description": "Whether its data are kept.", "type": "bool", "default": True},
}
_TAKES = {
    "install": ("words", "size", "settings", "tags", "born", "seconds", "fails"),
    "update": ("words", "settings", "tags", "seconds", "fails"),
    "scale": ("size",),
    "remove": ("keep_data",),
}


def write_collection(folder: Path) -> Path:
    """Write the collection and an ansible.cfg that finds it below `folder`; the path of that.

    What a deployment says is written to the file `said/ID` there.
    """
    role = folder.joinpath("collections", "ansible_collections", *NAME.split(".")[:2], "roles", "sleeper")
    documents: dict[str, Any] = {
        "defaults/main.yml": {f"sleeper_{name}": about["default"] for name, about in _OPTIONS.items()},
        "meta/argument_specs.yml": {"argument_specs": {phase: _spec(phase) for phase in TITLES}},
        "meta/service.yml": {
            "title": "Sleeper",
            "summary": "Does nothing, with all phases.",
            "groups": [{"title": "All", "fields": list(_OPTIONS)}],
            "phases": {
                phase: {"title": title, "timeout": 300, "steps": list(_STEPS)}
                for phase, title in TITLES.items()
            },
        },
        **{f"tasks/{phase}.yml": _tasks(phase, folder / "said") for phase in TITLES},
    }
    (folder / "said").mkdir()
    for name, document in documents.items():
        path = role / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return write_config(folder)


def _spec(phase: str) -> dict[str, Any]:
    options: dict[str, Any] = {
        "labyard_deployment": {"description": "The deployment.", "type": "dict", "required": True},
        **{f"sleeper_{name}": dict(_OPTIONS[name]) for name in _TAKES.get(phase, ())},
    }
    return {"short_description": TITLES[phase], "options": options}


def _tasks(phase: str, said: Path) -> list[dict[str, Any]]:
    result = {
        "services": [],
        "endpoints": [],
        "volumes": [],
        "health": _HEALTH.get(phase, "running"),
        "message": f"{TITLES[phase]} is done.",
    }
    return [
        {
            "name": _STEPS[0],
            "ansible.builtin.command": "sleep {{ sleeper_seconds }}",
            "changed_when": "sleeper_fails",
            "failed_when": "sleeper_fails",
            "when": "sleeper_seconds > 0 or sleeper_fails",
        },
        {
            "name": _STEPS[1],
            "ansible.builtin.copy": {
                "content": "{{ sleeper_words }}\n",
                "dest": f"{said}/{{{{ labyard_deployment.id }}}}",
                "mode": "0600",
            },
            "when": phase in ("install", "update"),
        },
        {
            "name": _STEPS[2],
            "ansible.builtin.set_stats": {"data": {"labyard_result": result}, "aggregate": False},
            "register": "__sleeper_handed_over",
        },
    ]
