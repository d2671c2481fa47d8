# SPDX-License-Identifier: GPL-3.0-or-later
"""The console over REST, for modules: what to ask for is decided purely, one file talks to the console."""
