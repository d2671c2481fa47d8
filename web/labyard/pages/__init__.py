"""The pages that people see; thin views over the services."""

from apiflask import APIFlask


def register(app: APIFlask) -> None:
    """Add all pages to `app`."""
    from . import (  # noqa: F401  (each adds its routes or template helpers)
        allocation,
        amounts,
        billing_accounts,
        billing_runs,
        budgets,
        catalogue,
        commands,
        correcting,
        costs,
        deployments,
        exports,
        hub,
        icons,
        imports,
        invoices,
        launch,
        orphans,
        payments,
        phases,
        prices,
        profile,
        sign_in,
        status,
        tariffs,
        volumes,
        wallets,
        words,
    )
    from .blueprint import blueprint

    app.register_blueprint(blueprint)
