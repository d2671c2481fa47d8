"""What a document takes from beside it: .env, include, extends, profiles, files and the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.compose import load_stack
from ansible_collections.labyard.platform.plugins.module_utils._stack.convert import Naming
from ansible_collections.labyard.platform.plugins.module_utils._stack.desired import DesiredStack
from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import ComposeError


def load(folder: Path, files: dict[str, str], *names: str, **options: Any) -> tuple[DesiredStack, list[str]]:
    """Write files and load those with these names (default: the first)."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    sources = [str(folder / name) for name in names or [next(iter(files))]]
    return load_stack(sources, Naming("s"), **{"variables": {}, **options})


def container(stack: DesiredStack, service: str = "web") -> dict[str, Any]:
    found: dict[str, Any] = stack.services[f"s_{service}"]["TaskTemplate"]["ContainerSpec"]
    return found


def test_dotenv_beside_the_first_file_fills_what_the_environment_lacks(tmp_path: Path) -> None:
    files = {
        "c.yml": "services: {web: {image: 'app:$TAG', environment: {A: $A, B: }}}",
        ".env": "TAG=1\nA=file\nB=b",
    }
    stack, _ = load(tmp_path, files, variables={"A": "environment"}, dotenv=True)
    assert container(stack)["Image"] == "app:1"
    assert container(stack)["Env"] == ["A=environment", "B=b"]


def test_dotenv_when_switched_off_then_variables_are_unset_and_said(tmp_path: Path) -> None:
    files = {"c.yml": "services: {web: {image: 'app:1$TAG'}}", ".env": "TAG=1"}
    stack, warnings = load(tmp_path, files)
    assert container(stack)["Image"] == "app:1"
    assert warnings == [
        f"{tmp_path}/c.yml: services.web.image: the variable TAG is not set, the empty text stands in for it."
    ]


def test_include_then_its_paths_and_dotenv_are_its_own(tmp_path: Path) -> None:
    files = {
        "c.yml": "include: [sub/db.yml]\nservices: {web: {image: app, networks: [back]}}",
        "sub/db.yml": "services: {db: {image: 'db:$TAG', volumes: ['./x:/x'], networks: [back]}}\n"
        "networks: {back: }",
        "sub/.env": "TAG=7",
    }
    stack, _ = load(tmp_path, files)
    assert sorted(stack.services) == ["s_db", "s_web"]
    assert container(stack, "db")["Image"] == "db:7"
    assert container(stack, "db")["Mounts"][0]["Source"] == str(tmp_path / "sub" / "x")


def test_include_in_long_form_then_files_are_merged_from_the_given_folder(tmp_path: Path) -> None:
    files = {
        "c.yml": "include:\n  - {path: [a.yml, sub/b.yml], project_directory: other, env_file: own.env}\n"
        "services: {web: {image: app}}",
        "a.yml": "services: {db: {image: 'db:$TAG'}}",
        "sub/b.yml": "services: {db: {volumes: ['./x:/x']}}",
        "own.env": "TAG=8",
    }
    stack, _ = load(tmp_path, files)
    assert container(stack, "db")["Image"] == "db:8"
    assert container(stack, "db")["Mounts"][0]["Source"] == str(tmp_path / "other" / "x")


def test_extends_then_own_keys_win_and_paths_start_from_the_other_file(tmp_path: Path) -> None:
    files = {
        "c.yml": "services:\n  web:\n    extends: {service: base, file: sub/base.yml}\n"
        "    environment: {B: 2}\n  two: {extends: web, image: two}",
        "sub/base.yml": "services:\n  base: {extends: root, environment: {A: 1, B: 1}, env_file: e.env}\n"
        "  root: {image: app:1, profiles: [never], user: '5'}",
        "sub/e.env": "C=3",
    }
    stack, _ = load(tmp_path, files)
    assert container(stack)["Image"] == "app:1"
    assert container(stack)["Env"] == ["A=1", "B=2", "C=3"]
    assert container(stack, "two")["User"] == "5"
    assert container(stack, "two")["Image"] == "two:latest"


def test_extends_in_a_second_file_then_found_from_the_first_and_its_own_paths_from_its_folder(
    tmp_path: Path,
) -> None:
    # https://docs.docker.com/reference/compose-file/services/#finding-referenced-service
    files = {
        "c.yml": "services: {web: {image: a}}",
        "over/c.yml": "services:\n  web: {extends: {service: base, file: sub/base.yml}, env_file: here.env}",
        "sub/base.yml": "services:\n  base: {extends: {service: root, file: deep/root.yml}, env_file: e.env}",
        "sub/deep/root.yml": "services:\n  root: {image: b, env_file: d.env, volumes: ['./data:/data']}",
        "sub/e.env": "E=1",
        "sub/deep/d.env": "D=1",
        "here.env": "HERE=1",
    }
    stack, _ = load(tmp_path, files, "c.yml", "over/c.yml")
    assert container(stack)["Env"] == ["D=1", "E=1", "HERE=1"]
    assert container(stack)["Mounts"][0]["Source"] == str(tmp_path / "sub" / "deep" / "data")
    missing = {"over/d.yml": "services: {web: {extends: {service: base, file: ../sub/base.yml}}}"}
    with pytest.raises(ComposeError, match=r"/sub/base\.yml: the file cannot be read") as caught:
        load(tmp_path, missing, "c.yml", "over/d.yml")
    assert str(caught.value).startswith(f"{tmp_path}/over/d.yml: services.web.extends.file: ")


@pytest.mark.parametrize(
    ("profiles", "services"),
    [([], ["s_web"]), (["debug"], ["s_shell", "s_web"]), (["*"], ["s_load", "s_shell", "s_web"])],
)
def test_profiles_then_only_services_of_the_chosen(
    profiles: list[str], services: list[str], tmp_path: Path
) -> None:
    text = (
        "services: {web: {image: a}, shell: {image: a, profiles: [debug]}, load: {image: a, profiles: [x]}}"
    )
    stack, _ = load(tmp_path, {"c.yml": text}, profiles=profiles)
    assert sorted(stack.services) == services


def test_contents_from_the_environment_and_inline(tmp_path: Path) -> None:
    text = (
        "services: {web: {image: a, secrets: [key], configs: [conf, extra]}}\n"
        "secrets: {key: {environment: KEY}}\n"
        "configs: {conf: {content: 'a: $KEY'}, extra: {environment: KEY}}"
    )
    stack, _ = load(tmp_path, {"c.yml": text}, variables={"KEY": "v"})
    assert stack.secrets["s_key"].data == b"v"
    assert stack.configs["s_conf"].data == b"a: v"
    assert stack.configs["s_extra"].data == b"v"


def test_env_file_in_long_form_then_absent_ones_may_be_optional(tmp_path: Path) -> None:
    text = "services: {web: {image: a, env_file: [{path: e.env}, {path: none.env, required: false}]}}"
    stack, _ = load(tmp_path, {"c.yml": text, "e.env": "A=1"})
    assert container(stack)["Env"] == ["A=1"]


def test_later_env_file_wins_over_earlier_environment(tmp_path: Path) -> None:
    files = {
        "a.yml": "services: {web: {image: a, environment: {A: first, B: first}}}",
        "b.yml": "services: {web: {env_file: e.env}}",
        "e.env": "A=file",
    }
    stack, _ = load(tmp_path, files, "a.yml", "b.yml")
    assert container(stack)["Env"] == ["A=file", "B=first"]


def test_what_has_no_effect_is_said(tmp_path: Path) -> None:
    text = (
        "name: other\nservices: {web: {image: a, restart: always, deploy: {restart_policy: {}}}}\n"
        "networks: {lonely: }\nvolumes: {lonely: }"
    )
    _, warnings = load(tmp_path, {"c.yml": text})
    assert [warning.removeprefix(f"{tmp_path}/c.yml: ").split(":")[0] for warning in warnings] == [
        "name",
        "services.web.restart",
        "networks.lonely",
        "volumes.lonely",
    ]


def test_unsupported_keys_when_they_are_errors_then_all_with_their_paths(tmp_path: Path) -> None:
    text = "services: {web: {image: a, privileged: true}, db: {image: a, ports: ['127.0.0.1:80:80']}}"
    with pytest.raises(ComposeError) as caught:
        load(tmp_path, {"c.yml": text}, unsupported="error")
    assert f"{tmp_path}/c.yml: services.web.privileged" in str(caught.value)
    assert f"{tmp_path}/c.yml: services.db.ports[0]" in str(caught.value)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"c.yml": "include: [c.yml]"}, "include: the file {folder}/c.yml leads back to itself"),
        ({"c.yml": "include: [none.yml]"}, "none.yml: the file cannot be read"),
        ({"c.yml": "include: {path: x}"}, "c.yml: include: a list is wanted"),
        (
            {"c.yml": "include: [d.yml]\nservices: {a: {image: b}}", "d.yml": "services: {a: {image: c}}"},
            "c.yml: services.a: an included file defines this too",
        ),
        ({"c.yml": "services: {a: {extends: b}}"}, "services.a.extends: the service 'b' is not defined"),
        ({"c.yml": "services: {a: {extends: b}, b: {extends: a}}"}, "extends: this service extends itself"),
        (
            {"c.yml": "services: {a: {extends: {file: d.yml, service: x}}}", "d.yml": "services: {}"},
            "the file {folder}/d.yml has no service 'x'",
        ),
        (
            {
                "c.yml": "services: {a: {extends: {file: d.yml, service: a}}}",
                "d.yml": "services: {a: {extends: {file: c.yml, service: a}}}",
            },
            "leads back to itself",
        ),
        ({"c.yml": "services: {a: {image: x, profiles: [p]}}"}, "name one of them in the option profiles"),
        (
            {"c.yml": "services: {a: {image: x}}\nsecrets: {k: {environment: K}}"},
            "secrets.k.environment: the variable K is not set",
        ),
        (
            {"c.yml": "services: {a: {image: x, env_file: e.env}}"},
            "services.a.env_file[0]: {folder}/e.env: the file cannot be read",
        ),
    ],
)
def test_wrong_neighbours_then_error_with_file_and_path(
    files: dict[str, str], words: str, tmp_path: Path
) -> None:
    with pytest.raises(ComposeError) as caught:
        load(tmp_path, files)
    assert words.replace("{folder}", str(tmp_path)) in str(caught.value)
