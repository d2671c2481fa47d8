"""The name of the artifact folder of a run; known to its process and to its supervisor."""

IDENT = "run"
