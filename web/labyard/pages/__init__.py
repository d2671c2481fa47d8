"""The pages that people see; thin views over the services."""

from apiflask import APIFlask


def register(app: APIFlask) -> None:
    """Add all pages to `app`."""
    from . import (  # noqa: F401  (each adds its routes or template helpers)
        catalogue,
        commands,
        deployments,
        hub,
        icons,
        launch,
        orphans,
        phases,
        profile,
        sign_in,
        status,
        volumes,
        words,
    )
    from .blueprint import blueprint

    app.register_blueprint(blueprint)
