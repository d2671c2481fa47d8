"""The REST interface, version 1: thin views over the services."""

import warnings

from apiflask import APIBlueprint, APIFlask

blueprint = APIBlueprint("api", __name__, url_prefix="/api/v1", tag="Labyard")


def register(app: APIFlask) -> None:
    """Add the interface and the health endpoints to `app`."""
    from . import commands, deployments, people, plans, probes  # noqa: F401  (each adds its routes)

    # A schema that stands in a list and alone is described once; apispec warns, and is right not to mind.
    warnings.filterwarnings("ignore", message=".*has already been added to the spec")
    app.security_schemes = {"key": {"type": "http", "scheme": "bearer"}}
    app.register_blueprint(blueprint)
    app.register_blueprint(probes.blueprint)
