"""The service that one server is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from labyard_hub.profiles import Profile, choice_form, choose, read_profiles
from labyard_hub.service import Ground, Server, build_service, home_mount, key_of

GROUND = Ground(
    hub="labyard-hub",
    network="labyard-hub_users",
    home={"type": "volume", "source": "home-{user}"},
    constraints=["node.labels.notebooks == true"],
    processes=100,
)
SMALL = Profile("small", "Small & <quick>", "labyard/notebook-minimal:1", 1.5, 1536, 0.15, 1024)
LARGE = replace(SMALL, name="large", title="Large", cpu_limit=1)
ADA = Server("ada", "", "labyard-hub-ada-0a1f", ["jupyterhub-singleuser"], {"B": "2", "A": "1"})


def test_service_when_built_then_has_limits_guarantees_and_no_rights() -> None:
    built = build_service(GROUND, ADA, SMALL)
    task = built["task_template"]
    assert task["Resources"] == {
        "Limits": {"NanoCPUs": 1_500_000_000, "MemoryBytes": 1536 << 20, "Pids": 100},
        "Reservations": {"NanoCPUs": 150_000_000, "MemoryBytes": 1 << 30},
    }
    container = task["ContainerSpec"]
    assert container["CapabilityDrop"] == ["ALL"]
    assert container["Privileges"] == {"NoNewPrivileges": True}
    assert container["Env"] == ["A=1", "B=2"]
    assert task["Networks"] == [{"Target": "labyard-hub_users"}]
    assert task["RestartPolicy"]["Condition"] == "on-failure"
    assert built["endpoint_spec"] == {"Mode": "dnsrr"}
    assert "ports" not in str(built).lower()


def test_labels_when_built_then_say_whose_it_is_and_belong_to_no_stack() -> None:
    built = build_service(GROUND, replace(ADA, name="second"), SMALL)
    assert built["labels"] == {
        "labyard.hub": "labyard-hub",
        "labyard.hub.key": key_of("ada", "second"),
        "labyard.hub.server": "second",
        "labyard.owner": "ada",
        "labyard.plan": "small",
        "labyard.shape": "small",
    }
    assert built["task_template"]["ContainerSpec"]["Labels"] == built["labels"]


def test_placement_when_the_home_lies_on_a_node_then_names_it() -> None:
    placed = build_service(GROUND, replace(ADA, place="node.id==abc"), SMALL)["task_template"]["Placement"]
    assert placed == {"Constraints": ["node.labels.notebooks == true", "node.id==abc"]}


@pytest.mark.parametrize(
    ("home", "keeps"),
    [
        ({"type": "volume", "source": "h-{user}"}, True),
        ({"type": "volume", "source": "h-{user}", "driver": "local"}, True),
        ({"type": "volume", "source": "h-{user}", "driver_opts": {"type": "nfs"}}, False),
        ({"type": "volume", "source": "h-{user}", "driver": "sshfs"}, False),
        ({"type": "bind", "source": "/srv/{user}"}, False),
    ],
)
def test_home_when_of_a_kind_then_binds_its_owner_to_a_node_or_not(home: dict[str, str], keeps: bool) -> None:
    assert replace(GROUND, home=home).keeps_to_its_node is keeps


def test_home_when_of_a_driver_then_its_options_name_the_person() -> None:
    options = {"type": "nfs", "o": "addr=10.0.0.1,rw", "device": ":/homes/{user}"}
    home = {"type": "volume", "source": "home-{user}", "driver_opts": options}
    mount = home_mount(replace(GROUND, home=home), "ada")
    assert mount["Source"] == "home-ada"
    assert mount["VolumeOptions"]["NoCopy"] is True
    assert mount["VolumeOptions"]["DriverConfig"] == {
        "Name": "local",
        "Options": {**options, "device": ":/homes/ada"},
    }


def test_home_when_a_folder_then_is_mounted_as_it_is() -> None:
    mount = home_mount(replace(GROUND, home={"type": "bind", "source": "/srv/homes/{user}"}), "ada")
    assert mount == {"Type": "bind", "Source": "/srv/homes/ada", "Target": "/home/labyard"}


def test_environment_when_shown_then_its_values_are_not() -> None:
    assert "2" not in repr(replace(ADA, environment={"JUPYTERHUB_API_TOKEN": "2"})).replace("0a1f", "")


def test_choice_when_nothing_is_chosen_then_the_first() -> None:
    profiles = read_profiles([vars(SMALL), vars(LARGE)])
    assert choose(profiles, "") == SMALL
    assert choose(profiles, "large") == LARGE
    with pytest.raises(ValueError, match="Choose one of: small, large"):
        choose(profiles, "tiny")


def test_form_when_there_is_a_choice_then_says_sizes_and_escapes_titles() -> None:
    form = choice_form(read_profiles([vars(SMALL), vars(LARGE)]))
    assert "Small &amp; &lt;quick&gt;" in form
    assert "1.5 cores, 1.5 GiB" in form
    assert "1 core, " in form
    assert form.count(" checked") == 1
    assert choice_form(read_profiles([vars(SMALL)])) == ""
