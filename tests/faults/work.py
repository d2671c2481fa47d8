"""What a run of the role in role.py does: leaves a mark, and makes or takes away a file.

`python work.py FOLDER DEPLOYMENT PHASE STEP SIZE SECONDS`. The file is FOLDER/DEPLOYMENT.resource and
holds SIZE. Each call appends a line "RUN PHASE STEP" to FOLDER/DEPLOYMENT.marks; STEP is "overlap" if
another call for the same deployment was under way. It needs nothing but Python.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path


def main() -> None:
    """Do one step of a phase."""
    place, deployment, phase, step, size, seconds = sys.argv[1:]
    folder = Path(place)
    run = Path(os.environ["AWX_ISOLATED_DATA_DIR"]).parents[1].name  # RUN/artifacts/run
    with (folder / f"{deployment}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            leave_mark(folder / f"{deployment}.marks", f"{run} {phase} overlap")
            raise SystemExit("another run is at work") from None
        leave_mark(folder / f"{deployment}.marks", f"{run} {phase} {step}")
        if step == "work":
            subprocess.run(["sleep", seconds], check=True)
            change(folder / f"{deployment}.resource", None if phase == "remove" else size)


def leave_mark(path: Path, line: str) -> None:
    """Append a line, whole or not at all."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


def change(path: Path, content: str | None) -> None:
    """Let the file hold `content`, or not be there for None; a second time changes nothing."""
    if content is None:
        path.unlink(missing_ok=True)
        return
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(content, encoding="ascii")
    draft.rename(path)


if __name__ == "__main__":
    main()
