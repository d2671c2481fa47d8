# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong between an engine and a registry, in words."""

from __future__ import annotations


class RegistryError(Exception):
    """Something that a person has to mend; the text says what it is and what to do next."""
