"""Put a compose document on a Docker swarm: load, normalise, convert, plan, apply, wait."""
