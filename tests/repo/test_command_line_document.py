"""docs/command-line.md says what the command line does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest

from labyard.cli import cli
from labyard.commandline import exits

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")
LINES = [
    line.partition("#")[0].strip() for line in TEXT.splitlines() if line.startswith(("labyard ", "eval "))
]


def words_of(line: str) -> list[str]:
    """The arguments of `labyard` in a line of the page."""
    found = re.search(r"labyard ([^|)]*)", line)
    assert found
    return shlex.split(found.group(1))


@pytest.mark.parametrize("line", LINES)
def test_line_of_the_page_when_parsed_then_all_its_commands_and_options_are_there(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plans.yml").write_text("[]")
    command: click.Command = cli
    context = click.Context(cli, info_name="labyard")
    rest = words_of(line)
    while isinstance(command, click.Group):
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command, context = found, click.Context(found, info_name=name, parent=context)
    command.parse_args(context, rest)


def all_commands(group: click.Group, path: str = "") -> list[tuple[str, Any]]:
    """Every command that is not a group, by its whole name."""
    found = []
    for name, command in group.commands.items():
        whole = f"{path} {name}".strip()
        found += all_commands(command, whole) if isinstance(command, click.Group) else [(whole, command)]
    return found


def test_page_when_read_then_every_top_command_is_on_it() -> None:
    assert [name for name in cli.commands if f"labyard {name}" not in TEXT] == []


def test_exit_codes_when_listed_then_all_are() -> None:
    codes = {value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", TEXT, re.MULTILINE)} == codes


@pytest.mark.parametrize(("name", "command"), all_commands(cli))
def test_command_when_asked_for_help_then_it_and_its_options_have_a_text(
    name: str, command: click.Command
) -> None:
    assert command.help, name
    lists = ("--json", "--project", "--plan", "--state", "--health", "--phase", "--url", "--active")
    silent = [
        option.opts[0]
        for option in command.params
        if isinstance(option, click.Option) and not option.help and option.opts[0] not in lists
    ]
    assert silent == [] or name in ("user ensure-admin",)
