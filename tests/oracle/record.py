"""Record what docker's own client sends for the compose files of the oracle: `python -m tests.oracle.record`.

The recordings are compared with what we send by tests/unit/stack/test_recorded_oracle.py, which needs neither
a client nor an engine. Record again after a change of the files, with a client of the version to be followed.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.oracle.docker_recorder import recorded_deploy
from tests.oracle.oracle import OUTSIDE, RECORDED, TOPICS, VARIABLES, write_files

RECORDINGS = Path(__file__).parent / "recorded"
#: Topics whose files only make sense together; of the others each file is a stack.
TOGETHER = ("files", "merge")
STACK = "s"
#: What stands in the recordings for the folder in which they were made.
SOMEWHERE = "/somewhere"
#: As VARIABLES, but the same each time; the home folder of the person is one of the paths of the recordings.
STEADY = {**VARIABLES, "ORACLE_VALUE": "value"}
_WIDTH = 100


def stacks(topic: str, base: Path) -> dict[str, list[str]]:
    """Write the files of a topic below `base`; the paths of each stack by its name."""
    folder = base / "project"
    folder.mkdir(exist_ok=True)
    paths = write_files(topic, folder)
    if topic in TOGETHER:
        return {topic: paths}
    return {Path(path).stem: [path] for path in paths}


def environment(base: Path) -> dict[str, str]:
    """The deployer's environment for files below `base`."""
    return {**STEADY, "HOME": str(base / "home")}


def without_paths(value: Any, base: Path) -> Any:
    """`value` with SOMEWHERE in place of `base`."""
    return json.loads(json.dumps(value).replace(str(base), SOMEWHERE))


def record(topic: str) -> dict[str, Any]:
    """What docker's client sends for each stack of a topic: bodies of create calls by kind and name."""
    cases = {}
    with tempfile.TemporaryDirectory() as temporary:
        base = Path(temporary)
        for name, paths in stacks(topic, base).items():
            outside = [OUTSIDE, f"{OUTSIDE}-{STEADY['ORACLE_VALUE']}"]
            calls = recorded_deploy(STACK, paths, base, outside, **environment(base))
            sent = {kind: {body["Name"]: body for body in bodies} for kind, bodies in calls.items() if bodies}
            cases[name] = without_paths(_without_nulls(sent), base)
    return cases


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def render(value: Any, indent: int = 0) -> str:
    """JSON with as much on a line as is easily read."""
    line = json.dumps(value, ensure_ascii=False, sort_keys=True)
    if not isinstance(value, dict | list) or len(line) + indent <= _WIDTH:
        return line
    inner = "\n" + " " * (indent + 1)
    if isinstance(value, Mapping):
        items = [f"{json.dumps(key)}: {render(value[key], indent + 1)}" for key in sorted(value)]
    else:
        items = [render(item, indent + 1) for item in value]
    start, end = "{}" if isinstance(value, Mapping) else "[]"
    return start + inner + f",{inner}".join(items) + "\n" + " " * indent + end


def main(topics: Sequence[str] = (*TOPICS, *RECORDED)) -> None:
    """Record all topics anew."""
    version = subprocess.run(
        ["docker", "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()
    RECORDINGS.mkdir(exist_ok=True)
    for topic in topics:
        document = {"client": version, "stacks": record(topic)}
        (RECORDINGS / f"{topic}.json").write_text(render(document) + "\n", encoding="utf-8")
        print(f"{topic}: {len(document['stacks'])} stacks")


if __name__ == "__main__":
    main()
