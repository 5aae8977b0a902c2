"""`python -m outreach bounces`: keep what relays report of mails that did not arrive.

Either a mail server pipes one message in (`b+*: "|python -m outreach bounces"`), or one that delivers into a Maildir has it read
every minute. Each message is kept in a transaction of its own, and may come again: a report is kept once.
"""

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import structlog

from outreach import logs

if TYPE_CHECKING:
    from outreach.jobs import Machine

log = structlog.get_logger()


@click.command()
@click.option(
    "--maildir", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Read the new mails of this Maildir."
)
def command(maildir: Path | None) -> None:
    """Keep delivery status notifications, from a Maildir or one from the standard input.

    In a Maildir what was kept moves from `new` to `cur`, and what is no notification about a mail of ours stays. Of the standard
    input, the codes at the end are those that mail servers understand: 0 kept, 65 not a notification, 75 try again later.
    """
    from sqlalchemy.exc import OperationalError

    from outreach import jobs
    from outreach.providers.dsn import LARGEST

    logs.start()
    machine = jobs.machine()
    try:
        if maildir is not None:
            read_maildir(machine, maildir)
        elif not keep(machine, sys.stdin.buffer.read(LARGEST + 1)):
            log.warning("bounces.not_a_notification")
            sys.exit(os.EX_DATAERR)
    except OperationalError as error:
        log.error("bounces.database_unreachable", error=type(error).__name__)
        sys.exit(os.EX_TEMPFAIL)


def read_maildir(machine: "Machine", maildir: Path) -> None:
    """Keep every notification in `new`. Two readers at once do no harm."""
    kept = left = 0
    for path in sorted(path for path in (maildir / "new").iterdir() if path.is_file() and not path.name.startswith(".")):
        try:
            if keep(machine, path.read_bytes()):
                # https://cr.yp.to/proto/maildir.html: S is "seen".
                path.rename(maildir / "cur" / f"{path.name}:2,S")
                kept += 1
            else:
                log.warning("bounces.not_a_notification")
                left += 1
        except FileNotFoundError:
            continue  # Another reader was faster.
    log.info("bounces.read", kept=kept, left=left)


def keep(machine: "Machine", raw: bytes) -> bool:
    """Keep what one message reports, now or once before. False where it reports nothing of ours."""
    from outreach.delivery import events, mail_address
    from outreach.delivery.mail_address import Purpose
    from outreach.providers import dsn
    from outreach.providers.smtp import SmtpMail

    vault, domain = machine.vault, machine.settings.smtp_bounce_domain
    token_of = partial(mail_address.read, vault, Purpose.BOUNCE)
    report = dsn.read(raw, token_of, lambda token: f"{mail_address.sign(vault, Purpose.BOUNCE, token)}@{domain}")
    if report is None:
        return False
    with machine.sessions.begin() as session:
        events.keep(session, SmtpMail.name, report)
    return True
