"""Homes in a folder that nodes share: made, used by a notebook, put away, deleted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from ansible_collections.labyard.platform.plugins.module_utils._homes.folders import HomeFolders
from ansible_collections.labyard.platform.plugins.module_utils._homes.store import StoreError, read_store
from ansible_collections.labyard.platform.plugins.module_utils._stack.engine import connect_engine
from tests.integration.jupyter import compute
from tests.integration.notebook_play import TOKEN, deployment

IMAGE = "labyard/base:current"


def bind(folder: Path) -> dict[str, Any]:
    return {"driver": "local", "driver_opts": {"type": "none", "o": "bind", "device": f"{folder}/{{user}}"}}


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Path:
    folder = tmp_path / "homes"
    folder.mkdir()
    return folder


@pytest.fixture(name="folders")
def _folders(store: Path) -> Iterator[HomeFolders]:
    engine = connect_engine({})
    yield HomeFolders(engine, read_store(bind(store)), IMAGE)
    engine.close()


def test_home_when_made_and_put_away_then_it_is_the_users_alone_and_can_come_back(
    folders: HomeFolders, store: Path
) -> None:
    assert folders.ensure("ada", check_mode=True)
    assert list(store.iterdir()) == []
    assert folders.ensure("ada", check_mode=False)
    about = (store / "ada").stat()
    assert (about.st_uid, about.st_gid, about.st_mode & 0o777) == (1000, 1000, 0o700)
    assert not folders.ensure("ada", check_mode=False)
    assert folders.put_away("ada", check_mode=True)
    assert folders.put_away("ada", check_mode=False)
    assert not folders.put_away("ada", check_mode=False)
    (away,) = (store / ".removed").iterdir()
    assert folders.sweep(30, check_mode=False) == []
    os.utime(away, (0, 0))
    assert folders.sweep(30, check_mode=True) == [away.name]
    assert folders.sweep(30, check_mode=False) == [away.name]
    assert list((store / ".removed").iterdir()) == []


def test_store_when_marked_then_whoever_shares_it_reads_the_same(folders: HomeFolders, store: Path) -> None:
    assert folders.mark(check_mode=True) == ""
    mark = folders.mark(check_mode=False)
    assert len(mark) == 16
    assert folders.mark(check_mode=False) == mark
    (store / ".labyard-store").unlink()
    assert folders.mark(check_mode=True) == ""


def test_store_when_its_folder_is_not_there_then_that_is_said_and_nothing_is_left(
    folders: HomeFolders, store: Path, engine: docker.DockerClient
) -> None:
    store.rmdir()
    with pytest.raises(StoreError, match="Make the folder that homes lie in"):
        folders.ensure("ada", check_mode=False)
    assert folders.store.base_volume not in [volume.name for volume in engine.volumes.list()]


def test_notebook_when_its_home_is_in_the_store_then_files_are_there_and_outlive_it(
    store: Path, tmp_path: Path
) -> None:
    with deployment(tmp_path / "private", notebook_home=bind(store), notebook_home_keep_days=7) as one:
        done = one.run("install")
        assert done.code == 0, done.output
        url = done.result["endpoints"][0]["url"].removesuffix("/lab")
        compute(url, TOKEN, "from pathlib import Path; (Path.home() / 'note').write_text('kept'); 1")
        home = store / one.stack
        assert (home / "note").read_text() == "kept"
        # What an operator sets later is for later notebooks.
        one.settings["notebook_home"] = bind(tmp_path / "elsewhere")
        assert one.run("update", cpu_limit=0.5).code == 0
        one.settings["notebook_home"] = bind(store)
        assert one.run("remove", keep_data=False).code == 0
        assert not home.exists()
        (away,) = (store / ".removed").iterdir()
        assert (away / "note").read_text() == "kept"
        assert one.remains() == {}
