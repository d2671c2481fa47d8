"""The engine of this machine over SSH: OpenSSH's server on a port of its own, with keys of its own."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from tests.conftest import free_port, wait_until
from tests.integration.debian_programs import ensure_program, log_of, running


def write_key(path: Path) -> str:
    """A new key at `path`; returns its public half as one line."""
    key = ed25519.Ed25519PrivateKey.generate()
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
    )
    path.chmod(0o600)
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return public.decode()


@contextmanager
def ssh_engine(folder: Path) -> Iterator[str]:
    """The address of the engine over SSH, while this lasts.

    `folder` becomes a home folder from which it can be reached: `.ssh/config`, `.ssh/id` and
    `.ssh/known_hosts`, and `bin/ssh`, which is OpenSSH's client with those settings.
    """
    server = ensure_program("sshd", "openssh-server", "ssh")
    port, home = free_port(), folder / ".ssh"
    home.mkdir(mode=0o700)
    host_key = write_key(folder / "host_key")
    (folder / "authorized_keys").write_text(f"{write_key(home / 'id')}\n")
    _write_client(folder, port, host_key)
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host_key'}\n"
        f"AuthorizedKeysFile {folder / 'authorized_keys'}\nStrictModes no\nUsePAM no\n"
        f"PasswordAuthentication no\nKbdInteractiveAuthentication no\nPidFile none\n"
    )
    # where the server wants to lock itself in before anybody is known
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    log = folder / "sshd.log"
    with running(server, "-D", "-e", "-f", str(config), log=log) as process:
        wait_until(lambda: "Server listening" in log_of(process, log), 20, "the SSH server listens")
        yield f"ssh://{getpass.getuser()}@127.0.0.1:{port}"


def _write_client(folder: Path, port: int, host_key: str) -> None:
    home = folder / ".ssh"
    known, config = home / "known_hosts", home / "config"
    known.write_text(f"[127.0.0.1]:{port} {host_key}\n")
    config.write_text(
        f"Host 127.0.0.1\n  IdentityFile {home / 'id'}\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {known}\n  StrictHostKeyChecking yes\n  BatchMode yes\n"
    )
    client = ensure_program("ssh", "openssh-client", "ssh")
    (folder / "bin").mkdir()
    wrapper = folder / "bin" / "ssh"
    wrapper.write_text(f'#!/bin/sh\nexec {client} -F {config} "$@"\n')
    wrapper.chmod(0o755)
