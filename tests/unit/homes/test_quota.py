"""Limits of homes, as they are asked of xfs_quota."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).resolve().parents[3] / "collection/roles/storage/files/labyard_quota.py"
XFS = "/dev/sda1 / ext4 rw,relatime 0 0\n/dev/sdb1 {} xfs rw,attr2,inode64,prjquota 0 0\n"


@pytest.fixture(name="quota")
def _quota() -> Iterator[ModuleType]:
    found = importlib.util.spec_from_file_location("labyard_quota", FILE)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules["labyard_quota"] = module
    found.loader.exec_module(module)
    yield module
    del sys.modules["labyard_quota"]


def test_limits_when_homes_come_and_change_then_only_what_is_new_is_asked(
    quota: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("ada", "bob", ".removed"):
        (tmp_path / name).mkdir()
    asked: list[str] = []

    def run(command: list[str]) -> None:
        assert [*command[:3], command[4]] == ["xfs_quota", "-x", "-c", "/mnt"]
        asked.append(command[3])

    def give(limit: int, exceptions: dict[str, int]) -> list[str]:
        asked.clear()
        noted = quota.read_notes(tmp_path / quota.NOTE)
        notes = quota.give_limits(tmp_path, limit, exceptions, noted, run, Path("/mnt"))
        quota.write_notes(tmp_path / quota.NOTE, notes)
        return asked

    assert give(100, {}) == [
        f"project -s -p {tmp_path}/ada 100000",
        "limit -p bhard=100m 100000",
        f"project -s -p {tmp_path}/bob 100001",
        "limit -p bhard=100m 100001",
    ]
    assert capsys.readouterr().out == "ada: 100 MiB\nbob: 100 MiB\n"
    assert give(100, {}) == []
    assert give(100, {"bob": 500}) == ["limit -p bhard=500m 100001"]
    (tmp_path / "cem").mkdir()
    (tmp_path / "ada").rmdir()
    assert give(100, {"bob": 500}) == [f"project -s -p {tmp_path}/cem 100002", "limit -p bhard=100m 100002"]


def test_mount_when_the_folder_is_on_xfs_with_quotas_then_it_is_found(quota: ModuleType) -> None:
    assert quota.mount_of(Path("/srv/homes"), XFS.format("/srv")) == Path("/srv")


@pytest.mark.parametrize("mounts", [XFS.format("/elsewhere"), XFS.format("/srv").replace(",prjquota", "")])
def test_mount_when_there_are_no_quotas_then_it_says_so(quota: ModuleType, mounts: str) -> None:
    with pytest.raises(quota.QuotaError, match="mounted with the option prjquota"):
        quota.mount_of(Path("/srv/homes"), mounts)


def test_program_when_it_cannot_give_limits_then_it_ends_with_a_sentence(
    quota: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "settings"
    settings.write_text(f'{{"folder": "{tmp_path}", "limit": 1, "exceptions": {{}}}}')
    monkeypatch.setattr(sys, "argv", ["labyard-quota", str(settings)])
    with pytest.raises(SystemExit, match="prjquota"):
        quota.main()
