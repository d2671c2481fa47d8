"""ansible-playbook in a process that has imported it already.

ansible-runner starts ansible-playbook as a new program on a terminal of its own. Half a second of each
play goes into the start of Python and its imports. Where this process was forked off one that has done
that (see starter_process.py), a fork of it plays the part of ansible-playbook instead: same arguments,
environment, terminal and exit code.

Ansible reads its settings when it is imported. A play whose settings are others than those of then is
started as a new program after all.
"""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NoReturn

import pexpect
from ansible import constants
from ansible.cli import playbook

from .title import show_as

_HIGHEST_DESCRIPTOR = 1 << 20
# Each worker that Ansible forks copies the memory that the collector of garbage looks through, and there is
# next to none to collect.
_SELDOM = (50_000, 20, 100)


def settings_of(environment: Mapping[str, str]) -> dict[str, str]:
    """What Ansible takes from an environment."""
    return {name: value for name, value in environment.items() if name.startswith("ANSIBLE_")}


def config_stamp() -> tuple[int, int] | None:
    """What changes whenever the ansible.cfg that was read at import is written; None without one."""
    try:
        status = os.stat(constants.CONFIG_FILE or "")
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino


IMPORTED_SETTINGS = settings_of(os.environ)
IMPORTED_CONFIG = config_stamp()

# It made itself a folder for temporary files when it was imported; each play makes one of its own.
shutil.rmtree(constants.DEFAULT_LOCAL_TMP, ignore_errors=True)


class Play(pexpect.spawn):
    """Stands in for pexpect.spawn in ansible-runner: a fork of this process in place of a new program."""

    def __init__(self, command: str, args: Sequence[str], *, env: Mapping[str, str], **options: Any):
        if settings_of(env) == IMPORTED_SETTINGS and config_stamp() == IMPORTED_CONFIG:
            options["preexec_fn"] = partial(_become_ansible, command, args, env)
        super().__init__(command, args, env=env, **options)
        # Seconds that close() waits for the child's exit. We come there after its end.
        self.ptyproc.delayafterclose = 0


def _become_ansible(command: str, args: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Be ansible-playbook until its end; the child of a fork comes here and does not return."""
    code = 1
    try:
        os.closerange(3, _HIGHEST_DESCRIPTOR)  # whoever forked us waits for the end of a pipe, as for exec
        for number in (signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = [shutil.which(command) or command, *args]
        show_as(sys.argv)
        gc.set_threshold(*_SELDOM)
        constants.DEFAULT_LOCAL_TMP = _temporary_folder()
        playbook.main(sys.argv)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # the end of a process: whatever it was, it is said, and nothing runs after it
        traceback.print_exc()
    _leave(code)


def _temporary_folder() -> str:
    """A folder beside the one that Ansible had made at import; it goes with this process."""
    parent = os.path.dirname(constants.DEFAULT_LOCAL_TMP)
    os.makedirs(parent, mode=0o700, exist_ok=True)
    folder = tempfile.mkdtemp(prefix=f"ansible-local-{os.getpid()}", dir=parent)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _leave(code: int) -> NoReturn:
    """End as a program ends, but without what the process that forked us would do after this."""
    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def play_here() -> None:
    """Let ansible-runner start plays in forks of this process."""
    pexpect.spawn = Play
