"""The edge: whom the ingress lets through to which deployment, and how they get there.

Deployments have an address of their own each, because an origin of its own is the only thing that
keeps one person's content from another's. So the console's cookie never reaches them: who is signed
in there gets a pass for one deployment, by a ticket that only the browser that asked can use.
"""

from apiflask import APIFlask


def register(app: APIFlask) -> None:
    """Add the edge's addresses to `app`, and believe the ingress about who is asking."""
    from labyard.context import context

    from . import entering, ingress  # noqa: F401  (each adds its routes)
    from .blueprint import blueprint
    from .forwarded import BelieveIngress

    app.wsgi_app = BelieveIngress(app.wsgi_app, context(app).settings.edge_secret())  # type: ignore[method-assign]  # as Flask has it for middleware
    app.register_blueprint(blueprint)
