# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups: what is saved, how it is proved to be good, and how it comes back. Standard library only.

The role `backup` copies this folder to the hosts, where it is the program `labyard-backup`. It needs
restic, and pg_dump and psql where a database is PostgreSQL's. Files, in the order of their use:
settings, fingerprint, restic, postgres and sqlite (databases), trees (files), volumes, sources,
notes (what was done, as metrics), retention, saving, proving, restoring, __main__.
"""
