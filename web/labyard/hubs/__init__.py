"""Notebooks that a hub has started: which there are, and their end. What they are is the hub's to say."""
