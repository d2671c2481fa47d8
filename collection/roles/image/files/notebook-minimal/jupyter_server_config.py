"""Settings of the Jupyter server inside a Labyard notebook.

Read by Jupyter at its start. Everything that differs from one notebook to the
next comes from a secret file or from the environment, never from the command
line, where other processes could read it.
"""

import os
from pathlib import Path

c = get_config()  # noqa: F821 - given by traitlets when it reads this file

SECONDS_PER_MINUTE = 60

# Set by a hub, which then says who may enter, and where the server listens.
if "JUPYTERHUB_SERVICE_URL" not in os.environ:
    c.IdentityProvider.token = (
        Path(os.environ.get("LABYARD_TOKEN_FILE", "/run/secrets/token")).read_text(encoding="utf-8").strip()
    )
    c.ServerApp.ip = "0.0.0.0"  # noqa: S104 - inside a container; the service decides what is published
    c.ServerApp.port = 8888
    c.ServerApp.base_url = os.environ.get("LABYARD_BASE_URL", "/")
else:
    from jupyterhub.httpclient import JupyterHubHTTPClient

    # A hub that was replaced has another address at once. The client takes no configuration here, so its
    # default is changed: names are looked up for each connection.
    JupyterHubHTTPClient.connector_options.default_args = ({"use_dns_cache": False},)

c.ServerApp.port_retries = 0
c.ServerApp.open_browser = False
c.ServerApp.allow_remote_access = True
c.ServerApp.root_dir = str(Path.home())
c.ServerApp.terminals_enabled = True

# Minutes without activity after which kernels and terminals end, and then the
# server itself; 0 keeps everything until it is stopped.
idle_seconds = SECONDS_PER_MINUTE * int(os.environ.get("LABYARD_IDLE_TIMEOUT") or 0)
if idle_seconds > 0:
    look_every = max(5, min(SECONDS_PER_MINUTE, idle_seconds // 4))
    c.MappingKernelManager.cull_idle_timeout = idle_seconds
    c.MappingKernelManager.cull_interval = look_every
    c.TerminalManager.cull_inactive_timeout = idle_seconds
    c.TerminalManager.cull_interval = look_every
    c.ServerApp.shutdown_no_activity_timeout = idle_seconds
