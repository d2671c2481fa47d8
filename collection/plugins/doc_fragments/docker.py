# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options that every module with a Docker engine shares."""

from __future__ import annotations


class ModuleDocFragment:
    """The connection to a Docker engine, with the names and variables of community.docker."""

    DOCUMENTATION = r"""
options:
  docker_host:
    description:
      - Address of the Docker engine, for example V(unix:///var/run/docker.sock),
        V(tcp://192.0.2.23:2376) or V(ssh://admin@manager).
      - If not set, the environment variable E(DOCKER_HOST) is used, then V(unix:///var/run/docker.sock).
    type: str
    aliases: [docker_url]
  tls:
    description:
      - Talk to the engine over TLS without checking its certificate. With O(validate_certs=true) it is
        checked.
      - If not set, the environment variable E(DOCKER_TLS) is used, then V(false).
    type: bool
  validate_certs:
    description:
      - Talk to the engine over TLS and check its certificate.
      - If not set, the environment variable E(DOCKER_TLS_VERIFY) is used, then V(false).
    type: bool
    aliases: [tls_verify]
  tls_hostname:
    description:
      - Name that the certificate of the engine must carry, if it is not the name in O(docker_host).
      - If not set, the environment variable E(DOCKER_TLS_HOSTNAME) is used.
    type: str
  ca_path:
    description:
      - File with the certificate of the authority that signed the certificate of the engine.
      - If not set, C(ca.pem) in the folder named by the environment variable E(DOCKER_CERT_PATH) is
        used.
    type: path
    aliases: [ca_cert, tls_ca_cert, cacert_path]
  client_cert:
    description:
      - File with the certificate of the client.
      - If not set, C(cert.pem) in the folder named by the environment variable E(DOCKER_CERT_PATH) is
        used.
    type: path
    aliases: [tls_client_cert, cert_path]
  client_key:
    description:
      - File with the key of the client.
      - If not set, C(key.pem) in the folder named by the environment variable E(DOCKER_CERT_PATH) is
        used.
    type: path
    aliases: [tls_client_key, key_path]
  api_version:
    description:
      - Version of the Engine API to speak; V(auto) takes the newest that both sides know.
      - If not set, the environment variable E(DOCKER_API_VERSION) is used, then V(auto).
    type: str
    aliases: [docker_api_version]
  timeout:
    description:
      - Seconds that one call to the engine may take.
      - If not set, the environment variable E(DOCKER_TIMEOUT) is used, then 60.
    type: int
  use_ssh_client:
    description:
      - For a O(docker_host) that starts with V(ssh://), connect with the program C(ssh) and its settings,
        and not with the Python package paramiko. That package has to be installed in both cases.
    type: bool
    default: false
requirements:
  - "Python 3.11 or newer"
  - "docker 7.1 or newer (the Python package)"
  - "paramiko (the Python package), if O(docker_host) starts with V(ssh://)"
  - "Docker Engine 20.10 (API 1.41) or newer"
"""
