"""The pages that people see; thin views over the services."""

from apiflask import APIFlask


def register(app: APIFlask) -> None:
    """Add all pages to `app`."""
    from .views import blueprint

    app.register_blueprint(blueprint)
