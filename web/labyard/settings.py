"""The settings of the console, read from the environment once, at the edge."""

from __future__ import annotations

import os
import secrets
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from .errors import InvalidInput
from .settings_directory import DirectorySettings, read_directory
from .settings_payments import PaymentSettings, read_payment_settings

_REPOSITORY = Path(__file__).resolve().parents[2]
_PACKAGED_PLAYBOOKS = Path(__file__).resolve().parent / "playbooks"


@dataclass(frozen=True)
class Settings:
    """Where things lie. Every field has an environment variable `LABYARD_<FIELD>`."""

    home: Path  # state: database, queue, runs, keys
    # sqlite:///PATH or postgresql://USER@HOST/NAME; with the password, once it is read from its file.
    database_url: str = field(repr=False)
    # The path of a SQLite file, redis://, rediss://, unix:// (Redis' socket) or postgresql://, as above.
    queue_url: str = field(repr=False)
    playbook: Path  # the play that carries out a request
    inventory: Path  # the inventory that play runs with
    ansible_config: Path | None
    docker_host: str | None
    public_url: str = "http://127.0.0.1:8080"  # where people reach the console: links in mails begin with it
    # Networks beside the public internet that webhooks may be sent to: "10.0.0.0/8 192.168.7.4".
    notice_networks: tuple[str, ...] = ()
    ca_bundle: Path | None = None  # trusted for webhooks, mail and repositories; None: what the system trusts
    smtp_url: str = ""  # smtp://, smtp+starttls:// or smtps://[USER@]HOST[:PORT]; empty: no mail is sent
    smtp_password_file: Path | None = None
    mail_from: str = ""
    # Hosts from which configurations may be fetched, HOST or HOST:PORT; empty: from none.
    source_hosts: tuple[str, ...] = ()
    command_limit: int = 4  # commands of one person that may run at once, where the person has no own limit
    deployment_limit: int = 0  # deployments that one person may have; 0: as many as there is room for
    live_streams: int = 48  # that one web process keeps open; each holds one of its 64 threads
    keep_runs_days: int = 14  # folders of older runs are removed
    keep_runs: int = 20  # folders of runs that are kept for each deployment
    # The secret that all hosts of one console share (sessions, sealing); None: this host's own, in `home`.
    key_file: Path | None = None
    # The domain below which each deployment has a name of its own, DOMAIN or DOMAIN:PORT; empty: no ingress.
    edge_domain: str = ""
    edge_secret_file: Path | None = None  # what the ingress shows, so that it is believed
    hub_url: str = ""  # where people and the console reach a JupyterHub of the same people; empty: none
    hub_token_file: Path | None = None  # what the console shows to the hub
    hub_stack: str = ""  # the hub's name on the swarm; the console meters its notebooks. Empty: it does not
    usage_interval: int = (
        300  # seconds from one look at what the swarm uses to the next; 0: nothing is metered
    )
    # YAML that says which plan or shape is which metric of the EOSC; None: nothing is exported to it.
    eosc_file: Path | None = None
    directory: DirectorySettings | None = None  # where people are checked who have no password here
    payments: PaymentSettings | None = None  # how people pay at Stripe; None: they do not

    @property
    def runs(self) -> Path:
        """One folder for each run."""
        return self.home / "runs"

    @property
    def meter_runs(self) -> Path:
        """One folder for each run of the play that meters."""
        return self.home / "meter"

    def edge_origin(self, deployment_id: str) -> str:
        """The origin at which a browser finds a deployment, behind the ingress."""
        return f"https://{deployment_id}.{self.edge_domain}"

    def edge_secret(self) -> str:
        """What the ingress shows, empty if there is none; raises InvalidInput if it cannot be read."""
        if self.edge_secret_file is None:
            return ""
        return _read_secret("LABYARD_EDGE_SECRET_FILE", self.edge_secret_file)

    def hub_token(self) -> str:
        """What the console shows to the hub; raises InvalidInput if it cannot be read."""
        if self.hub_token_file is None:
            raise InvalidInput("LABYARD_HUB_TOKEN_FILE is not set. It names the file with the hub's token.")
        return _read_secret("LABYARD_HUB_TOKEN_FILE", self.hub_token_file)

    def key(self) -> str:
        """The console's own secret (sessions, sealing), made at first use with mode 0600.

        Raises InvalidInput if `key_file` is named but cannot be read.
        """
        if self.key_file is not None:
            return _read_secret("LABYARD_KEY_FILE", self.key_file)
        path = self.home / "secret_key"
        if not path.exists():
            self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write_once(path, secrets.token_urlsafe(48))
        return path.read_text(encoding="ascii").strip()


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from `environ` (default: the process's own), with embedded defaults for all of them."""
    env = os.environ if environ is None else environ
    home = Path(env.get("LABYARD_HOME") or ".local").resolve()
    config = Path(env.get("ANSIBLE_CONFIG") or _REPOSITORY / "ansible.cfg")
    database = _database_url(env, home)
    return Settings(
        home=home,
        database_url=database,
        queue_url=_queue_url(env, home, database),
        playbook=Path(env.get("LABYARD_PLAYBOOK") or own_playbook("service.yml")).resolve(),
        inventory=Path(env.get("LABYARD_INVENTORY") or _REPOSITORY / "inventories" / "local").resolve(),
        ansible_config=config.resolve() if config.exists() else None,
        docker_host=env.get("DOCKER_HOST") or None,
        public_url=(env.get("LABYARD_PUBLIC_URL") or Settings.public_url).rstrip("/"),
        notice_networks=_words(env.get("LABYARD_NOTICE_NETWORKS")),
        ca_bundle=_path(env.get("LABYARD_CA_BUNDLE")),
        smtp_url=env.get("LABYARD_SMTP_URL") or "",
        smtp_password_file=_path(env.get("LABYARD_SMTP_PASSWORD_FILE")),
        mail_from=env.get("LABYARD_MAIL_FROM") or "",
        source_hosts=_words(env.get("LABYARD_SOURCE_HOSTS")),
        command_limit=_number(env, "LABYARD_COMMAND_LIMIT", Settings.command_limit, least=1),
        deployment_limit=_number(env, "LABYARD_DEPLOYMENT_LIMIT", Settings.deployment_limit),
        live_streams=_number(env, "LABYARD_LIVE_STREAMS", Settings.live_streams, least=1),
        keep_runs_days=_number(env, "LABYARD_KEEP_RUNS_DAYS", Settings.keep_runs_days),
        keep_runs=_number(env, "LABYARD_KEEP_RUNS", Settings.keep_runs),
        key_file=_path(env.get("LABYARD_KEY_FILE")),
        edge_domain=(env.get("LABYARD_EDGE_DOMAIN") or "").lower(),
        edge_secret_file=_path(env.get("LABYARD_EDGE_SECRET_FILE")),
        hub_url=(env.get("LABYARD_HUB_URL") or "").rstrip("/"),
        hub_token_file=_path(env.get("LABYARD_HUB_TOKEN_FILE")),
        hub_stack=env.get("LABYARD_HUB_STACK") or "",
        usage_interval=_number(env, "LABYARD_USAGE_INTERVAL", Settings.usage_interval),
        eosc_file=_path(env.get("LABYARD_EOSC_FILE")),
        directory=read_directory(env),
        payments=read_payment_settings(env),
    )


def _database_url(env: Mapping[str, str], home: Path) -> str:
    """Where the tables are; PostgreSQL's addresses get the name of the driver that we use."""
    url = env.get("LABYARD_DATABASE_URL") or f"sqlite:///{home / 'labyard.db'}"
    kind, mark, rest = url.partition("://")
    if kind in ("postgres", "postgresql"):
        kind = "postgresql+psycopg"
    if kind not in ("sqlite", "postgresql+psycopg"):
        raise InvalidInput(f"LABYARD_DATABASE_URL: {kind}:// is neither sqlite:/// nor postgresql://.")
    return _with_password(env, "LABYARD_DATABASE_PASSWORD_FILE", f"{kind}{mark}{rest}")


def _queue_url(env: Mapping[str, str], home: Path, database: str) -> str:
    """Where messages go: beside the tables, if nothing else is said."""
    url = env.get("LABYARD_QUEUE_URL") or (str(home / "queue.db") if database.startswith("sqlite") else "")
    return _with_password(env, "LABYARD_QUEUE_PASSWORD_FILE", url) if url else database


def _with_password(env: Mapping[str, str], variable: str, url: str) -> str:
    """`url` with the password in the file that `variable` names, if it names one."""
    path = _path(env.get(variable))
    if path is None:
        return url
    password = _read_secret(variable, path)
    kind, mark, rest = url.partition("://")
    place, slash, path_and_query = rest.partition("/")
    user, _, host = place.rpartition("@")
    return f"{kind}{mark}{user.partition(':')[0]}:{quote(password, safe='')}@{host}{slash}{path_and_query}"


def _number(env: Mapping[str, str], variable: str, default: int, least: int = 0) -> int:
    text = env.get(variable) or str(default)
    if not text.isdecimal() or int(text) < least:
        raise InvalidInput(f"{variable}: {text} is no whole number of at least {least}.")
    return int(text)


def _read_secret(variable: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise InvalidInput(
            f"{variable}: {path} cannot be read ({error.strerror}). Write the secret to it."
        ) from error


def _words(text: str | None) -> tuple[str, ...]:
    return tuple((text or "").replace(",", " ").split())


def _path(text: str | None) -> Path | None:
    return Path(text).resolve() if text else None


def _write_once(path: Path, text: str) -> None:
    """Write a private file unless another process is first: then its text stays."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
    write_private(draft, text)
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()


def write_private(path: Path, text: str) -> None:
    """Write `text` to a new or existing file that only its owner can read (0600)."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(text)


def python_folder() -> Path:
    """The folder of this interpreter: ansible-playbook of the same environment lies there."""
    return Path(sys.executable).parent


def own_playbook(name: str) -> Path:
    """A playbook of ours: from the package, or from the repository where that is what runs."""
    packaged = _PACKAGED_PLAYBOOKS / name
    return packaged if packaged.exists() else _REPOSITORY / "playbooks" / name
