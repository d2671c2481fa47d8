"""Notices: who is told when a command ends, by webhook or by mail."""
