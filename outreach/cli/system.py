"""The whole system on one machine, for `run` and `demo`: engines, sandbox, workers, ticker, panel. Each is what production runs."""

import json
import os
import secrets
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from outreach import db, engines, jobs, settings, supervisor
from outreach.access.sealing import FileKeyRing
from outreach.engines.home import write_closed
from outreach.sandbox.config import DEFAULT_ACCOUNT_SID
from outreach.sandbox.control import Control
from outreach.sandbox.mail_key import new_key, private_key, public_key
from outreach.settings import Settings
from outreach.supervisor import Program

VAR = Path(__file__).parents[2] / "var"
WORKERS = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """What to start, and where. `folder` keeps data, keys and logs; ports 0 are chosen by the machine."""

    folder: Path
    port: int
    sandbox_port: int
    population: bool = False
    durable: bool = True


@dataclass(frozen=True, slots=True)
class Running:
    """The system, started. `control` speaks to the sandbox."""

    settings: Settings
    group: supervisor.Group
    panel_url: str
    sandbox_url: str
    control: Control
    failure: Callable[[], str | None]

    def machine(self) -> jobs.Machine:
        """Sessions on the system's database, for what is done at the start."""
        return jobs.machine_for(self.settings)


def say(line: str) -> None:
    """One line of progress, at once, also where there is no terminal."""
    click.echo(line, err=True)


@contextmanager
def started(plan: Plan) -> Iterator[Running]:
    """Start everything in order, and stop it at the end. Raises click.ClickException, whose sentence says what to do."""
    try:
        with ExitStack() as stack:
            yield _start(stack, plan)
    except (engines.EnginesError, supervisor.ProgramError, supervisor.PortTakenError, settings.BadSettings) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(_of_the_machine(error, plan.folder)) from error


def _start(stack: ExitStack, plan: Plan) -> Running:
    plan.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    port, sandbox_port = _free(plan.port, "OUTREACH_PORT"), _free(plan.sandbox_port, "SANDBOX_PORT")
    failure: Callable[[], str | None] = _never
    addresses = {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL") if os.environ.get(name)}
    if len(addresses) < 2:
        say("Starting PostgreSQL and Valkey")
        own = stack.enter_context(engines.start(plan.folder / "engines", durable=plan.durable))
        addresses = {"DATABASE_URL": own.database_url, "REDIS_URL": own.redis_url} | addresses
        failure = own.failure
    panel_url, sandbox_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{sandbox_port}"
    kept = _secrets(plan.folder / "secrets.json")
    ring = plan.folder / "keys" / "ring.json"
    if not ring.exists():
        FileKeyRing.create(ring)
    environment = {
        "OUTREACH_ENVIRONMENT": "development",
        "OUTREACH_SECRET_KEY": kept["secret_key"],
        "OUTREACH_KEY_RING": str(ring),
        "OUTREACH_PUBLIC_BASE_URL": panel_url,
        "OUTREACH_TWILIO_ACCOUNT_SID": DEFAULT_ACCOUNT_SID,
        "OUTREACH_TWILIO_AUTH_TOKEN": kept["twilio_auth_token"],
        "OUTREACH_TWILIO_API_URL": sandbox_url,
        "OUTREACH_SENDGRID_API_KEY": kept["sendgrid_api_key"],
        "OUTREACH_SENDGRID_API_URL": sandbox_url,
        "OUTREACH_SENDGRID_WEBHOOK_KEYS": public_key(private_key(kept["sandbox_webhook_key"])),
        "OUTREACH_INBOUND_MAIL_PASSWORD": kept["inbound_mail_password"],
        "OUTREACH_POSTGRID_API_KEY": kept["postgrid_api_key"],
        "OUTREACH_POSTGRID_API_URL": sandbox_url,
        "OUTREACH_POSTGRID_WEBHOOK_SECRET": kept["postgrid_webhook_secret"],
        "OUTREACH_BIND": f"127.0.0.1:{port}",
        **addresses,
    }
    chosen = settings.load({**os.environ, **environment})
    write_closed(plan.folder / "environment", "".join(f"{name}={value}\n" for name, value in environment.items()))
    say("Bringing the database up to date")
    db.migrate(chosen.database_url)
    group = stack.enter_context(supervisor.Group(logs=plan.folder / "log"))
    say("Starting the sandbox, three workers, the ticker and the panel")
    sandbox = Program(
        "sandbox",
        [sys.executable, "-m", "outreach", "sandbox", "--population" if plan.population else "--no-population"],
        {
            "TWILIO_ACCOUNT_SID": DEFAULT_ACCOUNT_SID,
            "TWILIO_AUTH_TOKEN": kept["twilio_auth_token"],
            "SANDBOX_CONTROL_TOKEN": kept["sandbox_control_token"],
            "SANDBOX_PORT": str(sandbox_port),
            "SANDBOX_BOOKS": str(plan.folder / "sandbox.sqlite"),
            "SANDBOX_INBOUND_URL": f"{panel_url}/webhooks/twilio/inbound",
            "SANDBOX_NUMBERS": chosen.sms_sender,
            "SENDGRID_API_KEY": kept["sendgrid_api_key"],
            "SANDBOX_WEBHOOK_KEY": kept["sandbox_webhook_key"],
            "SANDBOX_MAIL_EVENTS_URL": f"{panel_url}/webhooks/sendgrid/events",
            "SANDBOX_INBOUND_MAIL_URL": f"{panel_url}/webhooks/sendgrid/inbound",
            "SANDBOX_INBOUND_MAIL_PASSWORD": kept["inbound_mail_password"],
            "POSTGRID_API_KEY": kept["postgrid_api_key"],
            "POSTGRID_WEBHOOK_SECRET": kept["postgrid_webhook_secret"],
            "SANDBOX_POST_WEBHOOK_URL": f"{panel_url}/webhooks/postgrid",
        },
        ready=supervisor.listening(sandbox_port),
    )
    group.start(sandbox)
    python = [sys.executable, "-m", "outreach"]
    workers = [Program(f"worker-{number}", [*python, "worker"], environment) for number in range(1, WORKERS + 1)]
    group.start(*workers, Program("ticker", [*python, "ticker"], environment))
    group.start(Program("panel", [*python, "web"], environment, ready=_answers(panel_url)))
    return Running(chosen, group, panel_url, sandbox_url, Control(sandbox_url, kept["sandbox_control_token"]), failure)


SECRETS: dict[str, Callable[[], str]] = {
    "secret_key": lambda: secrets.token_hex(32),
    "twilio_auth_token": lambda: secrets.token_hex(32),
    "sandbox_control_token": lambda: secrets.token_hex(32),
    "sendgrid_api_key": lambda: secrets.token_hex(32),
    "sandbox_webhook_key": new_key,
    "inbound_mail_password": lambda: secrets.token_hex(32),
    "postgrid_api_key": lambda: secrets.token_hex(32),
    "postgrid_webhook_secret": lambda: secrets.token_hex(32),
}


def _secrets(path: Path) -> dict[str, str]:
    """This installation's own secrets, readable by their owner only. Those that an earlier version did not have are added."""
    kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    if missing := SECRETS.keys() - kept.keys():
        kept |= {name: SECRETS[name]() for name in missing}
        write_closed(path, json.dumps(kept))
    return kept


def _free(port: int, setting: str) -> int:
    if port:
        supervisor.require_free_port(port, setting=setting)
        return port
    return supervisor.free_port()


def _answers(url: str) -> Callable[[], bool]:
    def ready() -> bool:
        try:
            with urllib.request.urlopen(f"{url}/sign-in", timeout=2):  # noqa: S310  # an address of this machine, made above
                return True
        except (urllib.error.URLError, OSError):
            return False

    return ready


def _never() -> None:
    return None


def _of_the_machine(error: OSError, folder: Path) -> str:
    if error.errno == 28:  # ENOSPC
        return f"The disk that holds {folder} is full. Free about 300 MB, or set OUTREACH_VAR to a folder on another disk."
    if error.errno == 13:  # EACCES
        return f"{folder} cannot be written. Make it yours, or set OUTREACH_VAR to a folder that is."
    return f"The machine refused: {error.strerror or type(error).__name__}."
