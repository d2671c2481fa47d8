"""The two programs of the image `ingress`: one that runs nginx, and one that brings it settings."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import ssl
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._certificates.keeping import (
    Authority,
    keep_certificate,
)
from ansible_collections.labyard.platform.plugins.module_utils._certificates.making import Wanted
from tests.conftest import REPOSITORY, wait_until

from .nginx_server import APPS, DOMAIN, NginxServer

PROGRAMS = REPOSITORY / "collection" / "roles" / "image" / "files" / "ingress"
SITE = f"site.{APPS}.{DOMAIN}"
_RUN = """
import sys
from pathlib import Path
sys.path.insert(0, {programs!r})
import {program} as program
sys.exit(program.main(program.Places({places})))
"""


class IngressServer(NginxServer):
    """nginx on free ports, with a site at `SITE`, which reads its settings again when `bring` brings others.

    :param upstream: where the site answers, NAME:PORT
    :param drain: seconds for which connections may go on at the end
    :param old: processes with former settings that may stay
    """

    def __init__(self, upstream: str, *, drain: float = 30, old: int = 8) -> None:
        super().__init__(
            "127.0.0.1:1", "s" * 32, "127.0.0.1:1", ingress_sites=[{"domain": SITE, "upstream": upstream}]
        )
        self.user = ""  # as in the container, where all is one user's
        self.bringer: subprocess.Popen[str] | None = None
        self._arguments = [str(drain), str(old)]
        for name in ("given", "settings", "answers"):
            (self.folder / name).mkdir()
        text = (self.folder / "nginx.conf").read_text(encoding="utf-8")
        for name in ("ingress.crt", "ingress.key", "proof.conf", "version.conf"):
            text = text.replace(str(self.folder / name), name)
        self.text = text
        (self.folder / "given" / "proof.conf").write_bytes((self.folder / "proof.conf").read_bytes())

    def command(self) -> list[str]:
        """The program around nginx."""
        return self._program_of("serve_ingress", "errors", "settings", "answers") + self._arguments

    def start(self) -> None:
        """Start nginx, and what brings it settings if that does not run yet."""
        self.bringer = self.bringer or self.bring("first")
        super().start()
        self.wait_until_taken()

    def bring(self, certificate: str, text: str = "") -> subprocess.Popen[str]:
        """Have other settings brought, and wait for nothing: a running program.

        :param certificate: a name; for each there is one certificate
        :param text: the configuration, if it is to be another
        """
        given = self.folder / "given"
        wanted = Wanted(certificate, (DOMAIN, f"*.{APPS}", SITE))
        made = keep_certificate(
            self.folder / "made", wanted, Authority("Labyard tests"), 1, datetime.now(UTC), check_mode=False
        )
        (given / "ingress.crt").write_bytes(Path(made.certificate).read_bytes())
        (given / "ingress.key").write_bytes(Path(made.key).read_bytes())
        (given / "nginx.conf").write_text(text or self.text, encoding="utf-8")
        (self.folder / "taken").unlink(missing_ok=True)
        return subprocess.Popen(
            self._program_of("bring_settings", "given", "settings", "answers", "taken"),
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=self._environment(),
        )

    def change(self, certificate: str, text: str = "") -> None:
        """Replace what brings settings, as the swarm does, and wait until nginx serves them."""
        end_program(self.bringer)
        self.bringer = self.bring(certificate, text)
        self.wait_until_taken()

    def wait_until_taken(self) -> None:
        """Wait for what the health check of its container looks for."""
        wait_until((self.folder / "taken").exists, 30, f"nginx serves what was brought: {self.log()}")

    def refused(self, certificate: str, text: str) -> str:
        """Replace what brings settings by what is refused; its last words."""
        end_program(self.bringer)
        said = self.bring(certificate, text)
        words = said.communicate(timeout=60)[1].splitlines()[-1]
        assert said.returncode == 1, words
        self.bringer = self.bring("first")
        self.wait_until_taken()
        return words

    def shown(self) -> str:
        """The hash of the certificate that a new handshake shows."""
        context = ssl.create_default_context(cafile=self.ca)
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=20) as plain,
            context.wrap_socket(plain, server_hostname=SITE) as talk,
        ):
            return hashlib.sha256(talk.getpeercert(binary_form=True) or b"").hexdigest()

    def made(self, certificate: str) -> str:
        """The hash of a certificate that was brought."""
        text = (self.folder / "made" / f"{certificate}.crt").read_text(encoding="ascii")
        end = "-----END CERTIFICATE-----\n"
        der = ssl.PEM_cert_to_DER_cert(text.partition(end)[0] + end)
        return hashlib.sha256(der).hexdigest()

    def put_older_nginx(self) -> Path:
        """Have what starts from now on find an nginx that says it is older; until the file is removed."""
        older = self.folder / "programs" / "nginx"
        older.parent.mkdir(exist_ok=True)
        says = '[ "$*" = -v ] && echo "nginx version: nginx/1.0.0" >&2 && exit'
        older.write_text(f'#!/bin/sh\n{says}\nexec {self._program} "$@"\n', encoding="utf-8")
        older.chmod(0o700)
        return older

    def remove(self) -> None:
        """End both and take away their folder."""
        end_program(self.bringer)
        super().remove()

    def as_user(self) -> dict[str, Any]:
        """With nginx among the programs that are found."""
        return {"cwd": self.folder, "env": self._environment()}

    def _environment(self) -> dict[str, str]:
        # `programs` is empty but for tests that put another nginx there.
        folders = [str(self.folder / "programs"), str(Path(self._program).parent), os.environ["PATH"]]
        return {**os.environ, "PATH": ":".join(folders)}

    def _program_of(self, program: str, *places: str) -> list[str]:
        paths = [f"{name}=Path({str(self.folder / _FILES.get(name, name))!r})" for name in places]
        if "errors" in places:
            paths.append(f"health='127.0.0.1:{self.health_port}'")
        code = _RUN.format(programs=str(PROGRAMS), program=program, places=", ".join(paths))
        return [sys.executable, "-c", code]


_FILES = {"errors": "errors.log"}


def end_program(program: subprocess.Popen[str] | None) -> None:
    """End one that may have ended."""
    if program is None:
        return
    if program.poll() is None:
        program.send_signal(signal.SIGTERM)
    program.communicate(timeout=20)
