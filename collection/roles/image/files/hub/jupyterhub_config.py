"""Settings of the hub, read by JupyterHub at its start; labyard_hub turns what the swarm gives into them."""

from labyard_hub.configure import configure
from labyard_hub.given import read_given

configure(get_config(), read_given())  # noqa: F821 - given by traitlets when it reads this file
