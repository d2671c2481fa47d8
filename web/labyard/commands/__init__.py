"""Commands: who may ask for what; a command row is the only way to change a deployment."""
