# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options that the modules for images and registries share."""

from __future__ import annotations


class ModuleDocFragment:
    """The engine of the node that the task runs on, and what it knows of registries."""

    DOCUMENTATION = r"""
options:
  socket:
    description:
      - Socket of the Docker engine of the node.
    type: path
    default: /var/run/docker.sock
  login_folder:
    description:
      - Folder in which C(docker login) keeps credentials for registries. Helpers that it names are asked.
    type: path
    default: ~/.docker
requirements:
  - "Docker Engine 20.10 (API 1.41) or newer"
"""
