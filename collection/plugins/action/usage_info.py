# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin of the module `usage_info`: spares it a process of its own on this machine."""

from __future__ import annotations

from ansible_collections.labyard.platform.plugins.modules import usage_info
from ansible_collections.labyard.platform.plugins.plugin_utils.in_process import InProcessAction


class ActionModule(InProcessAction):
    """See the documentation of the module."""

    argument_spec = usage_info.argument_spec()
    core = staticmethod(usage_info.run)
