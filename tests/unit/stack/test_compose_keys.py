"""Every key of docker's stack schema, and the compose files that the oracle deploys with them."""

from __future__ import annotations

import contextlib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ansible_collections.labyard.platform.plugins.module_utils._stack.compose import load_stack
from ansible_collections.labyard.platform.plugins.module_utils._stack.convert import Naming
from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import ComposeError
from ansible_collections.labyard.platform.plugins.module_utils._stack.load import parse_yaml
from ansible_collections.labyard.platform.plugins.module_utils._stack.plan import Choices, make_plan
from tests.unit.stack.stack_builders import STACK, live_of

COMPOSE = Path(__file__).parents[2] / "oracle" / "compose"
SECTIONS = ("networks", "volumes", "secrets", "configs")
#: The keys of docker's stack schema 3.13, as paths; `*` is a name or a place in a list.
SERVICE_KEYS = """
build cap_add cap_drop cgroup_parent cgroupns_mode command configs container_name credential_spec.config
credential_spec.file credential_spec.registry depends_on deploy.endpoint_mode deploy.labels deploy.mode
deploy.placement.constraints deploy.placement.max_replicas_per_node deploy.placement.preferences.*.spread
deploy.replicas deploy.resources.limits.cpus deploy.resources.limits.memory deploy.resources.limits.pids
deploy.resources.reservations.cpus
deploy.resources.reservations.generic_resources.*.discrete_resource_spec.kind
deploy.resources.reservations.generic_resources.*.discrete_resource_spec.value
deploy.resources.reservations.memory deploy.restart_policy.condition deploy.restart_policy.delay
deploy.restart_policy.max_attempts deploy.restart_policy.window deploy.rollback_config.delay
deploy.rollback_config.failure_action deploy.rollback_config.max_failure_ratio deploy.rollback_config.monitor
deploy.rollback_config.order deploy.rollback_config.parallelism deploy.update_config.delay
deploy.update_config.failure_action deploy.update_config.max_failure_ratio deploy.update_config.monitor
deploy.update_config.order deploy.update_config.parallelism devices dns dns_search domainname entrypoint
env_file environment expose external_links extra_hosts healthcheck.disable healthcheck.interval
healthcheck.retries healthcheck.start_interval healthcheck.start_period healthcheck.test healthcheck.timeout
hostname image init ipc isolation labels links logging.driver logging.options mac_address network_mode
networks.*.aliases networks.*.driver_opts networks.*.ipv4_address networks.*.ipv6_address pid ports.*.mode
ports.*.protocol ports.*.published ports.*.target privileged read_only restart secrets.*.gid secrets.*.mode
secrets.*.source secrets.*.target secrets.*.uid configs.*.gid configs.*.mode configs.*.source
configs.*.target configs.*.uid security_opt shm_size stdin_open stop_grace_period stop_signal sysctls tmpfs
tty ulimits.*.hard ulimits.*.soft user userns_mode volumes.*.bind.propagation volumes.*.consistency
volumes.*.read_only volumes.*.source volumes.*.target volumes.*.tmpfs.size volumes.*.type
volumes.*.volume.nocopy working_dir x-more
"""
OTHER_KEYS = """
version x-note networks.*.name networks.*.driver networks.*.driver_opts networks.*.ipam.driver
networks.*.ipam.config.*.subnet networks.*.external networks.*.external.name networks.*.internal
networks.*.attachable networks.*.labels volumes.*.name volumes.*.driver volumes.*.driver_opts
volumes.*.external volumes.*.external.name volumes.*.labels volumes.*.x-cluster-spec secrets.*.name
secrets.*.file secrets.*.external secrets.*.external.name secrets.*.labels secrets.*.driver
secrets.*.driver_opts secrets.*.template_driver configs.*.name configs.*.file configs.*.external
configs.*.external.name configs.*.labels configs.*.template_driver
"""
#: Taken, and dropped by docker in silence: see test_stack_differences.py.
DROPPED = {"services.*.oom_score_adj"}
#: Names of these are chosen by whoever writes the file.
NAMED = {"services", "networks", "volumes", "secrets", "configs", "ulimits"}


@cache
def all_documents() -> list[dict[str, Any]]:
    """The compose files of the oracle."""
    return [
        parse_yaml(text, path.name)
        for path in sorted(COMPOSE.glob("*.yml"))
        for text in path.read_text().split("\n---\n")
    ]


def paths_of(value: Any, path: str = "", key: str = "") -> set[str]:
    """The paths of all keys in a document, with `*` for names and places."""
    if isinstance(value, list):
        return {found for item in value for found in paths_of(item, f"{path}.*")}
    if not isinstance(value, dict):
        return set()
    found = set()
    for name, item in value.items():
        here = f"{path}.{'*' if key in NAMED else name}".lstrip(".")
        found |= {here, *paths_of(item, here, "" if key in NAMED else name)}
    return found


def test_oracle_uses_every_key_of_the_schema() -> None:
    used = {path for document in all_documents() for path in paths_of(document)}
    wanted = {f"services.*.{key}" for key in SERVICE_KEYS.split()} | set(OTHER_KEYS.split())
    assert wanted - used - DROPPED == set()


def fragments() -> list[tuple[str, Any]]:
    """The keys of services in the files of the oracle, with their values."""
    return [
        (key, value)
        for document in all_documents()
        for service in document["services"].values()
        for key, value in service.items()
        if key not in {"env_file", "credential_spec"}
    ]


@cache
def sections() -> dict[str, Any]:
    """All that the services of the oracle refer to, without files."""
    merged: dict[str, Any] = {section: {} for section in SECTIONS}
    for document in all_documents():
        for section in SECTIONS:
            merged[section].update(document.get(section, {}))
    for section, content in (("secrets", {"environment": "SECRET"}), ("configs", {"content": "x"})):
        for name, entry in merged[section].items():
            if "file" in entry:
                merged[section][name] = content
    return merged


SERVICES = st.lists(st.sampled_from(fragments()), max_size=8).map(
    lambda parts: {"image": "app", **dict(parts)}
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["web", "db", "job"]), SERVICES, min_size=1))
def test_plan_of_a_generated_stack_that_was_applied_then_empty(services: dict[str, Any]) -> None:
    source = {"services": services, **sections()}
    variables = {
        "SECRET": "value",
        "ORACLE_VALUE": "v",
        "ORACLE_NUMBER": "8",
        "ORACLE_TRUE": "true",
        "ORACLE_ZERO": "0",
        "ORACLE_EMPTY": "",
    }
    try:
        wanted, _ = load_stack([source], Naming(STACK), variables=variables)
    except ComposeError:
        assume(False)  # keys that cannot stand together
    plan = make_plan(wanted, live_of(wanted), Choices(assume_same=True, prune=True))
    assert [action.brief() for action in plan.everything] == []


YAML = st.recursive(
    st.sampled_from(
        ["a", "1", "~", "''", "!!binary x", "2020-01-01", "$A", "${A", ".inf", "0x", "*b", "&b c"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(
            st.sampled_from(
                ["services", "web", "image", "include", "extends", "file", "env_file", "secrets", "<<"]
            ),
            inner,
            max_size=4,
        ).map(lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}")
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(YAML)
def test_load_stack_of_any_yaml_then_a_stack_or_its_own_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yml"
    path.write_text(text)
    with contextlib.suppress(ComposeError):
        load_stack([str(path)], Naming("s"), variables={}, dotenv=True)
