"""Labyard: a private, self-service cloud of analytics environments on Docker Swarm."""

__version__ = "0.1.0"
