"""A command from its claim to its end: the place where runs, artifacts and deployments meet."""

from .flow import look_after, see_through, see_through_next

__all__ = ["look_after", "see_through", "see_through_next"]
