"""Many deployments and commands, made by the database itself."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from labyard.accounts.keys import create_key
from labyard.accounts.people import create_user
from labyard.models import Plan, Project

PEOPLE = 100  # who own everything in equal parts; each has a project
_TASKS = 4  # of each command
_PASSWORD = "correct horse battery"

# Row number `i` in words of each database. Times are spread over January 2026.
_WORDS = {
    "sqlite": {
        "id8": "printf('%08d', i)",
        "id12": "printf('%012d', i)",
        "owner_id8": "printf('%08d', i % :deployments)",
        "time": "strftime('%Y-%m-%d %H:%M:%f000', 1767225600 + i * 2592000.0 / :rows, 'unixepoch')",
    },
    "postgresql": {
        "id8": "lpad(i::text, 8, '0')",
        "id12": "lpad(i::text, 12, '0')",
        "owner_id8": "lpad((i % :deployments)::text, 8, '0')",
        "time": "to_timestamp(1767225600 + i * 2592000.0 / :rows)",
    },
}
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :rows - 1) "

# One in ten is removed, one in a hundred failed and degraded; as many are of the plan "rare".
_DEPLOYMENTS = """
INSERT INTO deployments (id, name, plan_id, owner_id, project_id, state, health, health_detail, message,
  params, services, endpoints, volumes, sealed_secrets, version, created_at, updated_at)
{numbers}
SELECT {id8}, 'd' || i, CASE WHEN i % 100 = 50 THEN :rare ELSE :common END,
  :first_person + i % :people, :first_project + i % :people,
  CASE WHEN i % 10 = 3 THEN 8 WHEN i % 100 = 7 THEN 9 ELSE 5 END,
  CASE WHEN i % 100 = 7 THEN 'degraded' ELSE 'running' END, '', 'The notebook runs.',
  '{{"cpu_limit": 1.0, "memory_limit": 1024}}', '[{{"name": "notebook", "replicas": 1, "running": 1}}]',
  '[{{"name": "JupyterLab", "url": "http://127.0.0.1:20000/lab"}}]', '[]', '', 3, {time}, {time}
FROM n
"""
# A hundred of them wait or run; one in fifty failed, one in a hundred is a scale.
_COMMANDS = """
INSERT INTO commands (id, deployment_id, owner_id, plan_id, project_id, issuer_id, phase, params, state,
  message, timeout, priority, check_only, difference, steps_done, source_commit, cancel_requested,
  created_at, fence)
{numbers}
SELECT {id12}, {owner_id8}, :first_person + (i % :deployments) % :people,
  CASE WHEN (i % :deployments) % 100 = 50 THEN :rare ELSE :common END,
  :first_project + (i % :deployments) % :people, :first_person + (i % :deployments) % :people,
  CASE WHEN i % 100 = 11 THEN 'scale' ELSE 'install' END, '{{"cpu_limit": 1.0, "memory_limit": 1024}}',
  CASE WHEN i >= :rows - 100 THEN i % 2 WHEN i % 50 = 9 THEN 9 ELSE 5 END, 'The notebook runs.', 600,
  0, {no}, '[]', '[]', '', {no}, {time}, 1
FROM n
"""
_TASK_ROWS = """
INSERT INTO tasks (command_id, position, name, state, error)
SELECT commands.id, {position}, 'Step {position}', 5, '' FROM commands
"""
_RUN_ROWS = """
INSERT INTO runs (command_id, fence, host, folder, started_at, status, last_counter)
SELECT commands.id, 1, '', '', commands.created_at, 'successful', 0 FROM commands
"""
_AUDIT_ROWS = """
INSERT INTO audit (at, username, action, address, detail)
{numbers} SELECT {time}, 'person' || i % :people, 'command install', '', '{{}}' FROM n
"""


def fill(session: Session, deployments: int, commands: int) -> dict[str, str]:
    """Fill an empty database; keys of an admin and of one of PEOPLE. One commit, and fresh statistics."""
    keys = {"admin": create_key(session, create_user(session, "root", _PASSWORD, is_admin=True), "b")}
    people = [create_user(session, f"person{n}", _PASSWORD) for n in range(PEOPLE)]
    projects = [Project(name=f"lab{n}") for n in range(PEOPLE)]
    plans = [
        Plan(name=name, title=name, configuration="labyard.platform.notebook") for name in ("common", "rare")
    ]
    session.add_all([*projects, *plans])
    session.flush()
    keys["person"] = create_key(session, people[0], "b")
    dialect = session.get_bind().dialect.name
    words = {**_WORDS[dialect], "numbers": _NUMBERS, "no": "0" if dialect == "sqlite" else "false"}
    about = {
        "deployments": deployments,
        "people": PEOPLE,
        "first_person": people[0].id,
        "first_project": projects[0].id,
        "common": plans[0].id,
        "rare": plans[1].id,
    }
    _run(session, _DEPLOYMENTS.format(**words), {**about, "rows": deployments})
    _run(session, _COMMANDS.format(**words), {**about, "rows": commands})
    for position in range(_TASKS):
        _run(session, _TASK_ROWS.format(position=position), {})
    _run(session, _RUN_ROWS, {})
    _run(session, _AUDIT_ROWS.format(**words), {**about, "rows": commands})
    session.execute(text("ANALYZE"))
    session.commit()
    return keys


def _run(session: Session, statement: str, values: dict[str, int]) -> None:
    named = {name: value for name, value in values.items() if f":{name}" in statement}
    session.execute(text(statement.replace("::", "\\:\\:")), named)
