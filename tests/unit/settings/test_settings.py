"""Settings: what an address becomes, and where secrets come from."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from labyard.errors import InvalidInput
from labyard.settings import Settings, read_settings

PASSWORD = "p@ss/w:rd?#%"


def read(home: Path, **variables: str) -> Settings:
    return read_settings({"LABYARD_HOME": str(home), **variables})


def test_settings_when_nothing_is_said_then_lie_in_files_of_the_home(tmp_path: Path) -> None:
    settings = read(tmp_path)
    assert settings.database_url == f"sqlite:///{tmp_path}/labyard.db"
    assert settings.queue_url == f"{tmp_path}/queue.db"


@pytest.mark.parametrize("kind", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_when_named_then_is_reached_with_our_driver_and_holds_the_queue(
    tmp_path: Path, kind: str
) -> None:
    settings = read(tmp_path, LABYARD_DATABASE_URL=f"{kind}://labyard@db.example/console")
    assert settings.database_url == "postgresql+psycopg://labyard@db.example/console"
    assert settings.queue_url == settings.database_url


def test_database_of_another_kind_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"mysql:// is neither sqlite:/// nor postgresql://"):
        read(tmp_path, LABYARD_DATABASE_URL="mysql://db.example/console")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://labyard@db.example:5432/console?sslmode=require",
        "postgresql://labyard:old@db.example/console",
        "postgresql://labyard@/console?host=/run/postgresql",
    ],
)
def test_password_when_in_a_file_then_stands_in_the_address_as_it_is(tmp_path: Path, url: str) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    settings = read(tmp_path, LABYARD_DATABASE_URL=url, LABYARD_DATABASE_PASSWORD_FILE=str(file))
    made, before = make_url(settings.database_url), make_url(url)
    assert made.password == PASSWORD
    assert (made.username, made.host, made.port, made.database, made.query) == (
        before.username,
        before.host,
        before.port,
        before.database,
        before.query,
    )
    assert PASSWORD not in repr(settings)


def test_password_of_redis_when_in_a_file_then_stands_in_the_address(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("secret\n")
    variables = {
        "LABYARD_QUEUE_URL": "redis://queue.example:6379/1",
        "LABYARD_QUEUE_PASSWORD_FILE": str(file),
    }
    assert read(tmp_path, **variables).queue_url == "redis://:secret@queue.example:6379/1"


@pytest.mark.parametrize("variable", ["LABYARD_DATABASE_PASSWORD_FILE", "LABYARD_KEY_FILE"])
def test_secret_when_its_file_is_missing_then_the_variable_is_named(tmp_path: Path, variable: str) -> None:
    missing = str(tmp_path / "missing")
    with pytest.raises(InvalidInput, match=rf"{variable}: .*missing cannot be read"):
        read(tmp_path, LABYARD_DATABASE_URL="postgresql://labyard@db/console", **{variable: missing}).key()


def test_key_when_many_processes_start_at_once_then_is_the_same_for_all(tmp_path: Path) -> None:
    settings = read(tmp_path / "home")
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: settings.key(), range(8)))
    assert len(keys) == 1
    assert [p.name for p in (tmp_path / "home").iterdir()] == ["secret_key"]
    assert (tmp_path / "home" / "secret_key").stat().st_mode & 0o777 == 0o600


def test_key_when_a_file_is_named_then_is_that_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("shared\n")
    settings = replace(read(tmp_path / "home"), key_file=tmp_path / "key")
    assert settings.key() == "shared"
