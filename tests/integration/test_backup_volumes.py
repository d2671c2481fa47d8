"""Homes in volumes: saved from inside of a container, brought back with their labels, one or all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._backup.errors import BackupError
from ansible_collections.labyard.platform.plugins.module_utils._backup.settings import parse_settings
from ansible_collections.labyard.platform.plugins.module_utils._backup.volumes import (
    Engine,
    Volume,
    parse_volume,
)
from tests.conftest import REPOSITORY
from tests.integration.backup_house import House
from tests.integration.debian_programs import ensure_program

HOME = "notebook-abcd1234_home"
LABELS = {"labyard.deployment": "abcd1234", "labyard.owner": "ada"}


@dataclass
class Homes:
    """A host whose volumes are folders of the test."""

    house: House
    programs: Path

    def run(self, *arguments: str, code: int = 0) -> dict[str, object]:
        """The program, which finds the command docker that stands in."""
        return self.house.run(*arguments, path=str(self.programs), code=code)

    def data(self, name: str) -> Path:
        """Where a volume's files are."""
        return self.programs / "volumes" / name / "data"

    def add(self, name: str, labels: dict[str, str]) -> None:
        """A volume with a file in it."""
        self.data(name).mkdir(parents=True)
        (self.data(name).parent / "about").write_text(json.dumps({"Driver": "local", "Labels": labels}))
        (self.data(name) / "work.txt").write_text(f"work in {name}")
        os.chown(self.data(name) / "work.txt", 1000, 1000)


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[Homes]:
    """One deployment's home and somebody else's volume; the home is saved."""
    ensure_program("restic", "restic")
    programs = tmp_path / "programs"
    (programs / "volumes").mkdir(parents=True)
    shutil.copy(REPOSITORY / "tests" / "integration" / "standing_in_docker.py", programs / "docker")
    (programs / "docker").chmod(0o755)
    house = House(tmp_path)
    house.further = {"volumes": {"image": "labyard/backup:current", "labels": ["labyard.deployment"]}}
    made = Homes(house, programs)
    made.add(HOME, LABELS)
    made.add("somebody-elses", {})
    house.run("init")
    made.run("save")
    yield made
    Path("/volumes").rmdir()


def test_homes_when_saved_then_only_labelled_volumes_are_and_they_are_proved(homes: Homes) -> None:
    listed = homes.run("list")["snapshots"]
    assert isinstance(listed, list)
    assert [s["part"] for s in listed] == [f"volume:{HOME}"]
    homes.run("prove")
    assert homes.house.metrics()['proof_failed{part="trees"}'] == 0


def test_homes_when_all_are_lost_then_they_come_back_with_owner_and_labels(homes: Homes) -> None:
    shutil.rmtree(homes.programs / "volumes")
    (homes.programs / "volumes").mkdir()
    assert homes.run("restore", "host", "--existing=keep")["changed"]
    work = homes.data(HOME) / "work.txt"
    assert work.read_text() == f"work in {HOME}"
    assert (work.stat().st_uid, work.stat().st_gid) == (1000, 1000)
    assert json.loads((homes.data(HOME).parent / "about").read_text())["Labels"] == LABELS
    assert [p.name for p in homes.data(HOME).iterdir()] == ["work.txt"]
    assert not homes.run("restore", "host", "--existing=keep")["changed"]


def test_home_when_one_is_wanted_then_it_is_refused_until_free_and_then_as_it_was(homes: Homes) -> None:
    (homes.data(HOME) / "work.txt").write_text("spoiled")
    (homes.data(HOME) / "newer").write_text("")
    refused = str(homes.run("restore", "volume", HOME, code=2)["error"])
    assert "There is something in the volume" in refused
    used = homes.data(HOME).parent / "used"
    used.write_text("notebook.1")
    refused = str(homes.run("restore", "volume", HOME, "--existing=replace", code=2)["error"])
    assert "notebook.1 works with the volume" in refused
    used.unlink()
    homes.run("restore", "volume", HOME, "--existing=replace")
    assert [p.name for p in homes.data(HOME).iterdir()] == ["work.txt"]
    assert (homes.data(HOME) / "work.txt").read_text() == f"work in {HOME}"


def test_home_in_a_store_when_it_was_put_away_then_it_comes_back_to_its_folder(homes: Homes) -> None:
    store = homes.programs / "store"
    home = store / "notebook-abcd1234"
    home.mkdir(parents=True)
    (home / "work.txt").write_text("kept")
    about = {
        "Driver": "local",
        "Labels": LABELS,
        "Options": {"type": "none", "o": "bind", "device": str(home)},
    }
    (homes.data(HOME).parent / "about").write_text(json.dumps(about))
    homes.run("save")
    (store / ".removed").mkdir()
    home.rename(store / ".removed" / home.name)
    assert homes.run("restore", "volume", HOME)["changed"]
    assert (home / "work.txt").read_text() == "kept"
    assert (store / ".removed" / home.name / "work.txt").read_text() == "kept"


def test_home_when_restored_beside_then_the_copy_is_no_part_of_the_deployment(homes: Homes) -> None:
    (homes.data(HOME) / "work.txt").write_text("of today")
    homes.run("restore", "volume", HOME, "--to=copy")
    assert (homes.data("copy") / "work.txt").read_text() == f"work in {HOME}"
    assert json.loads((homes.data("copy").parent / "about").read_text())["Labels"] == {}
    assert (homes.data(HOME) / "work.txt").read_text() == "of today"


def test_containers_when_started_then_they_have_no_rights_or_words_too_many(homes: Homes) -> None:
    calls = (homes.programs / "calls.log").read_text().splitlines()
    (saving,) = [c for c in calls if " backup --json " in c]
    for word in (
        "--cap-drop=ALL",
        "--cap-add=DAC_READ_SEARCH",
        "--read-only",
        "--network=none",
        "--pull=never",
    ):
        assert word in saving
    assert f"type=volume,source={HOME},target=/volumes/{HOME}/data,readonly" in saving
    assert "the repository's password" not in saving
    assert saving.count("--cap-add") == 1


def test_containers_when_the_repository_is_far_then_they_have_a_network_and_keys_by_name(
    tmp_path: Path,
) -> None:
    keys = tmp_path / "keys"
    keys.write_text("AWS_SECRET_ACCESS_KEY=secret")
    settings = parse_settings(
        {
            "host": "n",
            "repository": "s3:https://store.example.org/bucket",
            "password_file": "/p",
            "state": "/s",
            "environment_file": str(keys),
            "ssh_folder": "/etc/labyard/ssh",
            "volumes": {"image": "i"},
        }
    )
    command = Engine().to_save(settings, Volume("v"), tmp_path)(["restic", "backup"])
    assert "--network=host" in command
    assert "--env=AWS_SECRET_ACCESS_KEY" in command
    assert not [word for word in command if "secret" in word.split("=")[-1]]
    assert "--mount=type=bind,source=/etc/labyard/ssh,target=/ssh,readonly" in command
    assert command[-3:] == ["--entrypoint=restic", "i", "backup"]


def test_volume_when_described_then_it_is_read_again_the_same() -> None:
    volume = Volume("v", "nfs", {"a": "b"}, {"o": "addr=192.0.2.1"})
    assert parse_volume(volume.as_text()) == volume
    with pytest.raises(BackupError, match="description"):
        parse_volume("{}")


def test_engine_when_there_is_no_docker_then_it_is_said() -> None:
    with pytest.raises(BackupError, match="no program no-such-docker"):
        Engine("no-such-docker").has("x")


def test_volume_when_its_home_was_put_away_then_is_gone_and_else_it_is_missed(tmp_path: Path) -> None:
    options = {"type": "none", "o": "bind", "device": str(tmp_path / "homes" / "ada")}
    volume = Volume("v", "local", {}, options)
    assert not volume.is_gone, "the store is not mounted"
    (tmp_path / "homes" / ".removed").mkdir(parents=True)
    assert volume.is_gone
    (tmp_path / "homes" / "ada").mkdir()
    assert not volume.is_gone
    assert not Volume("v").is_gone


def test_volume_when_a_hubs_homes_lie_in_it_then_is_no_home() -> None:
    hub = {"labyard.hub": "labyard-hub"}
    assert Volume("labyard-hub-home-store-all", labels=hub).is_store
    assert not Volume("labyard-hub-home-all", labels={**hub, "labyard.owner": "all"}).is_store
    assert not Volume("labyard-hub_data", labels=hub).is_store
