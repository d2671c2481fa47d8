"""The shapes of the REST interface."""
