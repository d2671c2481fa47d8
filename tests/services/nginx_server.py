"""nginx of Debian's packages, with the configuration that the role `ingress` writes."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
import yaml
from jinja2 import Environment, StrictUndefined

from ansible_collections.labyard.platform.plugins.module_utils._certificates.keeping import (
    Authority,
    keep_certificate,
)
from ansible_collections.labyard.platform.plugins.module_utils._certificates.making import Wanted
from tests.conftest import REPOSITORY, free_port
from tests.integration.debian_programs import ensure_program

from .process import ServerProcess

ROLE = REPOSITORY / "collection" / "roles" / "ingress"
DOMAIN = "labyard.test"
APPS = "apps.test"


class NginxServer(ServerProcess):
    """An ingress on free ports. Names below `APPS` and `DOMAIN` must lead to 127.0.0.1.

    :param console: where the console answers, NAME:PORT
    :param secret: what the ingress shows to the console
    :param resolver: the name server, ADDRESS:PORT
    :param settings: variables of the role
    """

    def __init__(self, console: str, secret: str, resolver: str, **settings: Any) -> None:
        self._program = ensure_program("nginx", "nginx-light", "nginx")
        super().__init__("nginx", "www-data")
        self.http_port, self.health_port, self.figures_port = free_port(), free_port(), free_port()
        self.ca = self._write_certificate()
        self._write("proof.conf", f'map "" $labyard_proof {{ default "{secret}"; }}\n')
        self._write("version.conf", 'map "" $labyard_version { default "1"; }\n')
        defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))
        inner = {
            "__ingress_paths": {
                "run": str(self.folder),
                "certificate": str(self.folder / "ingress.crt"),
                "key": str(self.folder / "ingress.key"),
                "secret": str(self.folder / "proof.conf"),
                "version": str(self.folder / "version.conf"),
            },
            "__ingress_listen": {
                "http": f"127.0.0.1:{self.http_port}",
                "https": f"127.0.0.1:{self.port}",
                "health": f"127.0.0.1:{self.health_port}",
                "figures": f"127.0.0.1:{self.figures_port}",
            },
            "__ingress_port_suffix": f":{self.port}",
            "__ingress_processes": 2,
        }
        chosen = {
            "ingress_domain": DOMAIN,
            "ingress_apps_domain": APPS,
            "ingress_console": console,
            "ingress_sites": [],
            "ingress_acme_thumbprint": "",
            "ingress_resolver": resolver,
            "ingress_resolve_seconds": 1,
        }
        template = (ROLE / "templates" / "nginx.conf.j2").read_text(encoding="utf-8")
        environment = Environment(undefined=StrictUndefined, trim_blocks=True, autoescape=False)  # noqa: S701 - no HTML
        text = environment.from_string(template).render({**defaults, **inner, **chosen, **settings})
        # The log of a container is its output; here it is read by tests.
        self._write("nginx.conf", text.replace("/dev/stdout", str(self.folder / "access.log")))

    @property
    def console_url(self) -> str:
        """Where people find the console."""
        return f"https://{DOMAIN}:{self.port}"

    @property
    def apps_domain(self) -> str:
        """The setting LABYARD_EDGE_DOMAIN of that console."""
        return f"{APPS}:{self.port}"

    def command(self) -> list[str]:
        """nginx in the foreground."""
        return [self._program, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]

    def answers(self) -> bool:
        """Whether it is well, by the address that the health check of its container asks."""
        try:
            return requests.get(f"http://127.0.0.1:{self.health_port}/", timeout=2).status_code == 204
        except requests.ConnectionError:
            return False

    def check(self) -> None:
        """Have nginx read its configuration."""
        subprocess.run([*self.command(), "-t"], check=True, capture_output=True)

    def written(self) -> str:
        """All that nginx has written down: the log of requests and that of errors."""
        log = self.folder / "access.log"
        return self.log() + (log.read_text(encoding="utf-8") if log.exists() else "")

    def trust(self) -> ssl.SSLContext:
        """A context that trusts the certificate's authority."""
        return ssl.create_default_context(cafile=self.ca)

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)
        return path

    def _write_certificate(self) -> str:
        kept = keep_certificate(
            self.folder / "made",
            Wanted("ingress", (DOMAIN, f"*.{APPS}")),
            Authority("Labyard tests"),
            1,
            datetime.now(UTC),
            check_mode=False,
        )
        self._write("ingress.crt", Path(kept.certificate).read_text(encoding="ascii"))
        key = self._write("ingress.key", Path(kept.key).read_text(encoding="ascii"))
        key.chmod(0o600)  # read by nginx before it gives up being root, if it is
        if self.user and os.geteuid() == 0:
            shutil.chown(key, self.user)
        return kept.ca
