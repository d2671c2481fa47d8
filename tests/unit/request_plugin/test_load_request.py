"""The request file: read safely, refused in words, handed over as plain values."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.action.load_request import load_request, reserved_keys
from ansible_collections.labyard.platform.plugins.module_utils._request.request import RequestError

CONFIGURATION = "labyard.platform.notebook"
PLAN = {"name": "notebook", "configuration": CONFIGURATION}
NOT_A_SERVICE, NOT_A_ROLE = "labyard.platform.image", "labyard.platform.nope"
PAYLOADS = ["{{ lookup('pipe', 'touch MARK') }}", "{% set x = 1 %}", "$(touch MARK)", "{# no #}"]


def a_request(**changes: Any) -> dict[str, Any]:
    return {"plan": PLAN, "phase": "install", "name": "demo", "params": {}} | changes


@pytest.fixture
def load(tmp_path: Path) -> Any:
    """Write a document as a request file and load it."""

    def call(document: Any, mode: int = 0o600, plans: Any = None, dry_run: bool = False) -> dict[str, Any]:
        file = tmp_path / "request.json"
        file.write_text(document if isinstance(document, str) else json.dumps(document))
        file.chmod(mode)
        plans_file = tmp_path / "plans.yml"
        plans_file.write_text(json.dumps(plans or []))
        return load_request(str(file), str(plans_file), str(tmp_path / "kept"), dry_run=dry_run)

    return call


@pytest.fixture
def errors_of(load: Any) -> Any:
    def call(*args: Any, **kwargs: Any) -> dict[str, str]:
        with pytest.raises(RequestError) as caught:
            load(*args, **kwargs)
        return caught.value.errors

    return call


def test_load_request_when_sound_then_options_and_frame(load: Any) -> None:
    about = {"id": "k3f9x2ab", "project": "p", "owner": "ada"}
    found = load(a_request(params={"cpu_limit": "2", "environment": {"A": 1}}, deployment=about))
    assert found["notebook_cpu_limit"] == 2.0
    assert found["notebook_environment"] == {"A": "1"}
    assert found["labyard_given"] == ["notebook_cpu_limit", "notebook_environment"]
    assert (found["labyard_phase"], found["labyard_configuration"]) == ("install", CONFIGURATION)
    labels = {
        "labyard.deployment": "k3f9x2ab",
        "labyard.plan": "notebook",
        "labyard.project": "p",
        "labyard.owner": "ada",
    }
    assert found["labyard_deployment"] == {
        **about,
        "name": "demo",
        "plan": "notebook",
        "stack": "notebook-k3f9x2ab",
        "labels": labels,
        "container_labels": labels,
    }


@pytest.mark.parametrize(
    ("changes", "shape"),
    [
        ({"params": {"cpu_limit": "2"}}, "large"),
        ({"params": {"cpu_limit": 0.7}}, None),
        ({}, "usual"),
        ({"phase": "scale", "params": {"memory_limit": 1024}}, None),
        ({"params": {"cpu_limit": 2}, "deployment": {"shape": "as the console says"}}, "as the console says"),
        ({"params": {"cpu_limit": 2}, "deployment": {"shape": ""}}, None),
    ],
)
def test_load_request_when_a_plan_has_shapes_then_containers_say_which(
    load: Any, changes: dict[str, Any], shape: str | None
) -> None:
    plan = {**PLAN, "shapes": {"usual": {"cpu_limit": 1.0}, "large": {"cpu_limit": 2.0}}}
    about = load(a_request(plan=plan, **changes))["labyard_deployment"]
    assert about["container_labels"].get("labyard.shape") == shape
    assert "labyard.shape" not in about["labels"], "networks and volumes keep theirs"


def test_load_request_when_the_plan_is_a_name_then_it_is_looked_up_and_its_values_are_fixed(
    load: Any, errors_of: Any
) -> None:
    plans = [{**PLAN, "name": "small", "fixed": {"cpu_limit": 0.5, "image_prefix": "ours"}}]
    found = load(a_request(plan="small"), plans=plans)
    assert (found["notebook_cpu_limit"], found["notebook_image_prefix"]) == (0.5, "ours")
    assert "cpu_limit" in errors_of(a_request(plan="small", params={"cpu_limit": 2}), plans=plans)
    assert "small" in errors_of(a_request(plan="nope"), plans=plans)["plan"]


def test_load_request_when_no_file_is_named_then_says_how() -> None:
    with pytest.raises(RequestError, match="-e labyard_request=FILE"):
        load_request(None, None, None)


@pytest.mark.parametrize(
    ("document", "place", "words"),
    [
        ("{", "request", "is not JSON"),
        ("[" * 100_000, "request", "is not JSON"),
        ('"x"', "request", "must be a mapping"),
        (" " * (1024 * 1024 + 1), "request", "is larger than 1024 KiB"),
        (a_request(extra=1), "extra", "is not a key of a request"),
        (a_request(phase="explode"), "phase", "must be one of: install"),
        (a_request(name="-x"), "name", "must be 1 to 63"),
        (a_request(params={"cpulimit": 1}), "cpulimit", "did you mean cpu_limit?"),
        (a_request(params={"image_prefix": "evil"}), "image_prefix", "is not a parameter here"),
        (a_request(params={"cpu_limit": 999}), "cpu_limit", "must be between 0.1 and 64 cores"),
        (a_request(params={"cpu_limit": []}), "cpu_limit", "must be a number"),
        (a_request(params={"memory_limit": 1.5}), "memory_limit", "must be a whole number"),
        (a_request(params={"memory_limit": 255}), "memory_limit", "must be between 256 and"),
        (a_request(params={"idle_timeout": -1}), "idle_timeout", "must be between 0 and"),
        (a_request(params={"image_flavour": "huge"}), "image_flavour", "minimal, datascience"),
        (a_request(params={"keep_data": False}), "keep_data", "is not a parameter here"),
        (a_request(secrets={"token": "short"}), "secrets", "8 to 1024"),
        (a_request(secrets={"other": "long-enough"}), "secrets.other", "is no secret of this service"),
        (a_request(deployment={"id": "../../x"}), "deployment.id", "must match"),
        (a_request(plan={**PLAN, "configuration": NOT_A_SERVICE}), "plan.configuration", "no service"),
        (a_request(plan={**PLAN, "configuration": NOT_A_ROLE}), "plan.configuration", "no service"),
        (a_request(plan={**PLAN, "configuration": "no.such.role"}), "plan.configuration", "not installed"),
        (a_request(plan={**PLAN, "configuration": "../../x"}), "plan.configuration", "must be the full name"),
    ],
)  # fmt: skip
def test_load_request_when_wrong_then_the_place_and_the_reason(
    errors_of: Any, document: Any, place: str, words: str
) -> None:
    assert words in errors_of(document)[place]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o610])
def test_load_request_when_others_may_read_it_then_says_chmod(errors_of: Any, mode: int) -> None:
    assert "chmod 600 " in errors_of(a_request(), mode)["request"]


def test_load_request_when_it_is_a_device_then_refused() -> None:
    with pytest.raises(RequestError, match="is no ordinary file"):
        load_request(os.devnull, None, None)


@pytest.mark.parametrize(
    "package",
    ["-r/etc/passwd", "--index-url=http://x", "../x", "a b", "git+https://x", "x @ http://y", "a\nb", "a;b"],
)  # fmt: skip
def test_load_request_when_a_package_is_more_than_a_name_then_refused(errors_of: Any, package: str) -> None:
    assert "pip_packages" in errors_of(a_request(params={"pip_packages": [package]}))


@pytest.mark.parametrize(
    "package", ["requests", "pandas==2.2.3", "dask[array,distributed]>=2024.1,<2026", "a", "Flask-WTF~=1.2"]
)
def test_load_request_when_a_package_has_extras_and_versions_then_taken(load: Any, package: str) -> None:
    assert load(a_request(params={"pip_packages": [package]}))["notebook_pip_packages"] == [package]


@pytest.mark.parametrize(
    "name",
    ["LABYARD_IDLE_TIMEOUT", "LD_PRELOAD", "JUPYTER_TOKEN", "PATH", "HOME", "A-B", "A=B", "1A", "", "A\n"],
)
def test_load_request_when_a_variable_is_the_services_own_then_refused(errors_of: Any, name: str) -> None:
    assert "environment" in errors_of(a_request(params={"environment": {name: "x"}}))


@pytest.mark.parametrize("name", ["PATHS", "HOME_PAGE", "PYTHONPATH", "_x"])
def test_load_request_when_a_variable_is_the_persons_then_taken(load: Any, name: str) -> None:
    assert load(a_request(params={"environment": {name: "x"}}))["notebook_environment"] == {name: "x"}


@pytest.mark.parametrize("key", ["__ansible_unsafe", "__ansible_vault", "__ansible_type"])
def test_load_request_when_ansible_would_obey_a_key_then_refused_at_its_place(
    errors_of: Any, key: str
) -> None:
    trap = {key: PAYLOADS[0]}
    assert f"params.environment.{key}" in errors_of(a_request(params={"environment": trap}))
    assert f"params.pip_packages[0].{key}" in errors_of(a_request(params={"pip_packages": [trap]}))
    assert f"name.{key}" in errors_of(a_request(name=trap))
    assert key in errors_of(a_request() | trap)


@pytest.mark.parametrize(
    "key", ["ansible_ssh_common_args", "ansible_connection", "labyard_phase", "notebook_x"]
)
def test_load_request_when_a_key_is_a_variable_of_ansible_then_unknown(errors_of: Any, key: str) -> None:
    assert key in errors_of(a_request() | {key: "x"})
    assert key in errors_of(a_request(params={key: "x"}))
    assert f"deployment.{key}" in errors_of(a_request(deployment={key: "x"}))


@pytest.mark.parametrize("text", PAYLOADS)
def test_load_request_when_a_value_is_a_template_then_it_stays_text(load: Any, text: str) -> None:
    assert load(a_request(params={"environment": {"A": text}}))["notebook_environment"] == {"A": text}


def test_reserved_keys_when_deep_then_every_place() -> None:
    document = {"a": [{"__ansible_x": 1}], "b": {"__ansible_y": {"__ansible_z": 2}}}
    assert list(reserved_keys(document)) == ["a[0].__ansible_x", "b.__ansible_y", "b.__ansible_y.__ansible_z"]


def test_secrets_when_given_then_private_files_beside_the_request(load: Any, tmp_path: Path) -> None:
    token = "a-secret-of-sixteen"
    found = load(a_request(secrets={"token": token}))
    file = Path(found["labyard_secret_files"]["token"])
    assert file == tmp_path / "request.json.secrets" / "token"
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == (token, 0o600)
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert token not in json.dumps(found)


def test_secrets_when_not_given_then_made_once_and_kept(load: Any) -> None:
    file = Path(load(a_request())["labyard_secret_files"]["token"])
    token = file.read_text()
    assert len(token) >= 43
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load(a_request())["labyard_secret_files"]["token"] == str(file)
    assert file.read_text() == token
    assert [p.name for p in file.parent.iterdir()] == ["token"]
    assert load(a_request(phase="remove"))["labyard_secrets_folder"] == str(file.parent)


@pytest.mark.parametrize("phase", ["update", "start", "stop", "scale", "check", "remove"])
def test_secrets_when_the_phase_is_not_install_then_none_is_made(
    load: Any, tmp_path: Path, phase: str
) -> None:
    assert load(a_request(phase=phase))["labyard_secret_files"] == {}
    assert not (tmp_path / "kept").exists()


def test_secrets_when_dry_then_none_is_made(load: Any, tmp_path: Path) -> None:
    assert load(a_request(), dry_run=True)["labyard_secret_files"] == {"token": os.devnull}
    assert not (tmp_path / "kept").exists()


def test_secrets_when_a_link_lies_in_wait_then_refused(errors_of: Any, tmp_path: Path) -> None:
    (tmp_path / "trap").mkdir()
    (tmp_path / "request.json.secrets").symlink_to(tmp_path / "trap")
    assert (
        "does not belong to this user" in errors_of(a_request(secrets={"token": "a-secret-of-16"}))["secrets"]
    )
    assert list((tmp_path / "trap").iterdir()) == []
