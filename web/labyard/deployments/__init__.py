"""Deployments: what a run's outcome makes of them, and what the swarm shows of them."""
