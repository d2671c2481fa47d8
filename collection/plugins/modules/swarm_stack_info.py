#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: what the stacks of a Docker swarm are doing."""

from __future__ import annotations

DOCUMENTATION = r"""
module: swarm_stack_info
version_added: 0.1.0
short_description: Tell what the stacks of a Docker swarm are doing
author: The Labyard authors (@labyard)
description:
  - Tells of one stack, or of all, which services there are, how many containers of each run and why the
    others do not, what C(docker stack ps) shows of the tasks, and which networks, secrets, configs and
    volumes belong to it.
  - Makes seven calls to the engine, however large the stack is.
  - Sees the stacks of M(labyard.platform.swarm_stack), of C(docker stack deploy) and of
    M(community.docker.docker_stack) alike.
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
  name:
    description:
      - Name of the stack.
      - If not set, all stacks of the swarm are told of.
    type: str
seealso:
  - module: labyard.platform.swarm_stack
"""

EXAMPLES = r"""
- name: Look at the stack blog
  labyard.platform.swarm_stack_info:
    name: blog
  register: blog

- name: Stop if something of it does not run
  ansible.builtin.assert:
    that:
      - blog.exists
      - blog.services | map(attribute='problem') | select | length == 0
    fail_msg: "{{ blog.services | map(attribute='problem') | select | join(' ') }}"

- name: Look at all stacks
  labyard.platform.swarm_stack_info:
  register: all

- name: Show the tasks that have failed, newest first
  ansible.builtin.debug:
    msg: "{{ item.name }} on {{ item.node }}: {{ item.error }}"
  loop: "{{ all.tasks | selectattr('state', 'in', ['failed', 'rejected']) }}"
  loop_control:
    label: "{{ item.id }}"
"""

RETURN = r"""
exists:
  description: Whether there is anything of the stack, or any stack.
  returned: success
  type: bool
  sample: true
stacks:
  description:
    - What C(docker stack ls) shows; a stack of which only a network or a volume is left is there too.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the stack.
      type: str
    services:
      description: Number of its services.
      type: int
  sample:
    - {name: blog, services: 2}
services:
  description: The services, by stack and name.
  returned: success
  type: list
  elements: dict
  contains:
    stack:
      description: Name of the stack.
      type: str
    name:
      description: Name of the service on the swarm.
      type: str
    id:
      description: Id of the service.
      type: str
    image:
      description: The image that it runs, with its digest if that is known.
      type: str
    image_given:
      description: The image as the compose document names it.
      type: str
    mode:
      description: One of V(replicated), V(global), V(replicated-job) and V(global-job).
      type: str
    replicas:
      description: How many containers there should be; of a job, how many have to complete.
      type: int
    running:
      description: How many containers run.
      type: int
    completed:
      description: How many tasks of a job have completed.
      type: int
    problem:
      description:
        - Why fewer run than there should be, with what to do, in words; null if all run, if the job is
          done, or if the service has ended by itself without an error.
      type: str
    ports:
      description: Published ports, each with C(target), C(published), C(protocol) and C(mode).
      type: list
      elements: dict
    networks:
      description: Names of the networks that it is on.
      type: list
      elements: str
    endpoint_mode:
      description: V(vip) or V(dnsrr).
      type: str
    constraints:
      description: Where it may run.
      type: list
      elements: str
    labels:
      description: Its labels.
      type: dict
    created:
      description: When it was created, as the engine writes it (RFC 3339).
      type: str
    updated:
      description: When it was changed last.
      type: str
    update:
      description:
        - The last update, with C(state) (V(updating), V(paused), V(completed), V(rollback_started),
          V(rollback_paused) or V(rollback_completed)), C(started), C(completed) and C(message); null
          if it was never updated.
      type: dict
  sample:
    - stack: blog
      name: blog_web
      id: 6lyq3s1oc9uo
      image: "nginx:1"
      image_given: "nginx:1"
      mode: replicated
      replicas: 2
      running: 1
      completed: 0
      problem: "Service blog_web has started, but its health check has not passed yet; check the test."
      ports: []
      networks: [blog_default]
      endpoint_mode: vip
      constraints: []
      labels: {com.docker.stack.namespace: blog}
      created: "2026-01-01T10:00:00.000000000Z"
      updated: "2026-01-01T10:00:00.000000000Z"
      update: null
tasks:
  description:
    - What C(docker stack ps --no-trunc) shows, in its order; tasks of the past too, as far as the swarm
      remembers them.
  returned: success
  type: list
  elements: dict
  contains:
    stack:
      description: Name of the stack.
      type: str
    service:
      description: Name of the service.
      type: str
    id:
      description: Id of the task.
      type: str
    name:
      description: Name of the task, which is that of the service with the number or the node.
      type: str
    slot:
      description: Number of the replica; 0 in a global service, and of the first task of a job.
      type: int
    image:
      description: The image.
      type: str
    node:
      description: Host name of the node; empty if it has none yet.
      type: str
    desired_state:
      description: The state that the swarm wants, such as V(running) or V(shutdown).
      type: str
    state:
      description:
        - The state it is in, one of V(new), V(pending), V(assigned), V(accepted), V(preparing), V(ready),
          V(starting), V(running), V(complete), V(shutdown), V(failed), V(rejected), V(orphaned) and
          V(remove).
      type: str
    since:
      description: Since when it is in that state (RFC 3339).
      type: str
    message:
      description: What the engine says of the state.
      type: str
    error:
      description: What went wrong; empty if nothing did.
      type: str
    exit_code:
      description: Exit code of the container; null if there is none.
      type: int
    container:
      description: Id of the container; empty if there is none.
      type: str
    ports:
      description: Ports published on the node itself, as in RV(services[].ports).
      type: list
      elements: dict
networks:
  description:
    - The networks, each with C(stack), C(name), C(id), C(driver), C(scope), C(attachable), C(internal)
      and C(subnets).
  returned: success
  type: list
  elements: dict
  sample:
    - {stack: blog, name: blog_default, id: k2x, driver: overlay, scope: swarm, attachable: false,
       internal: false, subnets: [10.0.1.0/24]}
secrets:
  description:
    - The secrets, each with C(stack), C(name), C(id), C(created) and C(updated); never their content.
  returned: success
  type: list
  elements: dict
configs:
  description: The configs, as RV(secrets).
  returned: success
  type: list
  elements: dict
volumes:
  description: The volumes on the engine that was asked, each with C(stack), C(name) and C(driver).
  returned: success
  type: list
  elements: dict
"""

from contextlib import closing
from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._stack.client import SwarmClient
from ansible_collections.labyard.platform.plugins.module_utils._stack.engine import (
    connect_engine,
    docker_argument_spec,
)
from ansible_collections.labyard.platform.plugins.module_utils._stack.info import describe_stacks
from ansible_collections.labyard.platform.plugins.module_utils._stack.module import run_module


def argument_spec() -> dict[str, Any]:
    """The options, see DOCUMENTATION."""
    return {"name": {"type": "str"}, **docker_argument_spec()}


def run(options: dict[str, Any], check_mode: bool = False) -> dict[str, Any]:
    """Look at the stacks; the result is the module's.

    :raises StackError: with a sentence for the person who reads it
    """
    with closing(connect_engine(options)) as engine:
        snapshot = SwarmClient(engine).snapshot(options["name"])
    return {"changed": False, **describe_stacks(snapshot, options["name"])}


def main() -> None:
    """Run the module."""
    run_module(argument_spec(), run)


if __name__ == "__main__":
    main()
