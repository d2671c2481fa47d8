"""sslyze, a scanner for TLS, in an environment of its own: it wants an older `cryptography` than ours."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import REPOSITORY

_HOME = REPOSITORY / ".cache" / "sslyze"


def scan(address: str, name: str, ca: str) -> str:
    """What the scanner says of the server at `address` (HOST:PORT) when asked for `name`.

    The server is compared with Mozilla's "intermediate" configuration, its certificate with the file `ca`.
    """
    command = [
        _ensure_scanner(),
        f"--sni={name}",
        f"--certinfo_ca_file={ca}",
        "--mozilla_config=intermediate",
    ]
    done = subprocess.run([*command, address], capture_output=True, text=True, timeout=120, check=False)
    return done.stdout


def _ensure_scanner() -> str:
    program = _HOME / "bin" / "sslyze"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", str(_HOME)], check=True, capture_output=True)
        pip = [str(_HOME / "bin" / "pip"), "install", "--quiet", "sslyze>=6.3,<7"]
        subprocess.run(pip, check=True, capture_output=True)
    return str(program)
