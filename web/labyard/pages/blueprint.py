"""The blueprint of all pages; alone in a file, so that pages need not import each other."""

from apiflask import APIBlueprint

blueprint = APIBlueprint("pages", __name__, enable_openapi=False)
