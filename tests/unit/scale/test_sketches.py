"""Inventories for so many notebooks: Ansible reads them, and they bear what they are for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader

from benchmarks.community import REPOSITORY
from benchmarks.scale.limits import LIMITS
from benchmarks.scale.model import Use, share
from benchmarks.scale.page import PAGE, SIZES, breaks_table, present, sketch_text
from benchmarks.scale.sketches import Sketch, sketch
from benchmarks.scale.units import read_units

EXAMPLE = REPOSITORY / "inventories" / "cluster"
DATA = ("registry", "directory", "database", "queue", "monitoring")


@pytest.fixture(params=SIZES)
def made(request: pytest.FixtureRequest) -> Sketch:
    """The sketch for each size."""
    return sketch(request.param)


def read(made: Sketch, folder: Path) -> InventoryManager:
    """The inventory as Ansible reads it."""
    path = folder / "hosts.yml"
    path.write_text(yaml.safe_dump(made.inventory()), encoding="utf-8")
    return InventoryManager(loader=DataLoader(), sources=[str(path)])


def names(inventory: InventoryManager, group: str) -> list[str]:
    """The hosts of a group, those of its children as well."""
    return [host.name for host in inventory.get_hosts(group)]


def test_inventory_when_read_then_has_the_groups_of_the_example(made: Sketch, tmp_path: Path) -> None:
    example = InventoryManager(loader=DataLoader(), sources=[str(EXAMPLE / "hosts.yml")])
    groups = set(read(made, tmp_path).groups)
    assert set(example.groups) <= groups
    assert groups - set(example.groups) <= {"notebooks"}


def test_inventory_when_read_then_managers_can_lose_one_and_are_at_most_seven(
    made: Sketch, tmp_path: Path
) -> None:
    managers = names(read(made, tmp_path), "swarm_managers")
    assert len(managers) % 2 == 1
    assert 3 <= len(managers) <= 7


def test_inventory_when_read_then_each_host_is_one_node_with_an_address(made: Sketch, tmp_path: Path) -> None:
    inventory = read(made, tmp_path)
    managers, workers = names(inventory, "swarm_managers"), names(inventory, "swarm_workers")
    assert not set(managers) & set(workers)
    assert sorted([*managers, *workers]) == sorted(names(inventory, "all"))
    addresses = [host.vars["ansible_host"] for host in inventory.get_hosts("all")]
    assert len(set(addresses)) == len(addresses)


def test_inventory_when_read_then_what_keeps_data_has_one_host_and_the_edge_several(
    made: Sketch, tmp_path: Path
) -> None:
    inventory = read(made, tmp_path)
    assert {len(names(inventory, group)) for group in DATA} == {1}
    assert len(names(inventory, "edge")) == made.settings.edges >= 2


def test_choices_when_set_then_roles_know_them_and_parts_do_not_undo_them(made: Sketch) -> None:
    known: dict[str, Any] = {}
    for path in (REPOSITORY / "collection" / "roles").glob("*/defaults/main.yml"):
        known |= yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(made.choices) <= set(known)
    assert all(type(value) is type(known[name]) for name, value in made.choices.items())
    parts = yaml.safe_load((EXAMPLE / "group_vars" / "all" / "parts.yml").read_text(encoding="utf-8"))
    both = set(parts) & set(made.choices)
    # what parts.yml says of the same must be said again
    assert all(set(parts[name]) <= set(made.choices[name]) for name in both)


@pytest.mark.parametrize("limit", present(LIMITS), ids=lambda limit: limit.name)
def test_sketch_when_full_then_no_limit_is_passed(made: Sketch, limit: Any) -> None:
    assert share(limit, made.each, made.settings, read_units(), Use()) <= 1


def test_sketch_when_one_node_fails_then_the_others_hold_all_notebooks(made: Sketch) -> None:
    left = (made.settings.workers - 1) * (made.settings.worker_memory - 4)
    assert left >= made.each * Use().memory


def test_page_when_costs_are_those_that_were_written_down_then_it_says_the_same() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert breaks_table(read_units()) in page
    assert sketch_text(sketch(100)) in page
    assert sketch_text(sketch(1000)) in page
    # the page says that each of the ten is such a one
    assert sketch(10_000).inventory() == sketch(1000).inventory()
    assert sketch(10_000).choices == sketch(1000).choices
