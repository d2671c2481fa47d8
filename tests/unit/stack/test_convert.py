"""Compose keys to the specs of the engine."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.compose import load_stack
from ansible_collections.labyard.platform.plugins.module_utils._stack.convert import Naming
from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import ComposeError
from tests.unit.stack.stack_builders import container, desired, document, spec

SECOND = 10**9


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"entrypoint": "sh -c", "command": ["x y"]}, {"Command": ["sh", "-c"], "Args": ["x y"]}),
        ({"environment": ["B=2", "A=1"]}, {"Env": ["A=1", "B=2"]}),
        ({"environment": {"B": 2, "A": True, "N": None}}, {"Env": ["A=true", "B=2", "N"]}),
        (
            {"hostname": "h", "user": "1:2", "working_dir": "/w"},
            {"Hostname": "h", "User": "1:2", "Dir": "/w"},
        ),
        (
            {"tty": True, "stdin_open": True, "read_only": True},
            {"TTY": True, "OpenStdin": True, "ReadOnly": True},
        ),
        ({"init": False}, {"Init": False}),
        (
            {"stop_grace_period": "1s", "stop_signal": "SIGINT"},
            {"StopGracePeriod": SECOND, "StopSignal": "SIGINT"},
        ),
        ({"cap_add": ["net_admin", "CAP_KILL"]}, {"CapabilityAdd": ["CAP_KILL", "CAP_NET_ADMIN"]}),
        (
            {"cap_add": ["kill"], "cap_drop": ["ALL", "x"]},
            {"CapabilityAdd": ["CAP_KILL"], "CapabilityDrop": ["ALL"]},
        ),
        ({"cap_add": ["kill"], "cap_drop": ["kill"]}, {"CapabilityAdd": ["CAP_KILL"]}),
        (
            {"ulimits": {"nproc": {"soft": 1, "hard": 2}, "nofile": 5}},
            {"Ulimits": [{"Name": "nofile", "Soft": 5, "Hard": 5}, {"Name": "nproc", "Soft": 1, "Hard": 2}]},
        ),
        (
            {"dns": "10.0.0.1", "dns_search": ["a.b"]},
            {"DNSConfig": {"Nameservers": ["10.0.0.1"], "Search": ["a.b"]}},
        ),
        ({"extra_hosts": ["a:10.0.0.1", "b=[::1]"]}, {"Hosts": ["10.0.0.1 a", "::1 b"]}),
        ({"extra_hosts": {"b": "10.0.0.2", "a": "10.0.0.1"}}, {"Hosts": ["10.0.0.1 a", "10.0.0.2 b"]}),
        (
            {"healthcheck": {"test": "x", "interval": "5s"}},
            {"Healthcheck": {"Test": ["CMD-SHELL", "x"], "Interval": 5 * SECOND}},
        ),
        ({"healthcheck": {"disable": True}}, {"Healthcheck": {"Test": ["NONE"]}}),
        ({"sysctls": ["net.a=1"]}, {"Sysctls": {"net.a": "1"}}),
        (
            {"volumes": [{"type": "tmpfs", "target": "/t", "tmpfs": {"size": "1m"}}]},
            {"Mounts": [{"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 2**20}}]},
        ),
        ({"volumes": ["/cache"]}, {"Mounts": [{"Type": "volume", "Target": "/cache"}]}),
    ],
)
def test_container_keys_then_container_spec(keys: dict[str, Any], expected: dict[str, Any]) -> None:
    base = container()
    assert container(**keys) == {**base, **expected}


@pytest.mark.parametrize(
    ("deploy", "part", "expected"),
    [
        ({}, "Mode", {"Replicated": {}}),
        ({"replicas": 0}, "Mode", {"Replicated": {"Replicas": 0}}),
        ({"mode": "global"}, "Mode", {"Global": {}}),
        (
            {"mode": "replicated-job", "replicas": 3},
            "Mode",
            {"ReplicatedJob": {"MaxConcurrent": 3, "TotalCompletions": 3}},
        ),
        ({"mode": "global-job"}, "Mode", {"GlobalJob": {}}),
        ({"endpoint_mode": "DNSRR"}, "EndpointSpec", {"Mode": "dnsrr"}),
        (
            {"update_config": {"delay": "2s", "order": "start-first", "max_failure_ratio": 0.5}},
            "UpdateConfig",
            {"Parallelism": 1, "Delay": 2 * SECOND, "Order": "start-first", "MaxFailureRatio": 0.5},
        ),
        ({"rollback_config": {"parallelism": 0}}, "RollbackConfig", {"Parallelism": 0}),
    ],
)
def test_deploy_keys_then_service_spec(deploy: dict[str, Any], part: str, expected: dict[str, Any]) -> None:
    assert spec(document(deploy=deploy))[part] == expected


@pytest.mark.parametrize(
    ("keys", "part", "expected"),
    [
        (
            {"deploy": {"resources": {"limits": {"cpus": "0.5", "memory": "64m", "pids": 9}}}},
            "Resources",
            {"Limits": {"NanoCPUs": 5 * 10**8, "MemoryBytes": 2**26, "Pids": 9}},
        ),
        (
            {
                "deploy": {
                    "resources": {
                        "reservations": {
                            "generic_resources": [{"discrete_resource_spec": {"kind": "gpu", "value": 2}}]
                        }
                    }
                }
            },
            "Resources",
            {"Reservations": {"GenericResources": [{"DiscreteResourceSpec": {"Kind": "gpu", "Value": 2}}]}},
        ),
        (
            {"deploy": {"restart_policy": {"condition": "none", "delay": "0s"}}},
            "RestartPolicy",
            {"Condition": "none", "Delay": 0},
        ),
        ({"restart": "always"}, "RestartPolicy", {"Condition": "any"}),
        ({"restart": "on-failure:3"}, "RestartPolicy", {"Condition": "on-failure", "MaxAttempts": 3}),
        (
            {
                "deploy": {
                    "placement": {
                        "constraints": ["node.role==worker"],
                        "preferences": [{"spread": "node.labels.z"}],
                        "max_replicas_per_node": 2,
                    }
                }
            },
            "Placement",
            {
                "Constraints": ["node.role==worker"],
                "MaxReplicas": 2,
                "Preferences": [{"Spread": {"SpreadDescriptor": "node.labels.z"}}],
            },
        ),
        (
            {"logging": {"driver": "json-file", "options": {"max-size": "1m"}}},
            "LogDriver",
            {"Name": "json-file", "Options": {"max-size": "1m"}},
        ),
        ({}, "Networks", [{"Target": "shop_default", "Aliases": ["web"]}]),
    ],
)
def test_task_keys_then_task_template(keys: dict[str, Any], part: str, expected: Any) -> None:
    assert spec(document(**keys))["TaskTemplate"][part] == expected


def test_restart_no_then_no_policy() -> None:
    assert "RestartPolicy" not in spec(document(restart="no"))["TaskTemplate"]


def test_ports_in_long_form_then_sorted_endpoint() -> None:
    ports = [{"target": 80, "published": "9000", "mode": "host"}, "8000:81/udp"]
    assert spec(document(ports=ports))["EndpointSpec"]["Ports"] == [
        {"Protocol": "udp", "TargetPort": 81, "PublishedPort": 8000, "PublishMode": "ingress"},
        {"Protocol": "tcp", "TargetPort": 80, "PublishedPort": 9000, "PublishMode": "host"},
    ]


def test_networks_then_scoped_and_created_if_used() -> None:
    source = document(networks={"front": {"aliases": ["www"]}, "ext": None})
    source["networks"] = {
        "front": {"driver_opts": {"a": 1}, "ipam": {"config": [{"subnet": "10.9.0.0/24"}]}},
        "ext": {"external": True, "name": "shared"},
        "unused": {},
    }
    stack = desired(source, labels={"team": "x"})
    assert stack.services["shop_web"]["TaskTemplate"]["Networks"] == [
        {"Target": "shared", "Aliases": ["web"]},
        {"Target": "shop_front", "Aliases": ["www", "web"]},
    ]
    assert stack.external_networks == {"shared": "networks.ext"}
    assert stack.networks == {
        "shop_front": {
            "Name": "shop_front",
            "CheckDuplicate": True,
            "Driver": "overlay",
            "Labels": {"team": "x", "com.docker.stack.namespace": "shop"},
            "Options": {"a": "1"},
            "IPAM": {"Driver": "default", "Config": [{"Subnet": "10.9.0.0/24"}]},
        }
    }


def test_named_volumes_then_scoped_with_labels() -> None:
    source = document(volumes=["data:/d", "ext:/e:ro"])
    source["volumes"] = {
        "data": {"driver": "local", "labels": ["a=b"]},
        "ext": {"external": {"name": "outside"}},
    }
    stack = desired(source)
    assert stack.services["shop_web"]["TaskTemplate"]["ContainerSpec"]["Mounts"] == [
        {
            "Type": "volume",
            "Target": "/d",
            "Source": "shop_data",
            "VolumeOptions": {
                "Labels": {"a": "b", "com.docker.stack.namespace": "shop"},
                "DriverConfig": {"Name": "local", "Options": {}},
            },
        },
        {"Type": "volume", "Target": "/e", "ReadOnly": True, "Source": "outside", "VolumeOptions": {}},
    ]
    assert stack.volumes == ("shop_data",)


def test_labels_of_the_stack_then_on_everything_but_the_container() -> None:
    source = document(deploy={"labels": {"own": "1"}}, configs=["c"])
    source["configs"] = {"c": {"content": "x"}}
    stack = desired(source, labels={"team": "x"})
    assert stack.services["shop_web"]["Labels"] == {
        "own": "1",
        "team": "x",
        "com.docker.stack.image": "app:1",
        "com.docker.stack.namespace": "shop",
    }
    assert stack.configs["shop_c"].labels == {"team": "x", "com.docker.stack.namespace": "shop"}
    assert stack.services["shop_web"]["TaskTemplate"]["ContainerSpec"]["Labels"] == {
        "com.docker.stack.namespace": "shop"
    }


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"services": {}}, "no services"),
        ({"service": {}}, "compose[0]: service: this key is not known; did you mean 'services'?"),
        (document(imagee="x"), "services.web.imagee: this key is not known; did you mean 'image'?"),
        (document(image=None), "services.web: image is missing"),
        (document(deploy={"replica": 1}), "services.web.deploy.replica: this key is not known"),
        (document(deploy={"replicas": -1}), "services.web.deploy.replicas: -1 is too small"),
        (document(deploy={"mode": "all"}), "services.web.deploy.mode: 'all' is not possible; choose from"),
        (document(deploy={"mode": "global", "replicas": 2}), "replicas has no meaning"),
        (document(mem_limit="1g"), "use deploy.resources.limits.memory"),
        (document(networks=["nope"]), "services.web.networks: the network 'nope' is not defined"),
        (document(volumes=["nope:/x"]), "services.web.volumes[0]: the volume 'nope' is not defined"),
        (document(secrets=["nope"]), "services.web.secrets[0]: 'nope' is not defined"),
        (document(ports=[{"published": 1}]), "services.web.ports[0]: target is missing"),
        (document(ports="80"), "services.web.ports: a list is wanted here, not a text"),
        (document(dns=["x"]), "services.web.dns: 'x' is not an address"),
        (document(healthcheck={"test": ["ls"]}), "starts with NONE, CMD or CMD-SHELL"),
        (document(healthcheck={"test": "x", "disable": True}), "test and disable cannot stand together"),
        (document(restart="sometimes"), "services.web.restart"),
        (document(ulimits={"nofile": {"soft": 1}}), "both soft and hard"),
        (document(deploy={"endpoint_mode": "dnsrr"}, ports=["80:80"]), "write the port in long form"),
        ({"services": {"a b": {"image": "x"}}}, "a name has letters"),
        ({"services": {"w" * 70: {"image": "x"}}}, "a swarm allows 63"),
        ({**document(), "secrets": {"k": {}}}, "secrets.k: file is missing"),
        (
            {**document(), "secrets": {"k": {"file": "/nowhere"}}},
            "secrets.k.file: the file /nowhere cannot be read",
        ),
        ({**document(), "secrets": {"k": {"external": True, "file": "x"}}}, "secrets.k: an external entry"),
        ({**document(), "configs": {"k": {"content": ""}}}, "the content has 0 bytes"),
    ],
)
def test_wrong_document_then_error_with_path_and_cause(source: dict[str, Any], words: str) -> None:
    with pytest.raises(ComposeError) as caught:
        desired(source)
    assert words in str(caught.value)


def test_ignored_keys_then_warning_with_path() -> None:
    source = document(container_name="x", depends_on=["y"], ports=["127.0.0.1:1:1"], **{"x-note": 1})
    _, warnings = load_stack([source], Naming("s"), variables=None)
    assert [warning.split(": ")[1] for warning in warnings] == [
        "services.web.container_name",
        "services.web.depends_on",
        "services.web.ports[0]",
    ]


def test_container_labels_when_given_then_all_containers_have_them_beside_their_own() -> None:
    source = {
        "services": {"web": {"image": "app:1", "labels": {"a": "own", "shape": "own"}}, "db": {"image": "db"}}
    }
    stack, _ = load_stack([source], Naming("s", container_labels={"shape": "{{small}}"}), variables=None)
    seen = {name: spec["TaskTemplate"]["ContainerSpec"]["Labels"] for name, spec in stack.services.items()}
    stamp = {"com.docker.stack.namespace": "s", "shape": "{{small}}"}
    assert seen == {"s_web": {"a": "own", **stamp}, "s_db": stamp}
    assert all("shape" not in spec["Labels"] for spec in stack.services.values())


def test_several_documents_then_later_ones_win() -> None:
    base = {
        "services": {
            "web": {
                "image": "app:1",
                "command": ["a", "b"],
                "environment": {"A": "1", "B": "1"},
                "ports": [{"target": 80, "published": 8080, "mode": "host"}],
                "deploy": {"replicas": 1, "resources": {"limits": {"memory": "1g", "cpus": "1"}}},
                "cap_add": ["KILL"],
            }
        }
    }
    more = {
        "services": {
            "web": {
                "command": "c",
                "environment": ["B=2"],
                "ports": [{"target": 81, "published": 8080, "mode": "host"}],
                "deploy": {"resources": {"limits": {"memory": "2g"}}},
                "cap_add": ["CHOWN"],
            },
            "db": {"image": "db"},
        }
    }
    stack, _ = load_stack([base, more], Naming("s"), variables=None)
    web = stack.services["s_web"]
    assert sorted(stack.services) == ["s_db", "s_web"]
    assert web["TaskTemplate"]["ContainerSpec"]["Args"] == ["c"]
    assert web["TaskTemplate"]["ContainerSpec"]["Env"] == ["A=1", "B=2"]
    assert web["TaskTemplate"]["ContainerSpec"]["CapabilityAdd"] == ["CAP_CHOWN", "CAP_KILL"]
    assert [port["TargetPort"] for port in web["EndpointSpec"]["Ports"]] == [81]
    assert web["Mode"] == {"Replicated": {"Replicas": 1}}
    assert web["TaskTemplate"]["Resources"]["Limits"] == {"MemoryBytes": 2**31, "NanoCPUs": 10**9}


@pytest.mark.parametrize("name", ["", "-a", "a-", "a b", "a.b", "ä"])
def test_stack_name_when_impossible_then_error(name: str) -> None:
    with pytest.raises(ComposeError, match="cannot name a stack"):
        load_stack([document()], Naming(name), variables=None)
