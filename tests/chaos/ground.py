"""Where it happens: real engines of its own, the sandbox as its own process, and what our processes are started with."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from signal import SIGTERM

from outreach import db, engines, jobs, settings
from outreach.access.sealing import FileKeyRing
from outreach.engines import Engines
from outreach.jobs import Machine
from outreach.sandbox.control import Control
from outreach.supervisor import die_with_parent, free_port
from tests.stage import ACCOUNT, environment

HERE = "127.0.0.1"

# Everything that waits minutes in life waits seconds here. A worker is frozen for at most 4 seconds and never twice. One that was
# frozen just after it asked whether its lease still holds (`lease - timeout - 2` after its claim) has then 4 more seconds until
# absence at the provider frees what it holds (`lease + release`): the hole that our documents name is never entered.
HASTE = {
    "lease_seconds": "8",
    "letter_lease_seconds": "16",
    "sms_timeout_seconds": "2.5",
    "mail_timeout_seconds": "2.5",
    "postgrid_timeout_seconds": "4",
    "reconcile_after_seconds": "1",
    "release_after_seconds": "4",
    "poll_after_seconds": "4",
    "letter_poll_seconds": "4",
    "letter_days_before_silence": "450",  # a day is four seconds, and the sandbox is slow where both cores are busy
    "sms_retry_seconds": "2",
    "mail_retry_seconds": "2",
    "sweep_seconds": "2",
    "ticker_seconds": "0.7",
    "sms_batch": "8",
    "sms_in_flight": "4",
    "mail_batch": "8",
    "mail_in_flight": "4",
    "dispatch_seconds": "5",
    "letter_batch": "10",
    "letter_niceness": "0",
    "post_provider": "postgrid",
}


@dataclass(frozen=True, slots=True)
class Ground:
    """The engines, the sandbox's control, our settings, and a folder for logs."""

    engines: Engines
    control: Control
    environment: Mapping[str, str]
    machine: Machine
    folder: Path


@contextmanager
def prepared(seed: int, *, host: str = "") -> Iterator[Ground]:
    """Engines that keep what was committed, and a sandbox whose chances depend on the seed.

    `host`: an address at which other machines can reach both.
    """
    with engines.throwaway(durable=True, host=host) as own:
        folder = own.folder
        db.migrate(own.database_url)
        FileKeyRing.create(folder / "ring.json")
        token, port, web_port = secrets.token_hex(16), free_port(host or HERE), free_port()
        web_url, api_url = f"http://127.0.0.1:{web_port}", f"http://{host or HERE}:{port}"
        environ = environment(folder, own.database_url, own.redis_url, web_url, api_url)
        carrier = _sandbox(environ, folder, seed, host or HERE, port, token)
        try:
            control = Control(api_url, token)
            control.wait_until_healthy(60)
            environ |= {"OUTREACH_SENDGRID_WEBHOOK_KEYS": control.webhook_key(), "OUTREACH_BIND": f"127.0.0.1:{web_port}"}
            environ |= {f"OUTREACH_{name.upper()}": value for name, value in HASTE.items()}
            yield Ground(own, control, environ, jobs.machine_for(settings.load(environ)), folder)
        finally:
            carrier.kill()
            carrier.wait()


def _sandbox(environ: Mapping[str, str], folder: Path, seed: int, host: str, port: int, token: str) -> subprocess.Popen[bytes]:
    web_url, secret = environ["OUTREACH_PUBLIC_BASE_URL"], environ["OUTREACH_TWILIO_AUTH_TOKEN"]
    with (folder / "sandbox.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "outreach", "sandbox", "--no-population"],
            env={
                "PATH": os.environ["PATH"],
                "TWILIO_ACCOUNT_SID": ACCOUNT,
                "TWILIO_AUTH_TOKEN": secret,
                "SANDBOX_CONTROL_TOKEN": token,
                "SANDBOX_HOST": host,
                "SANDBOX_PORT": str(port),
                "SANDBOX_BOOKS": str(folder / "books.sqlite"),
                "SANDBOX_SEED": str(seed),
                "SANDBOX_STATUS_DELAY_MS": "300",
                "SANDBOX_LETTER_DELAY_MS": "200",
                "SENDGRID_API_KEY": environ["OUTREACH_SENDGRID_API_KEY"],
                "SANDBOX_MAIL_EVENTS_URL": f"{web_url}/webhooks/sendgrid/events",
                "POSTGRID_API_KEY": environ["OUTREACH_POSTGRID_API_KEY"],
                "POSTGRID_WEBHOOK_SECRET": environ["OUTREACH_POSTGRID_WEBHOOK_SECRET"],
                "SANDBOX_POST_WEBHOOK_URL": f"{web_url}/webhooks/postgrid",
            },
            cwd=Path(__file__).parents[2],
            stdout=log,
            stderr=log,
            preexec_fn=partial(die_with_parent, SIGTERM),  # noqa: PLW1509  # one call into the C library
        )


FAULTS: dict[str, dict[str, object]] = {
    "rate_limit": {"chance": 0.05, "retry_after": 1},
    "error_before": {"chance": 0.03},
    "error_after": {"chance": 0.03},
    "drop_before": {"chance": 0.02},
    "drop_after": {"chance": 0.02},
    "slow": {"chance": 0.02, "ms": 5000},
    "missing": {"chance": 0.1},
    "doubled": {"chance": 0.5},
    "reordered": {"chance": 0.5, "ms": 200},
    "late": {"chance": 0.3, "ms": 1500},
    "fate": {"chance": 0.03, "to": "+1*", "status": "undelivered", "code": 30003},
}
"""What goes wrong at the providers of texts, mails and letters alike, and how often."""
