#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: put a compose document on a Docker swarm."""

from __future__ import annotations

DOCUMENTATION = r"""
module: swarm_stack
version_added: 0.1.0
short_description: Put a compose document on a Docker swarm
author: The Labyard authors (@labyard)
description:
  - Makes the services, networks, secrets and configs of a compose document on a Docker swarm, changes
    them, scales them and removes them, as C(docker stack deploy) and C(docker stack rm) do, and waits
    until everything runs or is gone.
  - Works on the Engine API with the Docker SDK for Python; the program C(docker) is not needed.
  - Compares what is wanted with what there is, and sends only what differs. What is the same is never
    sent, so the engine's memory for a rollback stays, and jobs do not run again.
  - Waits for all services at once. If one does not come to run, the module fails with the cause in words
    (the image is missing, no node has enough memory, a port is taken, the container crashes, its health
    check fails, ...) and the last lines of its log, and puts back what ran before.
  - A task written for M(community.docker.docker_stack) works by changing the name of the module. Stacks
    made by C(docker stack deploy) can be changed with this module and the other way round.
extends_documentation_fragment:
  - labyard.platform.docker
attributes:
  check_mode:
    description: Can run in check mode and tell what would be done, without changing anything on the swarm.
    support: full
  diff_mode:
    description: Returns what differs, object by object, in diff mode. The content of secrets is never shown.
    support: full
  idempotent:
    description: Run again with the same options, it changes nothing.
    support: full
  action_group:
    description: Use C(group/labyard.platform.docker) in C(module_defaults) to set the connection once.
    support: full
options:
  name:
    description:
      - Name of the stack; letters, digits, V(-) and V(_).
    type: str
    required: true
  state:
    description:
      - V(present) makes the stack what O(compose) says, or sets the numbers in O(replicas).
      - V(absent) removes the stack and whatever carries its label, and waits until it is gone, so that
        it can be deployed again at once. Volumes are kept unless O(remove_volumes=true).
    type: str
    choices: [present, absent]
    default: present
  compose:
    description:
      - Compose documents, each the path of a file on the managed host or an inline mapping. Several are
        merged in their order, later ones win, as with C(docker stack deploy -c one.yml -c two.yml).
      - Relative paths in them start from O(project_directory).
      - Every key that C(docker stack deploy) takes means the same here. Beyond it, C(include), C(extends),
        C(profiles), C(group_add), C(dns_opt), C(content) of configs, C(environment) of secrets and configs,
        and the long form of C(env_file) can be used.
      - A key that is not known is an error that names its path. For those that a swarm ignores see
        O(unsupported).
      - Exactly one of O(compose) and O(replicas) is needed with O(state=present).
    type: list
    elements: raw
    default: []
  replicas:
    description:
      - Scales services of a stack that is there, without a compose document. Keys are names of services
        with or without the name of the stack, values are numbers of replicas.
      - With V(0) the module waits until the containers have stopped.
    type: dict
  project_directory:
    description:
      - Folder that relative paths in O(compose) start from.
      - If not set, the folder of the first entry of O(compose) if that is a file, else the working
        directory.
    type: path
  interpolate:
    description:
      - Replace V($VAR), V(${VAR}), V(${VAR:-default}), V(${VAR:?message}) and V(${VAR:+other}) in values
        from the environment of the module (see the keyword C(environment) of a task); V($$) stands for
        V($). Values of C(environment) that are empty are taken from there too. This is how C(docker
        stack deploy) works.
      - With V(false), V($) is an ordinary character and nothing is taken from the environment. Use it
        where values come from people.
    type: bool
    default: true
  templates:
    description:
      - What C({{) means in the values of C(environment), in C(hostname), and in the sources, targets, labels
        and driver options of C(volumes), where a swarm expands templates such as C({{.Node.Hostname}}).
      - With V(swarm), as with C(docker stack deploy), the swarm fills them in.
      - With V(literal), all text arrives in the containers as it stands in O(compose). Use it where values
        come from people, together with O(interpolate=false).
      - Secrets and configs are expanded only if they ask for it with C(template_driver).
    type: str
    choices: [swarm, literal]
    default: swarm
  dotenv:
    description:
      - Take variables that the environment lacks from the file C(.env) beside the first file of
        O(compose), or in O(project_directory) if that is set. A file that is not there is no error.
      - C(docker stack deploy) reads no such file; set V(false) to do as it does.
      - Has no effect with O(interpolate=false).
    type: bool
    default: true
  profiles:
    description:
      - Services with C(profiles) are left out unless one of these is among theirs. V(*) chooses all.
    type: list
    elements: str
    default: []
  unsupported:
    description:
      - What to do about keys of O(compose) that a swarm ignores, such as C(privileged) or C(depends_on).
      - V(warn) says them with their paths in a warning, V(error) fails before anything is changed.
    type: str
    choices: [warn, error]
    default: warn
  labels:
    description:
      - Labels to put on every service, network, volume, secret and config of the stack.
    type: dict
    default: {}
  container_labels:
    description:
      - Labels to put on the containers of every service, beside those that O(compose) gives them.
      - They tell what a task was, when its service is another by now or is gone. A change starts new tasks.
    type: dict
    default: {}
  endpoint_mode_default:
    description:
      - Endpoint mode of services that name none in C(deploy.endpoint_mode).
      - V(vip) gives each service a virtual address, V(dnsrr) lists the addresses of its containers in
        the DNS. V(dnsrr) works on kernels without IPVS; ports then need C(mode) V(host).
      - With V(none) the engine decides, which means V(vip).
    type: str
    choices: [vip, dnsrr, none]
    default: none
  keep_replicas:
    description:
      - Leave the numbers of replicas of services that are there as they are, whatever O(compose) says of
        them; for services that people or an autoscaler scale.
    type: bool
    default: false
  recreate_networks:
    description:
      - A network cannot be changed. With V(true), a network of the stack that differs from O(compose) is
        removed and made anew, and so are all services on it, which therefore do not run for some seconds.
      - With V(false) it stays as it is, and a warning says in what it differs.
    type: bool
    default: false
  prune:
    description:
      - Remove services, networks, secrets and configs of the stack that O(compose) no longer names.
        Volumes stay unless O(remove_volumes=true).
    type: bool
    default: false
  resolve_image:
    description:
      - When to ask the registry for the digest of an image, so that all nodes run the same one.
      - V(always) asks each time, V(changed) where the name of the image differs from that of the running
        service, V(never) never.
      - If the registry gives no answer, what runs under the same name stays; a new service, and an image
        that only this engine has, use the name as it is.
      - The registry is asked with the credentials that C(docker login) has stored.
    type: str
    choices: [always, changed, never]
    default: changed
  with_registry_auth:
    description:
      - Send the credentials for the registry, as stored by C(docker login), to the swarm, so that all
        nodes can pull.
    type: bool
    default: false
  keep_versions:
    description:
      - The content of a secret or config cannot be changed. Changed content becomes a new one,
        C(<name>-v2), and the services move over; in the container the file keeps its name. So many of
        the former ones are kept, for a manual rollback.
    type: int
    default: 1
  wait:
    description:
      - Wait until all services run, or with O(state=absent) until everything is gone.
      - Looks when the engine reports that a container has started or ended, and at least twice a second.
      - Jobs have to complete. Services that are not restarted (C(restart_policy.condition) V(none) or
        V(on-failure)) may run or have ended well.
    type: bool
    default: true
  detach:
    description:
      - The option of M(community.docker.docker_stack); V(true) is O(wait=false), V(false) is O(wait=true).
        There the default is not to wait.
    type: bool
  absent_retries:
    description:
      - Taken so that tasks for M(community.docker.docker_stack) run. It has no effect, because this module
        waits until the stack is gone.
    type: int
  absent_retries_interval:
    description:
      - As O(absent_retries).
    type: int
  docker_cli:
    description:
      - Taken so that tasks for M(community.docker.docker_stack) run. It has no effect, because this module
        does not use the program C(docker).
    type: path
  wait_timeout:
    description:
      - Seconds to wait, for the whole stack.
    type: float
    default: 300
  hold:
    description:
      - Seconds that a service without a health check has to keep running before it counts, so that a
        container that crashes at once is noticed.
      - If C(update_config.monitor) is set, an update is over when the engine says so.
    type: float
    default: 1
  pending_grace:
    description:
      - Seconds that a container may find no node (not enough memory, constraints, a taken port) before
        the module fails.
    type: float
    default: 10
  max_crashes:
    description:
      - So many containers of the same replica that end one after another are a failure.
    type: int
    default: 3
  on_failure:
    description:
      - What to do with the stack if services do not come to run, or the engine refuses a change midway.
      - V(rollback) puts back the services as they were before this task, and removes what it created; of
        volumes those on this engine that were not there before and have no C(driver) or C(driver_opts).
      - V(pause) stops those failed services of which nothing runs, by setting them to 0 replicas, so that
        the swarm does not try again and again; all else stays as it is. The next deployment sets their
        replicas again.
      - V(leave) leaves everything as it is, to be looked at; the swarm goes on trying.
    type: str
    choices: [rollback, pause, leave]
    default: rollback
  remove_volumes:
    description:
      - With O(state=absent), remove the named volumes of the stack on this engine too; with O(prune=true)
        those that O(compose) no longer names. Their data are lost.
    type: bool
    default: false
seealso:
  - name: Compose file reference
    description: The keys of a compose document.
    link: https://docs.docker.com/reference/compose-file/
  - name: Swarm mode
    description: What a swarm is.
    link: https://docs.docker.com/engine/swarm/
"""

EXAMPLES = r"""
- name: Deploy a stack from a file
  labyard.platform.swarm_stack:
    name: blog
    compose:
      - /srv/blog/compose.yml

- name: Deploy a stack from a file, with some values of this machine
  labyard.platform.swarm_stack:
    name: blog
    compose:
      - /srv/blog/compose.yml
      - services:
          web:
            deploy:
              replicas: 2
              resources:
                limits:
                  memory: 512m
    labels:
      team: editors
    prune: true
    wait_timeout: 120

- name: Deploy a stack with variables from here and from .env, and refuse keys that a swarm ignores
  labyard.platform.swarm_stack:
    name: blog
    compose:
      - /srv/blog/compose.yml
      - /srv/blog/production.yml
    profiles: [metrics]
    unsupported: error
  environment:
    TAG: "1.4"

- name: Deploy a stack written in the playbook, with text from people in it
  labyard.platform.swarm_stack:
    name: notes
    interpolate: false
    endpoint_mode_default: dnsrr
    compose:
      - services:
          db:
            image: postgres:16
            environment:
              POSTGRES_PASSWORD_FILE: /run/secrets/password
            secrets: [password]
            volumes:
              - data:/var/lib/postgresql/data
            healthcheck:
              test: [CMD, pg_isready]
              interval: 5s
        volumes:
          data: {}
        secrets:
          password:
            file: /etc/notes/password

- name: Stop a service, keeping everything else
  labyard.platform.swarm_stack:
    name: notes
    replicas:
      db: 0

- name: Remove the stack, keeping its volumes
  labyard.platform.swarm_stack:
    name: notes
    state: absent
"""

RETURN = r"""
message:
  description: What was done, in one sentence. On failure, C(msg) names the service, the cause and what to do.
  returned: success
  type: str
  sample: "2 changes: create network notes_default, create service notes_db."
actions:
  description: What was done, in its order; in check mode what would be done.
  returned: success
  type: list
  elements: dict
  contains:
    action:
      description: One of V(create), V(update) and V(remove).
      type: str
    kind:
      description: One of V(network), V(secret), V(config), V(service) and V(volume).
      type: str
    name:
      description: Name of the object on the swarm.
      type: str
  sample:
    - {action: create, kind: service, name: notes_db}
services:
  description: The services of the stack as they are now.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the service on the swarm.
      type: str
    id:
      description: Id of the service.
      type: str
    image:
      description: Its image.
      type: str
    replicas:
      description: How many containers there should be.
      type: int
    running:
      description: How many containers run.
      type: int
    ports:
      description: Published ports, each with C(target), C(published), C(protocol) and C(mode).
      type: list
      elements: dict
  sample:
    - {name: notes_db, id: 6lyq3s1oc9uo, image: "postgres:16", replicas: 1, running: 1, ports: []}
networks:
  description: Names of the networks of the stack.
  returned: success
  type: list
  elements: str
  sample: [notes_default]
volumes:
  description: Names of the volumes of the stack; with O(state=absent) of those that are kept on this engine.
  returned: success
  type: list
  elements: str
  sample: [notes_data]
reasons:
  description: Why services do not run, one entry a service.
  returned: failure of services
  type: list
  elements: dict
  contains:
    service:
      description: Name of the service.
      type: str
    cause:
      description:
        - A word for programs, such as V(image_missing), V(port_taken), V(resources), V(constraints),
          V(platform), V(addresses), V(mount_missing), V(rejected), V(crash_loop), V(ended),
          V(unhealthy), V(rolled_back), V(paused), V(pulling), V(starting), V(pending), V(stopping),
          V(node_unavailable), V(no_task), V(not_updated) or V(unknown).
      type: str
    message:
      description: The cause and what to do, in words.
      type: str
    task_error:
      description: What the engine says of the container.
      type: str
    exit_code:
      description: Exit code of the container, if it ended.
      type: int
    node:
      description: Node that the container was on.
      type: str
    log:
      description: The last lines that the container wrote.
      type: list
      elements: str
diff:
  description: The objects that differ, before and after. The content of secrets is never shown.
  returned: in diff mode
  type: dict
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._stack.client import SwarmClient
from ansible_collections.labyard.platform.plugins.module_utils._stack.compose import load_stack
from ansible_collections.labyard.platform.plugins.module_utils._stack.convert import Naming, check_stack_name
from ansible_collections.labyard.platform.plugins.module_utils._stack.deploy import Settings, deploy
from ansible_collections.labyard.platform.plugins.module_utils._stack.desired import DesiredStack
from ansible_collections.labyard.platform.plugins.module_utils._stack.engine import (
    connect_engine,
    docker_argument_spec,
)
from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import ComposeError, StackError
from ansible_collections.labyard.platform.plugins.module_utils._stack.module import run_module
from ansible_collections.labyard.platform.plugins.module_utils._stack.outcome import Outcome
from ansible_collections.labyard.platform.plugins.module_utils._stack.remove import remove_stack
from ansible_collections.labyard.platform.plugins.module_utils._stack.scale import scale
from ansible_collections.labyard.platform.plugins.module_utils._stack.values import integer
from ansible_collections.labyard.platform.plugins.module_utils._stack.watch import Limits


def argument_spec() -> dict[str, Any]:
    """The options, see DOCUMENTATION."""
    return {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "compose": {"type": "list", "elements": "raw", "default": []},
        "replicas": {"type": "dict"},
        "project_directory": {"type": "path"},
        "interpolate": {"type": "bool", "default": True},
        "templates": {"type": "str", "choices": ["swarm", "literal"], "default": "swarm"},
        "dotenv": {"type": "bool", "default": True},
        "profiles": {"type": "list", "elements": "str", "default": []},
        "unsupported": {"type": "str", "choices": ["warn", "error"], "default": "warn"},
        "labels": {"type": "dict", "default": {}},
        "container_labels": {"type": "dict", "default": {}},
        "endpoint_mode_default": {"type": "str", "choices": ["vip", "dnsrr", "none"], "default": "none"},
        "keep_replicas": {"type": "bool", "default": False},
        "recreate_networks": {"type": "bool", "default": False},
        "prune": {"type": "bool", "default": False},
        "resolve_image": {"type": "str", "choices": ["always", "changed", "never"], "default": "changed"},
        "with_registry_auth": {"type": "bool", "default": False},
        "keep_versions": {"type": "int", "default": 1},
        "wait": {"type": "bool", "default": True},
        "detach": {"type": "bool"},
        "absent_retries": {"type": "int"},
        "absent_retries_interval": {"type": "int"},
        "docker_cli": {"type": "path"},
        "wait_timeout": {"type": "float", "default": 300},
        "hold": {"type": "float", "default": 1},
        "pending_grace": {"type": "float", "default": 10},
        "max_crashes": {"type": "int", "default": 3},
        "on_failure": {"type": "str", "choices": ["rollback", "pause", "leave"], "default": "rollback"},
        "remove_volumes": {"type": "bool", "default": False},
        **docker_argument_spec(),
    }


def run(options: dict[str, Any], check_mode: bool) -> Outcome:
    """Do what the options say.

    :raises StackError: with a sentence for the person who reads it
    """
    stack = options["name"]
    check_stack_name(stack)
    wait = options["wait"] if options["detach"] is None else not options["detach"]
    settings = Settings(
        prune=options["prune"],
        prune_volumes=options["remove_volumes"],
        keep_replicas=options["keep_replicas"],
        recreate_networks=options["recreate_networks"],
        resolve_image=options["resolve_image"],
        with_registry_auth=options["with_registry_auth"],
        keep_versions=max(options["keep_versions"], 0),
        wait=wait,
        wait_timeout=options["wait_timeout"],
        on_failure=options["on_failure"],
        check_mode=check_mode,
        limits=Limits(options["hold"], options["pending_grace"], max(options["max_crashes"], 1)),
    )
    if options["state"] == "absent":
        with closing(connect_engine(options)) as engine:
            return remove_stack(
                SwarmClient(engine),
                stack,
                remove_volumes=options["remove_volumes"],
                wait=wait,
                timeout=options["wait_timeout"],
                check_mode=check_mode,
            )
    if options["replicas"]:
        numbers = {name: integer(number, f"replicas.{name}") for name, number in options["replicas"].items()}
        with closing(connect_engine(options)) as engine:
            return scale(SwarmClient(engine), stack, numbers, settings)
    desired, warnings = _load(options)
    with closing(connect_engine(options)) as engine:
        for version, path in desired.needs:
            engine.require_api(version, f"The compose document cannot be used: {desired.where(path)}")
        outcome = deploy(SwarmClient(engine), desired, settings)
    outcome.warnings[:0] = warnings
    return outcome


def _load(options: Mapping[str, Any]) -> tuple[DesiredStack, list[str]]:
    """The stack that the compose documents describe, and warnings."""
    naming = Naming(
        options["name"],
        _texts(options["labels"]),
        options["endpoint_mode_default"].replace("none", ""),
        _texts(options["container_labels"]),
    )
    return load_stack(
        options["compose"],
        naming,
        variables=os.environ if options["interpolate"] else None,
        folder=options["project_directory"],
        dotenv=options["dotenv"],
        profiles=options["profiles"],
        unsupported=options["unsupported"],
        templates=options["templates"],
    )


def _texts(labels: Mapping[str, Any]) -> dict[str, str]:
    return {key: "" if value is None else str(value) for key, value in labels.items()}


def answer(options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Do what the options say; the result is the module's, of a failure too."""
    if options["state"] == "present" and bool(options["compose"]) == bool(options["replicas"]):
        return _failure("With state present, exactly one of compose and replicas is needed.")
    try:
        outcome = run(options, check_mode)
    except ComposeError as error:
        return _failure(f"The compose document cannot be used: {error}")
    except StackError as error:
        return _failure(str(error), error.reasons)
    return {
        "changed": outcome.changed,
        "message": outcome.message,
        "actions": outcome.actions,
        "services": outcome.services,
        "networks": outcome.networks,
        "volumes": outcome.volumes,
        "diff": {"before": outcome.before, "after": outcome.after},
        "warnings": outcome.warnings,
    }


def _failure(message: str, reasons: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    return {"failed": True, "msg": message, "reasons": list(reasons)}


def main() -> None:
    """Run the module."""
    run_module(argument_spec(), answer)


if __name__ == "__main__":
    main()
