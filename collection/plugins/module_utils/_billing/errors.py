# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with what this package is given."""

from __future__ import annotations


class BillingError(Exception):
    """Something that cannot be billed; the text says where it stands, why, and what to do."""


class UsageError(BillingError):
    """A usage record that cannot be taken."""


class TariffError(BillingError):
    """A tariff that cannot be used; the text begins with the place in it, as in `prices[2].tiers`."""


class InvoiceError(BillingError):
    """An invoice or a credit note that cannot be made, or a document of one that is not as it was made."""


class ExportError(BillingError):
    """What cannot be exported, or a file of ours that cannot be read; the text says where and why."""


class ImportCostsError(BillingError):
    """A mapping of a cost report that cannot be used, or a line of one that cannot be taken."""
