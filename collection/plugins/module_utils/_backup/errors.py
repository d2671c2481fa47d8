# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error of this package."""

from __future__ import annotations


class BackupError(Exception):
    """Why something could not be saved or brought back, in words, with what to do next."""
