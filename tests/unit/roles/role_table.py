"""The table of a role's variables, as it stands in the role's README.

Run as a program it writes the tables of all roles anew:

    python tests/unit/roles/role_table.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parents[3] / "collection" / "roles"
BEGIN = "<!-- variables: made by tests/unit/roles/role_table.py -->"
END = "<!-- end of variables -->"


def platform_roles() -> list[Path]:
    """Folders of the roles whose README holds such a table."""
    return sorted(path.parent for path in ROLES.glob("*/README.md") if BEGIN in path.read_text("utf-8"))


def entry_points(role: Path) -> dict[str, Any]:
    """The argument specs of `role`, by entry point."""
    document = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text("utf-8"))
    specs: dict[str, Any] = document["argument_specs"]
    return specs


def render_table(role: Path) -> str:
    """The Markdown table of all options of the entry point `main`."""
    lines = ["| variable | type | default | what it is for |", "|---|---|---|---|"]
    for name, option in entry_points(role)["main"]["options"].items():
        kind = option["type"] + (f" of {option['elements']}" if "elements" in option else "")
        default = json.dumps(option.get("default"), ensure_ascii=False)
        text = " ".join(option["description"].split()).replace("|", "\\|").replace("<", "&lt;")
        lines.append(f"| `{name}` | {kind} | `{default}` | {text} |")
    return "\n".join(lines)


def table_in_readme(role: Path) -> str:
    """The table as it stands in the README now."""
    text = (role / "README.md").read_text("utf-8")
    return text.partition(BEGIN)[2].partition(END)[0].strip()


def write_table(role: Path) -> None:
    """Put the table into the README, between its two marks."""
    readme = role / "README.md"
    before, _, rest = readme.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    readme.write_text(f"{before}{BEGIN}\n{render_table(role)}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    for folder in platform_roles():
        write_table(folder)
