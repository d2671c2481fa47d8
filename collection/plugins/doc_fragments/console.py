# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options that everything with a console shares: the modules, and the inventory plugin."""

from __future__ import annotations


class ModuleDocFragment:
    """The connection to a Labyard console."""

    DOCUMENTATION = r"""
options:
  url:
    description:
      - Address of the console, such as V(https://labyard.example.org).
      - If not set, the environment variable E(LABYARD_URL) is used.
    type: str
  api_key:
    description:
      - Key to the console; what its owner may do is what the task may do.
      - If not set, the environment variable E(LABYARD_API_KEY) is used.
    type: str
  validate_certs:
    description: Check the certificate of the console.
    type: bool
    default: true
  ca_path:
    description: File with the certificates of authorities that are trusted besides those of the system.
    type: path
  timeout:
    description:
      - Seconds that one call may take.
      - A call without an answer, or with one that says V(not now), is repeated up to four times; a change
        carries an Idempotency-Key, so that this changes nothing twice.
    type: int
    default: 30
notes:
  - It talks to the console over REST from the host that the task runs on; use C(delegate_to) or
    C(hosts=localhost) to let it be the controller.
requirements:
  - "Python 3.11 or newer"
  - "A Labyard console that the host can reach"
"""
