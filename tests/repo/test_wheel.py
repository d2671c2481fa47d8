"""The built wheel is whole: application, collection, plays, and works where nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

WITHIN = (
    "ansible_collections/labyard/platform/galaxy.yml",
    "ansible_collections/labyard/platform/meta/runtime.yml",
    "ansible_collections/labyard/platform/plugins/action/load_request.py",
    "ansible_collections/labyard/platform/plugins/module_utils/_request/labyard_result.schema.json",
    "ansible_collections/labyard/platform/plugins/modules/swarm_stack.py",
    "ansible_collections/labyard/platform/roles/notebook/meta/argument_specs.yml",
    "ansible_collections/labyard/platform/roles/notebook/meta/service.yml",
    "ansible_collections/labyard/platform/roles/notebook/tasks/install.yml",
    "labyard/billing/fonts/DejaVuSans-Bold.ttf",
    "labyard/billing/fonts/DejaVuSans.ttf",
    "labyard/billing/fonts/LICENSE.txt",
    "labyard/migrations/alembic.ini",
    "labyard/migrations/env.py",
    "labyard/migrations/script.py.mako",
    "labyard/playbooks/removal.yml",
    "labyard/playbooks/service.yml",
)
FOLDERS = ("labyard/templates/", "labyard/static/", "labyard/migrations/versions/")

# Run with the wheel's folder first on the path, from a folder that holds nothing.
LOOK = """
import sys
from pathlib import Path
import labyard
from labyard.app import create_app
from labyard.catalog.configurations import known_configurations
from labyard.migrate import upgrade_tables
from labyard.settings import read_settings

target = Path(sys.argv[1]).resolve()
from ansible_collections.labyard.platform.plugins.module_utils._request import spec
for module in (labyard, spec):
    assert Path(module.__file__).is_relative_to(target), module.__file__
settings = read_settings()
assert settings.playbook == target / "labyard" / "playbooks" / "service.yml", settings.playbook
app = create_app(settings)
with app.app_context():
    upgrade_tables()
assert "labyard.platform.notebook" in known_configurations()
answer = app.test_client().get("/sign-in")
assert answer.status_code == 200, answer.status_code
"""


def pip(*arguments: str) -> None:
    """Run pip with this interpreter."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(clean_copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a clean copy."""
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(clean_copy))
    (built,) = folder.glob("labyard-*.whl")
    return built


def test_wheel_when_built_then_it_holds_all_parts_and_no_others(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert not [name for name in WITHIN if name not in names]
    assert not [folder for folder in FOLDERS if not any(name.startswith(folder) for name in names)]
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {
        "ansible_collections",
        "labyard",
    }
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_wheel_when_installed_to_a_folder_then_console_and_collection_work(
    wheel: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    pip("install", "--no-deps", "--target", str(target), str(wheel))
    (tmp_path / "empty").mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "LABYARD_"))}
    environment |= {"PYTHONPATH": str(target), "LABYARD_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(target)],
        cwd=tmp_path / "empty",
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
