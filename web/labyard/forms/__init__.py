"""From a phase's fields to a form, and from what a form sent to parameters."""
