#!/usr/bin/env python3
"""Stands in for the command docker, with folders for volumes.

`docker run` starts the program in a mount namespace of its own, in which volumes and folders lie where
`--mount` says, read-only where it says so: what a container would see of them is real. The rest of
the machine is visible, and rights are not taken away.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(os.environ.get("STANDING_IN_ROOT") or Path(__file__).resolve().parent / "volumes")


def main(words: list[str]) -> int:
    """One command of docker's."""
    with (ROOT.parent / "calls.log").open("a") as log:
        log.write(shlex.join(words) + "\n")
    match words:
        case ["volume", "ls", "--quiet", *filters]:
            print("\n".join(p.name for p in sorted(ROOT.iterdir()) if all(fits(p, f) for f in filters)))
        case ["volume", "inspect", name]:
            print(json.dumps([about(ROOT / name)]))
        case ["volume", "create", *options, name]:
            if not (ROOT / name).exists():
                create(ROOT / name, options)
        case ["ps", chosen, _format]:
            used = ROOT / chosen.removeprefix("--filter=volume=") / "used"
            print(used.read_text() if used.exists() else "")
        case ["run", *rest]:
            return run(rest)
        case _:
            print(f"this stands in for docker, which knows no {words}", file=sys.stderr)
            return 1
    return 0


def create(volume: Path, options: list[str]) -> None:
    """A volume: a folder of its own, or one of the host's, which docker does not make."""
    chosen = {
        kind: dict(o.removeprefix(f"--{kind}=").split("=", 1) for o in options if o.startswith(f"--{kind}="))
        for kind in ("label", "opt")
    }
    volume.mkdir(parents=True)
    told = {"Driver": "local", "Labels": chosen["label"], "Options": chosen["opt"] or None}
    (volume / "about").write_text(json.dumps(told))
    if not chosen["opt"]:
        (volume / "data").mkdir()


def data_of(volume: Path) -> str:
    """Where the volume's files are."""
    options = about(volume)["Options"]
    return options["device"] if isinstance(options, dict) else str(volume / "data")


def about(volume: Path) -> dict[str, object]:
    """A volume as docker describes it."""
    return {"Name": volume.name, "Options": None, **json.loads((volume / "about").read_text())}


def fits(volume: Path, chosen: str) -> bool:
    """Whether a filter takes the volume; names fit by a part of them, as with docker."""
    kind, _, value = chosen.removeprefix("--filter=").partition("=")
    labels = about(volume)["Labels"] or {}
    return value in volume.name if kind == "name" else value.partition("=")[0] in labels


def run(words: list[str]) -> int:
    """Start the entrypoint where the mounts are."""
    options = [w for w in words if w.startswith("--")]
    options = options[: next(i for i, w in enumerate(words) if not w.startswith("--"))]
    arguments = words[len(options) + 1 :]  # behind the image's name
    script = ["set -e", "mkdir -p /tmp", f"mount -t tmpfs none {shlex.quote(place_of_volumes())}"]
    for option in options:
        if option.startswith("--mount="):
            script += mount(option.removeprefix("--mount="))
    program = next(o.removeprefix("--entrypoint=") for o in options if o.startswith("--entrypoint="))
    script.append(f"exec {shlex.join([program, *arguments])}")
    return subprocess.run(["unshare", "--mount", "sh", "-c", "\n".join(script)], check=False).returncode


def place_of_volumes() -> str:
    """A folder that is there for mounts, hidden by a new file system in each namespace."""
    Path("/volumes").mkdir(exist_ok=True)
    return "/volumes"


def mount(text: str) -> list[str]:
    """Commands for one --mount."""
    fields = dict(part.partition("=")[::2] for part in text.split(","))
    source = data_of(ROOT / fields["source"]) if fields["type"] == "volume" else fields["source"]
    target = fields["target"]
    if source == target:
        return []
    lines = [f"mkdir -p {shlex.quote(target)}", f"mount --bind {shlex.quote(source)} {shlex.quote(target)}"]
    return lines + ([f"mount -o remount,bind,ro {shlex.quote(target)}"] if "readonly" in fields else [])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
