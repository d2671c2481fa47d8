"""What makes JupyterHub one of Labyard: its spawner, and its settings from what the swarm gives."""
