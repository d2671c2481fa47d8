"""What is decided without any program: settings, addresses, retention, notes, comparisons."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._backup import sqlite
from ansible_collections.labyard.platform.plugins.module_utils._backup.errors import BackupError
from ansible_collections.labyard.platform.plugins.module_utils._backup.fingerprint import (
    Table,
    as_document,
    differences,
    from_document,
    hash_rows,
)
from ansible_collections.labyard.platform.plugins.module_utils._backup.notes import (
    Note,
    Outcome,
    note_proved,
    note_saved,
    read_notes,
    render_metrics,
    write_notes,
)
from ansible_collections.labyard.platform.plugins.module_utils._backup.proving import choose
from ansible_collections.labyard.platform.plugins.module_utils._backup.psql import find_server, server_inside
from ansible_collections.labyard.platform.plugins.module_utils._backup.restic import (
    Snapshot,
    read_environment,
)
from ansible_collections.labyard.platform.plugins.module_utils._backup.retention import gone, keep_arguments
from ansible_collections.labyard.platform.plugins.module_utils._backup.settings import (
    Keep,
    Settings,
    parse_settings,
    read_settings,
)
from ansible_collections.labyard.platform.plugins.module_utils._backup.trees import (
    copy_files,
    file_differences,
    listing_differences,
    plan_back,
    put_back,
)

NOW = datetime(2030, 5, 1, 12, tzinfo=UTC)
LEAST: dict[str, Any] = {"host": "n", "repository": "/r", "password_file": "/p", "state": "/s"}


def snapshot(part: str, days: int, name: str = "") -> Snapshot:
    return Snapshot(name or f"{part}{days}", part, "n", NOW - timedelta(days=days), ("/x",))


def test_settings_when_read_then_lists_of_things_are_things() -> None:
    found = parse_settings(
        {
            **LEAST,
            "databases": [{"name": "console", "url": "sqlite:////x"}],
            "volumes": {"image": "i", "labels": ["l"]},
        }
    )
    assert found.databases[0].name == "console"
    assert found.volumes
    assert found.volumes.labels == ("l",)
    assert found.keep == Keep()


def test_settings_when_the_ssh_folder_is_in_the_home_then_it_is_that_of_who_runs_it() -> None:
    assert parse_settings({**LEAST, "ssh_folder": "~/.ssh"}).ssh_folder == str(Path.home() / ".ssh")
    assert parse_settings(LEAST).ssh_folder == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"colour": "red"}, "colour is not known"),
        ({"databases": [{"name": "a"}]}, "url"),
        ({"databases": [{"name": "a", "url": "u"}] * 2}, "the same name"),
    ],
)
def test_settings_when_wrong_then_the_reason_is_said(change: dict[str, Any], words: str) -> None:
    with pytest.raises(BackupError, match=words):
        parse_settings({**LEAST, **change})


def test_settings_when_there_are_none_then_the_next_step_is_said(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="Run the role backup"):
        read_settings(tmp_path / "none")


@pytest.mark.parametrize(
    ("url", "address", "password"),
    [
        ("postgresql://ada:a%2Fb@db.example.org/lab", "postgresql://ada@db.example.org/lab", "a/b"),
        ("postgresql+psycopg://ada@db.example.org:5433/lab?sslmode=verify-full",
         "postgresql://ada@db.example.org:5433/lab?sslmode=verify-full", ""),
        ("postgresql:///lab?host=/run/postgresql", "postgresql:///lab?host=%2Frun%2Fpostgresql", ""),
        ("postgresql://ada@/lab?host=/x&port=1", "postgresql://ada@/lab?host=%2Fx&port=1", ""),
    ],
)  # fmt: skip
def test_server_when_found_then_the_password_is_no_part_of_its_address(
    url: str, address: str, password: str
) -> None:
    found = find_server(url)
    assert (found.address, found.password) == (address, password)
    assert found.name == "lab"
    assert found.database("other").address == address.replace("/lab", "/other")
    assert found.environment().get("PGPASSWORD", "") == password


def test_server_when_asked_inside_then_it_is_by_its_socket_and_tables_are_the_owners() -> None:
    found = server_inside("postgresql://ada@database/lab", ("docker", "exec", "-i", "abc"))
    assert found.address == "postgresql://postgres@/lab?host=%2Frun%2Fpostgresql"
    assert (found.password, found.role) == ("", "ada")
    assert found.command("psql", "-q") == ["docker", "exec", "-i", "abc", "psql", "-q"]
    aside = found.database("other")
    assert aside.address == "postgresql://postgres@/other?host=%2Frun%2Fpostgresql"
    assert (aside.inside, aside.role) == (found.inside, "")


@pytest.mark.parametrize("url", ["mysql://x/y", "postgresql://host", ""])
def test_server_when_the_address_is_none_then_it_is_refused(url: str) -> None:
    with pytest.raises(BackupError, match="postgresql://USER@HOST/NAME"):
        find_server(url)


def test_environment_when_read_then_keys_of_the_store_are_in_it(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("# of the store\nAWS_ACCESS_KEY_ID=ada\nAWS_SECRET_ACCESS_KEY=a=b\n")
    found = read_environment(parse_settings({**LEAST, "environment_file": str(keys)}))
    assert (found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"]) == ("ada", "a=b")
    assert (found["RESTIC_REPOSITORY"], found["RESTIC_PASSWORD_FILE"]) == ("/r", "/p")


def test_keep_when_given_then_only_counts_above_zero_are_asked_for() -> None:
    assert keep_arguments(Keep()) == ["--keep-daily=7", "--keep-weekly=5", "--keep-monthly=12"]
    with pytest.raises(BackupError, match="at least one"):
        keep_arguments(Keep(daily=0, weekly=0, monthly=0))


def test_gone_when_nothing_was_saved_for_long_then_all_of_the_part_goes() -> None:
    # What is saved only when it changes may be old.
    kept = [snapshot("volume:a", 200), snapshot("volume:a", 3), snapshot("kept:control", 200)]
    ended = [snapshot("volume:b", 200), snapshot("volume:b", 91)]
    assert gone([*kept, *ended], NOW, 90) == ["volume:b200", "volume:b91"]
    assert gone([*kept, *ended], NOW, 0) == []


def test_choose_when_asked_each_day_then_every_home_has_its_turn() -> None:
    homes = list("abcdefg")
    seen = [choose(homes, 3, day) for day in range(7)]
    assert seen[:3] == [list("abc"), list("def"), list("gab")]
    assert set("".join(h for day in seen[:3] for h in day)) == set(homes)
    assert choose(homes[:2], 3, 5) in (["a", "b"], ["b", "a"])
    assert choose([], 3, 5) == []


def test_notes_when_a_part_fails_then_its_last_success_stays(tmp_path: Path) -> None:
    first = note_saved({}, [Outcome("files", 1.5, 3, 10, 5), Outcome("old", 1)], 100)
    later = note_saved(note_proved(first, [Outcome("repository")], 150), [Outcome("files", error="why")], 200)
    assert later == {
        "files": Note(200, 100, 0, 10, 5, "why"),
        "repository": Note(proof_tried=150, proved=150),
    }
    write_notes(tmp_path, later, str(tmp_path / "metrics" / "x.prom"))
    assert read_notes(tmp_path) == later
    assert (tmp_path / "metrics" / "x.prom").read_text() == render_metrics(later)


def test_metrics_when_rendered_then_prometheus_reads_them() -> None:
    text = render_metrics({'a "b"': Note(1893456000.5, 1893456000.5, 2, 3, 4, "", 5, 5)})
    assert 'labyard_backup_last_success_timestamp_seconds{part="a \\"b\\""} 1893456000.5\n' in text
    assert text.count("# TYPE labyard_backup_failed gauge\n") == 1
    assert 'proof_failed{part="a \\"b\\""} 0\n' in text


def test_differences_when_tables_are_other_then_each_is_named() -> None:
    saved = {"a": Table(1, "x"), "b": Table(2, "y"), "c": Table(3, "z")}
    assert from_document(as_document(saved)) == saved
    assert differences(saved, saved) == []
    assert differences(saved, {"b": Table(2, "other"), "c": Table(4, "z"), "d": Table(0, "0")}) == [
        "table a is missing",
        "table d was not saved",
        "table b has other values in its 2 rows",
        "table c had 3 rows and has 4",
    ]


def test_rows_when_hashed_then_their_order_is_no_matter_but_their_number_is() -> None:
    rows: list[tuple[Any, ...]] = [(1, "a", None), (2, b"\x00", 0.5)]
    assert hash_rows(rows) == hash_rows(reversed(rows))
    assert hash_rows(rows) != hash_rows([*rows, rows[0]])
    assert hash_rows([(1, "a")]) != hash_rows([("1", "a")])


def test_sqlite_when_the_file_is_broken_or_missing_then_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="There is no database"):
        sqlite.copy_database(tmp_path / "none", tmp_path / "copy")
    (tmp_path / "broken").write_bytes(b"no database at all" * 100)
    with pytest.raises(BackupError, match="broken"):
        sqlite.copy_database(tmp_path / "broken", tmp_path / "copy")
    with pytest.raises(BackupError, match="broken"):
        sqlite.read_fingerprint(tmp_path / "broken")


def test_files_when_copied_and_put_back_then_content_and_modes_are_the_same(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "inner").mkdir(parents=True, mode=0o750)
    (source / "inner" / "key").write_text("k")
    (source / "inner" / "key").chmod(0o640)
    (source / "link").symlink_to("inner/key")
    sums = copy_files([str(source)], [str(tmp_path / "none")], tmp_path / "tree")
    assert set(sums) == {f"{source}/inner/key"}
    target = tmp_path / "target"
    target.mkdir()
    assert plan_back(tmp_path / "tree", target, sums) == ([f"{source}/inner/key"], [])
    put_back(tmp_path / "tree", target, sums)
    restored = target / f"{source}/inner/key".lstrip("/")
    assert (restored.read_text(), restored.stat().st_mode & 0o777) == ("k", 0o640)
    assert restored.parent.stat().st_mode & 0o777 == 0o750
    restored.write_text("other")
    assert plan_back(tmp_path / "tree", target, sums) == ([], [f"{source}/inner/key"])
    with pytest.raises(BackupError, match="backup_files_if_there"):
        copy_files([str(tmp_path / "none")], [], tmp_path / "tree")


def test_trees_when_compared_then_what_is_other_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("12")
    (tmp_path / "b").write_text("")
    nodes = [
        {"path": "/a", "type": "file", "size": 2},
        {"path": "/a", "type": "file", "size": 3},
        {"path": "/b", "type": "dir"},
        {"path": "/c", "type": "file", "size": 1},
    ]
    assert listing_differences(nodes, tmp_path) == [
        "/a has 2 bytes, not 3",
        "/b is no folder",
        "/c is missing",
    ]
    assert file_differences({"/a": "1", "/b": "2"}, {"/b": "3", "/c": "4"}) == [
        "/a is missing",
        "/c was not saved",
        "/b has another content",
    ]


def test_settings_when_made_in_code_then_they_have_the_defaults_of_the_role() -> None:
    made = Settings("n", "/r", Path("/p"), Path("/s"))
    assert (made.prove_trees, made.prove_percent, made.lock_wait) == (3, 5, 3600)
