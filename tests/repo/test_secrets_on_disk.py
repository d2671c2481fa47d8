"""What the play writes beside a request is what the console takes away: two parts, one agreement."""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.labyard.platform.plugins.action.load_request import load_request
from labyard.runs.folder import forget_secrets
from labyard.settings import write_private

SECRET = "a-token-that-nobody-may-find"


def test_run_folder_when_secrets_are_forgotten_then_no_file_of_it_holds_one(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    request = {
        "plan": {"name": "notebook", "configuration": "labyard.platform.notebook"},
        "phase": "install",
        "name": "demo",
        "secrets": {"token": SECRET},
    }
    write_private(folder / "request.json", json.dumps(request))
    variables = load_request(str(folder / "request.json"), None, str(tmp_path / "kept"))
    assert Path(variables["labyard_secret_files"]["token"]).read_text() == SECRET

    forget_secrets(folder)

    assert not [path for path in folder.rglob("*") if path.is_file() and SECRET in path.read_text()]
