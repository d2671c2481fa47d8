"""The REST interface, version 1: thin views over the services."""

import warnings

from apiflask import APIBlueprint, APIFlask

blueprint = APIBlueprint("api", __name__, url_prefix="/api/v1", tag="Labyard")


def register(app: APIFlask) -> None:
    """Add the interface, its description and the health endpoints to `app`."""
    from . import (  # noqa: F401  (each adds its routes)
        billing_accounts,
        budget_requests,
        budgets,
        commands,
        deployments,
        hub,
        imported_costs,
        invoices,
        operations,
        orphans,
        payment_messages,
        payment_orders,
        payments,
        people,
        plans,
        probes,
        reading_page,
        tariffs,
        usage,
        users,
        volumes,
        wallets,
        webhooks,
    )
    from .hooks import install_hooks
    from .openapi import describe_interface

    # A schema that stands in a list and alone is described once; apispec warns, and is right not to mind.
    warnings.filterwarnings("ignore", message=".*has already been added to the spec")
    describe_interface(app)
    if not blueprint.before_request_funcs:
        install_hooks(blueprint)
    app.register_blueprint(blueprint)
    app.register_blueprint(payment_messages.blueprint)
    app.register_blueprint(probes.blueprint)
    app.register_blueprint(reading_page.blueprint)
