"""How much room images take, and what `docker login` has kept."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._registry.advice import advice_on
from ansible_collections.labyard.platform.plugins.module_utils._registry.credentials import (
    Credentials,
    find_credentials,
)
from ansible_collections.labyard.platform.plugins.module_utils._registry.engine import LocalImage
from ansible_collections.labyard.platform.plugins.module_utils._registry.errors import RegistryError
from ansible_collections.labyard.platform.plugins.module_utils._registry.room import bytes_for

HOST = "registry.example.org:5000"


def image(size: int, *layers: str) -> LocalImage:
    return LocalImage(id="".join(layers), size=size, layers=layers, names=(), digests=())


def test_room_when_images_grow_on_each_other_then_shared_layers_count_once() -> None:
    base, middle, top = image(100, "a"), image(130, "a", "b"), image(150, "a", "b", "c")
    assert bytes_for([top, base, middle], []) == 150


def test_room_when_the_base_is_there_then_only_the_rest_counts() -> None:
    assert bytes_for([image(130, "a", "b"), image(40, "x")], [image(100, "a")]) == 70


def test_room_when_an_image_is_there_under_another_name_then_it_takes_none() -> None:
    assert bytes_for([image(100, "a")], [image(100, "a")]) == 0


def keep(folder: Path, **content: object) -> Path:
    (folder / "config.json").write_text(json.dumps(content))
    return folder


def encoded(text: str) -> dict[str, str]:
    return {"auth": base64.b64encode(text.encode()).decode()}


def test_credentials_when_a_password_is_kept_then_the_engine_gets_it_as_it_wants_it(tmp_path: Path) -> None:
    found = find_credentials(keep(tmp_path, auths={HOST: encoded("ada:pass:word")}), HOST)
    assert found == Credentials(HOST, "ada", "pass:word")
    said = json.loads(base64.urlsafe_b64decode(found.header()))
    assert said == {"username": "ada", "password": "pass:word", "serveraddress": HOST}


def test_credentials_when_nobody_logged_in_then_there_are_none(tmp_path: Path) -> None:
    assert find_credentials(tmp_path, HOST) is None
    assert find_credentials(keep(tmp_path, auths={"other": encoded("a:b")}), HOST) is None


def test_credentials_when_a_helper_keeps_them_then_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = tmp_path / "docker-credential-mine"
    helper.write_text(
        f'#!/bin/sh\n[ "$(cat)" = {HOST} ] && echo \'{{"Username": "<token>", "Secret": "s"}}\'\n'
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert find_credentials(keep(tmp_path, credHelpers={HOST: "mine"}), HOST) == Credentials(HOST, token="s")
    assert find_credentials(keep(tmp_path, credsStore="mine"), "other") is None


@pytest.mark.parametrize("text", ["no json", json.dumps({"auths": {HOST: {"auth": "é"}}})])
def test_credentials_when_the_file_is_broken_then_that_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(RegistryError, match=r"log in"):
        find_credentials(tmp_path, HOST)


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("write /var/lib/docker/tmp/x: no space left on device", "A disk is full"),
        ("Get https://r/v2/: x509: certificate signed by unknown authority", "does not trust registry"),
        ("no basic auth credentials", "wants credentials"),
        ("something new", "Look at the log of registry"),
    ],
)
def test_advice_when_something_was_said_then_it_fits(said: str, advice: str) -> None:
    assert advice in advice_on(said, "registry")
