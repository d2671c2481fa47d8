#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: what the tasks of a Docker swarm hold and use, as usage records."""

from __future__ import annotations

DOCUMENTATION = r"""
module: usage_info
version_added: 0.1.0
short_description: Meter what the tasks of a Docker swarm hold and use
author: The Labyard authors (@labyard)
description:
  - Turns what the swarm says of its tasks into usage records, for deployments of Labyard, notebooks of its
    hub, stacks, or services with any labels.
  - A task is metered from when the Engine says that it began to run until when it says that it ended. Records
    are cut at borders in UTC (O(cut)) that do not depend on when somebody looked, and their keys name the
    task, the resource and the begin. The same look again gives the same records, or none; so does a look
    after one whose outcome was lost.
  - What has not reached a border is kept in RV(beats). Give them to the next look, so that it goes on where
    this one stopped, and keep them once the records are safe and not before.
  - CPU, memory and GPUs count as they are reserved or, without a reservation, by their limit. What was used
    (O(statistics)) and the size of volumes (O(volumes)) is found on each node; see O(look).
  - For the tasks it makes five calls to the engine, and two more for the containers of its node, however many
    there are.
extends_documentation_fragment:
  - labyard.platform.docker
attributes:
  check_mode:
    description: Nothing is ever changed.
    support: full
  diff_mode:
    description: Nothing is ever changed.
    support: none
  action_group:
    description: Use C(group/labyard.platform.docker) in C(module_defaults) to set the connection once.
    support: full
options:
  look:
    description:
      - With V(swarm), a manager is asked, and records come out.
      - With V(node), the engine of any node is asked for what only it knows, RV(node). Give that of all
        nodes to the look at the swarm, as O(nodes).
    type: str
    choices: [swarm, node]
    default: swarm
  labels:
    description:
      - Services with one of these labels are metered, V(name) or V(name=value).
      - If neither this nor O(stacks) nor O(deployments) is set, all services are.
    type: list
    elements: str
    default: []
  stacks:
    description: Names of stacks whose services are metered.
    type: list
    elements: str
    default: []
  deployments:
    description: Ids of deployments of Labyard whose services are metered.
    type: list
    elements: str
    default: []
  beats:
    description:
      - What an earlier look returned as RV(beats). They hold for the same swarm and the same selection.
      - Without them, tasks count from when they began to run, and those that have ended already do not count.
    type: dict
  new_selection:
    description:
      - What to do if O(beats) were made with another selection of O(labels), O(stacks) and O(deployments).
      - With V(refuse), the look fails.
      - With V(go_on), what is selected no more is billed to its last beat, and what is selected anew counts
        from the last look on.
    type: str
    choices: [refuse, go_on]
    default: refuse
  state_path:
    description:
      - JSON file with the O(beats), on the host that the task runs on; a file that is not there is a first
        look.
      - It is only read. Write RV(beats) to it when the records are safe.
    type: path
  since:
    description:
      - Time with its zone (ISO 8601) before which nothing is billed; heeded at the first look.
      - With it, tasks that ended after it count at the first look as well.
    type: str
  nodes:
    description:
      - RV(node) of looks at single nodes.
      - If not set, the node of the manager that is asked is looked at as well.
    type: list
    elements: dict
  statistics:
    description:
      - Read what containers of the node use of CPU, memory and network, with a call to the engine for each.
    type: bool
    default: false
  volumes:
    description:
      - Measure the volumes of the node. The engine reads the size of each file in them, and engines before
        23.0 measure images as well, which may take minutes.
    type: bool
    default: false
  cut:
    description:
      - Seconds between the borders at which records are cut, counted from midnight UTC. It has to divide a
        day.
    type: int
    default: 3600
  policy:
    description:
      - What is billed where the swarm does not say what was. A silence is O(policy.missed_beats) times
        O(policy.interval) without a look that proves that a task runs.
    type: dict
    suboptions:
      interval:
        description: Seconds from one look to the next; 300 if not set.
        type: int
      missed_beats:
        description: Number of looks that may be missed; 3 if not set.
        type: int
      node_away:
        description:
          - A task on a node that does not answer is billed to its last beat (V(last_beat), also if not
            set), or as long as the swarm shows it running (V(bill)).
          - A node that answers again before the silence is over has been there all the time.
        type: str
        choices: [last_beat, bill]
      ended_in_silence:
        description:
          - A task that ended in a silence is billed to its last beat (V(last_beat), also if not set),
            unless its node remembers the end, or to the end that the swarm tells (V(engine)).
        type: str
        choices: [last_beat, engine]
      running_after_silence:
        description:
          - A task that still runs after a silence has run all the time, as the swarm never starts the same
            task again. It is billed (V(bill), also if not set), or the silence is left out (V(skip)).
        type: str
        choices: [bill, skip]
      unseen:
        description:
          - A task that began and ended between two looks, and of whose container no node knows, is not billed
            (V(nothing), also if not set), or from when the swarm made it (V(created)).
        type: str
        choices: [nothing, created]
  plan_policies:
    description:
      - Policies of single plans by name, with the keys of O(policy). What one does not say is as there.
    type: dict
seealso:
  - module: labyard.platform.swarm_stack_info
"""

EXAMPLES = r"""
- name: Meter one stack, from where the last look stopped
  labyard.platform.usage_info:
    stacks: [blog]
    state_path: /var/lib/usage/beats.json
  register: usage

- name: Keep the records
  ansible.builtin.lineinfile:
    path: /var/lib/usage/records.jsonl
    line: "{{ item | to_json }}"
    create: true
    mode: "0600"
  loop: "{{ usage.records }}"
  loop_control:
    label: "{{ item.key }}"

- name: Go on from here the next time
  ansible.builtin.copy:
    content: "{{ usage.beats | to_json }}"
    dest: /var/lib/usage/beats.json
    mode: "0600"

- name: Look at the containers and volumes of this node
  labyard.platform.usage_info:
    look: node
    statistics: true
    volumes: true
    labels: [labyard.deployment]
  register: this

- name: Meter all deployments, with what was used, and deployments of the plan gpu to the last beat alone
  labyard.platform.usage_info:
    labels: [labyard.deployment]
    nodes: ["{{ this.node }}"]
    since: "2026-01-01T00:00:00Z"
    plan_policies:
      gpu: {running_after_silence: skip}
"""

RETURN = r"""
records:
  description:
    - The usage records that are due. None is returned with O(look=node).
    - Its fields are those that the console takes at C(POST /api/v1/usage).
  returned: success
  type: list
  elements: dict
  contains:
    source:
      description: Who measured, V(swarm:) and the id of the swarm.
      type: str
    key:
      description: Id of the task, or digest of the volume, with the resource and the begin. Unique for ever.
      type: str
    account:
      description:
        - Who pays if nobody says otherwise, such as V(user:ada), V(project:physics) or V(stack:blog).
      type: str
    resource:
      description: >-
        One of V(wall), V(cpu), V(memory), V(gpu) and V(volume), and with statistics V(cpu_used),
        V(memory_used), V(network_in) and V(network_out).
      type: str
    unit:
      description: V(second), V(core_second), V(byte_second), V(gpu_second) or V(byte).
      type: str
    quantity:
      description: How much, exactly, as text.
      type: str
    start:
      description: Begin of the interval, which belongs to it.
      type: str
    end:
      description: End of the interval, which does not belong to it.
      type: str
    deployment:
      description: Id of the deployment; of other services the name of the stack.
      type: str
    deployment_name:
      description: Name of the stack, or of the server at the hub.
      type: str
    plan:
      description: The plan, or the profile of the hub.
      type: str
    shape:
      description:
        - The shape at which it runs, as the label C(labyard.shape) of its containers says; at the hub the
          profile. Of volumes, and where there is no such label, the console finds it out.
      type: str
    project:
      description: The project.
      type: str
    user:
      description: The owner.
      type: str
    details:
      description: The service, the node and the image, or the volume.
      type: dict
  sample:
    - source: swarm:d2d32jy0uevqb86xyhjtywu8e
      key: "7nsu6cdpx6ccxvtjtf0aba62g:cpu:20260131T230000.000Z"
      account: user:ada
      resource: cpu
      unit: core_second
      quantity: "1800"
      start: "2026-01-31T23:00:00Z"
      end: "2026-02-01T00:00:00Z"
      deployment: jzcu8ac6
      deployment_name: notebook-jzcu8ac6
      plan: notebook
      shape: small
      project: default
      user: ada
      details: {service: notebook-jzcu8ac6_notebook, node: node1, image: "labyard/notebook-minimal:1"}
pending:
  description:
    - What is held since the last border, in the form of RV(records). It is for forecasts and must not be
      kept as records - it comes again, larger, until it is due.
  returned: success
  type: list
  elements: dict
beats:
  description: What the next look needs to know.
  returned: success
  type: dict
until:
  description: Time of the look, by the clock of the engine.
  returned: success
  type: str
  sample: "2026-02-01T00:00:07.512000Z"
notes:
  description: What people should know, such as clocks that do not agree, in sentences.
  returned: success
  type: list
  elements: str
capacity:
  description:
    - What the nodes of the swarm have, whether or not it is used. None is returned with O(look=node).
    - Nodes that have not said it yet are left out.
  returned: success
  type: list
  elements: dict
  contains:
    node:
      description: Id of the node.
      type: str
    name:
      description: Name of its host.
      type: str
    cpu:
      description: Billionths of a core.
      type: int
    memory:
      description: Bytes.
      type: int
    gpu:
      description: Number of generic resources whose kind has C(gpu) in its name.
      type: int
    up:
      description: Whether it answers the managers.
      type: bool
node:
  description: What the engine of one node knows; for O(nodes).
  returned: if O(look=node)
  type: dict
"""

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._billing.beats import (
    Beats,
    read_beats,
    show_beats,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError, UsageError
from ansible_collections.labyard.platform.plugins.module_utils._billing.looks import join_nodes
from ansible_collections.labyard.platform.plugins.module_utils._billing.metering import accrued, meter
from ansible_collections.labyard.platform.plugins.module_utils._billing.moments import as_moment, from_moment
from ansible_collections.labyard.platform.plugins.module_utils._billing.owners import Selection
from ansible_collections.labyard.platform.plugins.module_utils._billing.policies import read_policies
from ansible_collections.labyard.platform.plugins.module_utils._billing.usage import (
    read_moment,
    show_moment,
    show_record,
)
from ansible_collections.labyard.platform.plugins.module_utils._stack.engine import (
    Engine,
    connect_engine,
    docker_argument_spec,
)
from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import StackError
from ansible_collections.labyard.platform.plugins.module_utils._stack.meter import look_at_node, look_at_swarm
from ansible_collections.labyard.platform.plugins.module_utils._stack.module import run_module

_POLICY = {
    "interval": {"type": "int"},
    "missed_beats": {"type": "int"},
    "node_away": {"type": "str", "choices": ["last_beat", "bill"]},
    "ended_in_silence": {"type": "str", "choices": ["last_beat", "engine"]},
    "running_after_silence": {"type": "str", "choices": ["bill", "skip"]},
    "unseen": {"type": "str", "choices": ["nothing", "created"]},
}


def argument_spec() -> dict[str, Any]:
    """The options, see DOCUMENTATION."""
    texts: dict[str, Any] = {"type": "list", "elements": "str", "default": []}
    return {
        "look": {"type": "str", "choices": ["swarm", "node"], "default": "swarm"},
        "labels": dict(texts),
        "stacks": dict(texts),
        "deployments": dict(texts),
        "beats": {"type": "dict"},
        "new_selection": {"type": "str", "choices": ["refuse", "go_on"], "default": "refuse"},
        "state_path": {"type": "path"},
        "since": {"type": "str"},
        "nodes": {"type": "list", "elements": "dict"},
        "statistics": {"type": "bool", "default": False},
        "volumes": {"type": "bool", "default": False},
        "cut": {"type": "int", "default": 3600},
        "policy": {"type": "dict", "options": _POLICY},
        "plan_policies": {"type": "dict"},
        **docker_argument_spec(),
    }


def run(options: dict[str, Any], check_mode: bool = False) -> dict[str, Any]:
    """Look at the swarm or the node; the result is the module's.

    :raises StackError: with a sentence for the person who reads it
    """
    try:
        with closing(connect_engine(options)) as engine:
            if options["look"] == "node":
                node = _look_at_node(engine, options)
                until = show_moment(as_moment(node["at"]))
                return {"changed": False, "node": node, "records": [], "pending": [], "beats": {},
                        "capacity": [], "until": until, "notes": []}  # fmt: skip
            return _meter(engine, options)
    except BillingError as error:
        raise StackError(f"{error}.") from error


def _meter(engine: Engine, options: Mapping[str, Any]) -> dict[str, Any]:
    selection = _selection(options)
    beats = _beats(options)
    policies = read_policies(options["policy"], options["plan_policies"])
    since = None if options["since"] is None else from_moment(read_moment(options["since"], "since"))
    nodes = options["nodes"]
    # Nodes first: what has ended since they were looked at is still listed as running by nobody.
    if nodes is None:
        nodes = [_look_at_node(engine, options)]
    look = join_nodes(look_at_swarm(engine, selection), nodes, selection)
    done = meter(
        look,
        beats,
        selection=selection.mark(),
        reselect=options["new_selection"] == "go_on",
        policies=policies,
        cut=options["cut"],
        since=since,
    )
    return {
        "changed": False,
        "records": [show_record(record) for record in done.records],
        "pending": [show_record(record) for record in accrued(done.beats, options["cut"])],
        "beats": show_beats(done.beats),
        "capacity": [asdict(node) for node in look.nodes],
        "until": show_moment(as_moment(look.at)),
        "notes": done.notes,
    }


def _look_at_node(engine: Engine, options: Mapping[str, Any]) -> dict[str, Any]:
    return look_at_node(
        engine, _selection(options), statistics=options["statistics"], volumes=options["volumes"]
    )


def _selection(options: Mapping[str, Any]) -> Selection:
    return Selection(options["labels"] or (), options["stacks"] or (), options["deployments"] or ())


def _beats(options: Mapping[str, Any]) -> Beats:
    path = options["state_path"]
    if options["beats"] or not path:
        return read_beats(options["beats"])
    try:
        return read_beats(json.loads(Path(path).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Beats()
    except (OSError, ValueError) as error:
        raise UsageError(f"state_path: {path} cannot be read ({error})") from error


def main() -> None:
    """Run the module."""
    run_module(argument_spec(), run)


if __name__ == "__main__":
    main()
