# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with a certificate, in words. Needs no package, so that modules can always name it."""

from __future__ import annotations


class CertificateError(Exception):
    """A certificate that cannot be used; the text says why and what to do."""
