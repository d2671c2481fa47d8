# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of a swarm: their role, their labels, whether they take tasks, and how they leave."""
