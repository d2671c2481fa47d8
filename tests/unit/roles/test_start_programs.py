"""What the images `database` and `queue` make of their settings, and the package in the image `console`."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from .role_table import ROLES

FILES = ROLES / "image" / "files"


def load(path: Path) -> ModuleType:
    """The program of an image, as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def database() -> ModuleType:
    return load(FILES / "database" / "start_database.py")


@pytest.fixture(scope="module")
def queue() -> ModuleType:
    return load(FILES / "queue" / "start_queue.py")


def test_database_when_configured_then_is_tuned_to_its_memory_and_options_win(database: Any) -> None:
    settings = database.Settings([], memory=1024, connections=50, options={"work_mem": "it's 3MB"})
    text = database.configuration(settings, database.Places(packages=Path("/nowhere")))
    lines = dict(line.split(" = ", 1) for line in text.splitlines())
    assert lines["shared_buffers"] == "'256MB'"
    assert lines["effective_cache_size"] == "'768MB'"
    assert lines["work_mem"] == "'it''s 3MB'"
    assert lines["max_connections"] == "'50'"
    assert lines["ssl"] == "'on'"


def test_database_when_its_data_are_of_another_version_then_says_what_to_do(
    database: Any, tmp_path: Path
) -> None:
    (tmp_path / "packages" / "15" / "bin").mkdir(parents=True)
    (tmp_path / "packages" / "9" / "bin").mkdir(parents=True)
    (tmp_path / "PG_VERSION").write_text("13\n", encoding="ascii")
    places = database.Places(data=tmp_path, packages=tmp_path / "packages")
    with pytest.raises(SystemExit, match=r"PostgreSQL 13, and this is 15.*pg_dump"):
        database.ensure_data(places)


def test_queue_when_configured_then_nobody_comes_in_without_tls_and_the_password_is_hashed(
    queue: Any,
) -> None:
    settings = queue.Settings("labyard", "a secret", 200, {"appendfsync": "always"})
    lines = queue.configuration(settings, queue.Places()).splitlines()
    assert "port 0" in lines
    assert "user default off" in lines
    assert "maxmemory 120mb" in lines
    assert "appendfsync always" in lines
    assert not any("a secret" in line for line in lines)


def test_package_when_put_together_from_what_is_installed_then_has_the_same_files(tmp_path: Path) -> None:
    program = FILES / "console_package.py"
    built = tmp_path / "built"
    built.mkdir()
    done = subprocess.run(
        [sys.executable, str(program), str(built)], capture_output=True, text=True, check=True
    )
    said = json.loads(done.stdout)
    assert any(text.startswith("ansible-core") for text in said["requires"])
    assert not any("extra" in text for text in said["requires"])

    installed = tmp_path / "installed"
    with zipfile.ZipFile(said["wheel"]) as archive:
        names = set(archive.namelist())
        archive.extractall(installed)
    again = tmp_path / "again"
    again.mkdir()
    (about,) = installed.glob("*.dist-info")
    module = load(program)
    module.put_together(PathDistribution(about), again)
    (wheel,) = again.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert set(archive.namelist()) == names
        assert archive.testzip() is None
    assert module.requires(wheel) == said["requires"]
    assert wheel.name == Path(said["wheel"]).name
