"""Backups with real restic: saved, proved, spoiled, forgotten, brought back."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._backup.saving import keep_given
from tests.conftest import wait_until
from tests.integration.backup_house import House, make_database, query
from tests.integration.debian_programs import ensure_program


@pytest.fixture(scope="module", autouse=True)
def _restic() -> None:
    ensure_program("restic", "restic")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all houses of this file stand, one after the other: snapshots know their paths.

    Each call of restic stretches the password for half a second, so what all begin with is made once.
    """
    folder = tmp_path_factory.mktemp("backup") / "house"
    make_database(folder_of(folder) / "labyard.db")
    (folder / "etc").mkdir()
    (folder / "etc" / "key").write_text("the key")
    (folder / "etc" / "key").chmod(0o600)
    (folder / "homes" / "ada").mkdir(parents=True)
    (folder / "homes" / "ada" / "work.ipynb").write_text("{}")
    house = house_in(folder)
    assert house.run("init") == {"changed": True}
    shutil.copytree(folder, folder.with_name("new"))
    done = house.run("save")
    assert [p["part"] for p in done["parts"]] == ["database:console", "dump:words", "files", "folders"]
    shutil.copytree(folder, folder.with_name("saved"))
    return folder


def folder_of(folder: Path) -> Path:
    folder.mkdir()
    return folder


def house_in(folder: Path) -> House:
    """A host with a database, a key and a folder of homes."""
    further = {
        "databases": [{"name": "console", "url": f"sqlite:///{folder}/labyard.db"}],
        "files": [str(folder / "etc")],
        "files_if_there": [str(folder / "nothing")],
        "folders": [str(folder / "homes")],
        "dumps": [{"name": "words", "command": ["echo", "a dump"]}],
    }
    return House(folder, further=further)


@pytest.fixture
def new(place: Path) -> House:
    """Nothing of it is saved yet."""
    shutil.rmtree(place)
    shutil.copytree(place.with_name("new"), place)
    return house_in(place)


@pytest.fixture
def house(place: Path) -> House:
    """All of it is saved."""
    shutil.rmtree(place)
    shutil.copytree(place.with_name("saved"), place)
    return house_in(place)


def test_save_when_all_is_well_then_each_part_is_there_and_proved(house: House) -> None:
    listed = house.run("list")["snapshots"]
    assert [s["part"] for s in listed] == [
        "database:console",
        "dump:words",
        "files:node1",
        f"folder:node1:{house.folder}/homes",
    ]
    proved = house.run("prove")
    rows = {p["part"]: p["files"] for p in proved["parts"]}
    assert rows["database:console"] == 101
    assert set(rows) == {"repository", "database:console", "dump:words", "files:node1", "trees"}
    assert not list((house.folder / "state" / "scratch").iterdir())


def test_save_when_somebody_writes_then_the_copy_is_of_one_moment(new: House) -> None:
    with closing(sqlite3.connect(new.folder / "labyard.db")) as writer:
        writer.execute("INSERT INTO users VALUES (1000, 'half a transaction', 0, NULL)")
        new.run("save")
        writer.rollback()
    new.run("prove")
    new.run("restore", "database", "console", f"--to=sqlite:///{new.folder}/copy.db")
    assert query(new.folder / "copy.db", "SELECT count(*) FROM users WHERE id = 1000") == [(0,)]


def test_save_when_little_changed_then_little_is_added(new: House) -> None:
    big = new.folder / "homes" / "ada" / "big"
    big.write_bytes(os.urandom(4_000_000))
    new.run("save")
    (new.folder / "homes" / "ada" / "new").write_text("a line")
    folders = next(p for p in new.run("save")["parts"] if p["part"] == "folders")
    assert folders["size"] > 4_000_000
    assert folders["added"] < 100_000


def test_repository_when_searched_then_no_secret_is_readable_in_it(house: House) -> None:
    found = [
        p for p in (house.folder / "repository").rglob("*") if p.is_file() and b"the key" in p.read_bytes()
    ]
    assert not found
    assert not [p for p in (house.folder / "state" / "staging").rglob("*") if p.is_file()]


def test_save_when_one_part_fails_then_the_others_are_saved_and_it_is_told(house: House) -> None:
    before = house.metrics()
    house.further["files"] = ["/no/such/file"]
    done = house.run("save", code=1)
    assert done["errors"] == [
        "files: /no/such/file is not there. Correct backup_files, or move it to backup_files_if_there."
    ]
    after = house.metrics()
    assert after['failed{part="files"}'] == 1
    assert after['failed{part="database:console"}'] == 0
    age = 'last_success_timestamp_seconds{part="%s"}'
    assert after[age % "files"] == before[age % "files"]
    assert after[age % "database:console"] > before[age % "database:console"]


def test_save_when_the_repository_is_gone_then_every_part_has_failed(house: House) -> None:
    shutil.rmtree(house.folder / "repository")
    done = house.run("save", code=1)
    assert len(done["errors"]) == 4
    assert "There is no repository" in done["errors"][0]
    assert house.metrics()['failed{part="database:console"}'] == 1


def test_save_when_the_password_is_wrong_then_it_says_so(new: House) -> None:
    new.password_file.write_text("another")
    done = new.run("save", code=1)
    assert "The password is not that of the repository" in done["errors"][0]


def test_prove_when_a_pack_is_spoiled_then_it_is_found(house: House) -> None:
    house.further["prove_percent"] = 100
    packs = [p for p in (house.folder / "repository" / "data").rglob("*") if p.is_file()]
    for pack in packs:
        pack.chmod(0o600)
        spoiled = bytearray(pack.read_bytes())
        spoiled[10] ^= 255
        pack.write_bytes(spoiled)
    assert any(e.startswith("repository: restic check") for e in house.run("prove", code=1)["errors"])
    assert house.metrics()['proof_failed{part="repository"}'] == 1


def test_prove_when_a_row_is_missing_in_the_dump_then_the_table_is_named(house: House) -> None:
    staged = house.folder / "state" / "staging" / "database" / "console"
    house.restic.restore(house.run("list", "--part=database:console")["snapshots"][0]["id"], "/")
    query(staged / "dump", "DELETE FROM users WHERE id = 7")
    query(staged / "dump", 'UPDATE "an odd ""name" SET word = \'other\'')
    house.restic.save("database:console", [str(staged)])
    (error,) = house.run("prove", code=1)["errors"]
    assert 'table an odd "name has other values in its 1 rows' in error
    assert "table users had 100 rows and has 99" in error


def test_keep_when_handed_over_again_then_only_what_has_changed_is_saved(new: House) -> None:
    settings, restic = new.settings, new.restic
    assert keep_given(settings, restic, "control", b"first")
    assert not keep_given(settings, restic, "control", b"first")
    assert keep_given(settings, restic, "control", b"second")
    (newest,) = [s for s in new.run("list")["snapshots"] if s["part"] == "kept:control"]
    assert restic.read(newest["id"], f"{settings.state}/staging/kept/control/dump") == "second"
    assert not (settings.state / "staging" / "kept" / "control").exists()


def test_restore_when_everything_is_lost_then_everything_comes_back(house: House) -> None:
    before = query(house.folder / "labyard.db", "SELECT * FROM users")
    for path in house.folder.glob("labyard.db*"):
        path.unlink()
    for gone in ("etc", "homes", "state"):
        house.folder.joinpath(gone).rename(house.folder / f"lost-{gone}")
    seen = house.run("restore", "host", "--existing=keep", "--check")
    assert seen["changed"]
    assert not (house.folder / "labyard.db").exists()
    done = house.run("restore", "host", "--existing=keep")
    assert [d["part"].partition(":")[0] for d in done["restored"]] == ["files", "database", "folder"]
    assert query(house.folder / "labyard.db", "SELECT * FROM users") == before
    key = house.folder / "etc" / "key"
    assert key.read_text() == "the key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert (house.folder / "homes" / "ada" / "work.ipynb").read_text() == "{}"
    assert not house.run("restore", "host", "--existing=keep")["changed"]


def test_restore_when_something_is_there_then_it_is_left_or_refused_or_replaced(house: House) -> None:
    query(house.folder / "labyard.db", "DELETE FROM users")
    (house.folder / "etc" / "key").write_text("a newer key")
    (house.folder / "homes" / "ada" / "newer").write_text("later work")
    kept = house.run("restore", "host", "--existing=keep")
    assert not kept["changed"]
    assert "left as it is" in kept["restored"][1]["message"].lower()
    assert "Say that it is to be replaced" in house.run("restore", "files", code=2)["error"]
    assert "has tables already" in house.run("restore", "database", "console", code=2)["error"]
    assert (house.folder / "etc" / "key").read_text() == "a newer key"
    assert house.run("restore", "host", "--existing=replace")["changed"]
    assert query(house.folder / "labyard.db", "SELECT count(*) FROM users") == [(100,)]
    assert (house.folder / "etc" / "key").read_text() == "the key"
    assert not (house.folder / "homes" / "ada" / "newer").exists()


def test_restore_when_a_folder_was_cut_off_then_the_next_run_goes_on(house: House) -> None:
    place = house.folder / "homes"
    mark = house.folder / "state" / "unfinished"
    mark.mkdir()
    (mark / f"folder%3Anode1%3A{str(place).replace('/', '%2F')}").touch()
    (place / "ada" / "work.ipynb").write_text("half")
    assert house.run("restore", "folder", str(place), "--existing=keep")["changed"]
    assert (place / "ada" / "work.ipynb").read_text() == "{}"
    assert not list(mark.iterdir())


def test_restore_when_a_time_is_given_then_it_is_the_state_of_then(house: House) -> None:
    first = house.run("list", "--part=files:node1")["snapshots"][0]["time"]
    (house.folder / "etc" / "key").write_text("a newer key")
    house.run("save")
    house.run("restore", "files", f"--at={first}", f"--to={house.folder}/then")
    assert (house.folder / f"then{house.folder}" / "etc" / "key").read_text() == "the key"
    refused = house.run("restore", "files", "--at=2001-01-01T00:00:00+00:00", code=2)
    assert "Choose a later time" in refused["error"]


def test_forget_when_there_are_many_then_the_newest_of_each_part_stay(house: House) -> None:
    house.further["keep"] = {"last": 1, "daily": 0, "weekly": 0, "monthly": 0}
    house.run("save")
    assert house.run("forget") == {"changed": True, "forgotten": 4}
    assert len(house.run("list")["snapshots"]) == 4
    assert house.run("forget") == {"changed": False, "forgotten": 0}


def test_forget_when_one_part_is_named_then_nothing_of_it_is_left(house: House) -> None:
    part = f"folder:node1:{house.folder}/homes"
    assert house.run("forget", f"--part={part}") == {"changed": True, "forgotten": 1}
    assert part not in [s["part"] for s in house.run("list")["snapshots"]]


def test_repository_when_reached_by_sftp_then_it_is_used_all_the_same(tmp_path: Path) -> None:
    ensure_program("sshd", "openssh-server", "ssh")  # its package brings the server for sftp
    make_database(tmp_path / "labyard.db")
    house = House(tmp_path, repository=f"sftp:backup@store.example.org:{tmp_path}/far")
    house.further = {
        "databases": [{"name": "console", "url": f"sqlite:///{tmp_path}/labyard.db"}],
        "options": ["sftp.command=/usr/lib/openssh/sftp-server"],
    }
    house.run("init")
    house.run("save")
    house.run("prove")
    assert (tmp_path / "far" / "config").is_file()


def test_repository_when_two_hosts_share_it_then_each_finds_its_own(house: House) -> None:
    other = House(house.folder / "other", host="node2", repository=house.repository)
    (other.folder / "key").write_text("node2's key")
    other.password_file.write_text(house.password_file.read_text())
    other.further = {"files": [str(other.folder / "key")]}
    assert other.run("init") == {"changed": False}
    other.run("save")
    (other.folder / "key").unlink()
    done = other.run("restore", "host", "--existing=keep")
    assert [d["part"] for d in done["restored"]] == ["files:node2"]
    assert (other.folder / "key").read_text() == "node2's key"


def test_forget_when_somebody_who_died_holds_the_repository_then_it_goes_on(house: House) -> None:
    writer = subprocess.Popen(
        ["restic", "backup", "--stdin"], stdin=subprocess.PIPE, env=house.restic.environment
    )
    locks = house.folder / "repository" / "locks"
    wait_until(lambda: list(locks.iterdir()), 20, "the repository is locked")
    writer.kill()
    writer.communicate()
    assert house.run("forget") == {"changed": False, "forgotten": 0}
