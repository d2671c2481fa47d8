"""The blueprint of the edge; alone in a file, so that its views need not import each other."""

from apiflask import APIBlueprint

blueprint = APIBlueprint("edge", __name__, url_prefix="/edge", enable_openapi=False)
