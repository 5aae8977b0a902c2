"""`python -m outreach demo`: the whole system with synthetic people and a first campaign, to look at and to try by hand.

Every channel of the channel plan is a step of the campaign, and none of them waits: what is spread over two weeks in life happens
at once. Texts and mails go to the sandbox, which answers; letters and packets for hand service are set and lie in the print room,
for the visitor to print.

`--check` does the same on throw-away engines without a screen, counts what happened from the database and, independently, from
the sandbox's own books, and says whether every promise held.
"""

import io
import json
import os
import shutil
import sys
import time
from datetime import date
from datetime import time as hour
from pathlib import Path

import click
import pyotp
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from outreach import jobs
from outreach.access import accounts
from outreach.access.accounts import Account, Role
from outreach.access.audit import COMMAND
from outreach.campaigns import campaign, rules
from outreach.campaigns.campaign import Campaign, Rung
from outreach.cli import evidence
from outreach.cli.system import VAR, Plan, Running, say, started
from outreach.db import now
from outreach.engines import home
from outreach.notices import notice
from outreach.notices.house import House
from outreach.notices.notice import Channel, Notice, Purpose, Rendition, RenditionState
from outreach.people.attorney import Representation
from outreach.people.file import Reader
from outreach.people.roster import importing
from outreach.people.synth import rosters
from outreach.people.synth.furnishing import furnish
from outreach.people.synth.person import AS_OF
from outreach.people.synth.settling import settle

PASSWORD = "demonstration only"  # noqa: S105  # printed on the screen: it opens nothing but synthetic data on this machine
TOTP_SECRETS = {
    Role.OFFICER: "DEMONSTRATIONOFFICERAAAAAAAAAAAA",
    Role.APPROVER: "DEMONSTRATIONAPPROVERAAAAAAAAAAA",
    Role.SUPERVISOR: "DEMONSTRATIONSUPERVISORAAAAAAAAA",
    Role.AUDITOR: "DEMONSTRATIONAUDITORAAAAAAAAAAAA",
}
NOTE = "Approved by the demonstration, for synthetic people only. No speaker of this language has reviewed the text."
INCIDENTS = (
    ("2022-A", "File on a public page", date(2022, 11, 28)),
    ("2022-B", "Names given to another government", date(2022, 12, 7)),
)
TITLE = "First contact"
EARLIER_TITLE = "First contact by text"  # of a version that knew no other way
FAULTS = {"error_after": 0.01, "drop_after": 0.01, "error_before": 0.01, "rate_limit": 0.02, "doubled": 0.05}
"""What goes wrong with texts and mails in a check, and how often: answers lost after the provider took it, calls refused for haste,
reports twice."""

ON_PAPER = (Channel.LETTER, Channel.ATTORNEY_LETTER)  # the texts; a letter handed over is one for the post
CHECKED_LETTERS = frozenset({"en", "ar", "am", "ka", "bn"})
"""Languages whose letters a check approves: five scripts. To set all of them takes minutes of both cores; whoever speaks another
one is then on the list of those who need a translation."""

QUIET_SECONDS = 300  # until the demonstration's campaign must have settled
IMPATIENT = {
    "OUTREACH_RECONCILE_AFTER_SECONDS": "1",
    "OUTREACH_RELEASE_AFTER_SECONDS": "2",
    "OUTREACH_LEASE_SECONDS": "25",
    "OUTREACH_SWEEP_SECONDS": "1",
    "OUTREACH_TICKER_SECONDS": "0.5",
    "OUTREACH_SMS_RETRY_SECONDS": "2",
    "OUTREACH_MAIL_RETRY_SECONDS": "2",
    "OUTREACH_POLL_AFTER_SECONDS": "5",
    "OUTREACH_LETTER_NICENESS": "0",
    # The faults are meant: nothing is to stop by itself because of them.
    "OUTREACH_BREAKER_ADDRESS_SHARE": "1",
    "OUTREACH_BREAKER_REFUSAL_SHARE": "1",
    "OUTREACH_BREAKER_UNKNOWN_SHARE": "1",
    "OUTREACH_BREAKER_BOUNCE_SHARE": "1",
    "OUTREACH_BREAKER_COMPLAINT_SHARE": "1",
}
"""Waits that are minutes in life, so that a check of everything ends within a minute or two, and letters that do not stand back."""


@click.command()
@click.option("--port", type=int, default=8000, envvar="OUTREACH_PORT", show_default=True, help="Of the panel.")
@click.option("--sandbox-port", type=int, default=8010, envvar="SANDBOX_PORT", show_default=True, help="Of the sandbox carrier.")
@click.option("--check", is_flag=True, help="Prove the promises headless, on throw-away engines, and print one JSON object.")
@click.option("--codes", is_flag=True, help="Print the one-time codes of the demonstration's sign-ins, now.")
def command(*, port: int, sandbox_port: int, check: bool, codes: bool) -> None:
    """Start everything with synthetic people and a first campaign. Ctrl-C stops it; the data stays in var/demo/."""
    if codes:
        _print_sign_ins()
    elif check:
        sys.exit(_check())
    else:
        folder = Path(os.environ.get("OUTREACH_VAR", VAR)) / "demo"
        with started(Plan(folder, port, sandbox_port, population=True)) as system:
            fill(system)
            _print_addresses(system)
            system.group.wait(watch=[system.failure])


def fill(system: Running, *, letters_in: frozenset[str] | None = None) -> dict[str, float]:
    """Load the demonstration's people and send its first campaign, whatever of it is not there yet. Seconds by part.

    `letters_in`: approve the letters of these languages only. Letters may still be in the making afterwards.
    """
    machine = system.machine()
    with machine.sessions.begin() as session:
        people = _make_accounts(session)
        notice.create_starters(session)
    seconds = {"import": _import_people(machine, people[Role.OFFICER])}
    with machine.sessions.begin() as session:
        furnish(session, by=people[Role.SUPERVISOR].actor)
        _verify_attorneys(session, people[Role.SUPERVISOR])
        _approve_texts(session, people[Role.APPROVER], jobs.house(system.settings), letters_in)
        sent = set(session.scalars(select(Campaign.title).where(Campaign.title.in_((TITLE, EARLIER_TITLE)))))
    if not sent:
        seconds |= _send_campaign(system, machine, people)
    elif TITLE not in sent:
        say("This demonstration was made by an earlier version: its people were told by text. Remove var/demo/ to see the rest.")
    return seconds


def _make_accounts(session: Session) -> dict[Role, Account]:
    found = {Role(a.role): a for a in session.scalars(select(Account).where(Account.login.in_(list(Role))))}
    for role in Role:
        if role not in found:
            found[role] = accounts.create(
                session, login=role, name=f"Demonstration {role}", role=role, password=PASSWORD,
                totp_secret=TOTP_SECRETS[role], by=COMMAND,
            ).account  # fmt: skip
    return found


def _import_people(machine: jobs.Machine, by: Account) -> float:
    began = time.monotonic()
    plan = rosters.Plan()
    for (code, title, occurred_on), rows in zip(
        INCIDENTS, (rosters.first_incident(plan), rosters.second_incident(plan)), strict=True
    ):
        with machine.sessions() as session:
            loaded = text("select 1 from exposure e join incident i on i.id = e.incident_id where i.code = :code limit 1")
            if session.scalar(loaded, {"code": code}):
                continue
        written = io.StringIO(newline="")
        count = rosters.write_csv(written, rows)
        say(f"Importing {count:,} synthetic people of incident {code}")
        importing.import_file(
            machine.sessions, io.BytesIO(written.getvalue().encode()), incident_code=code, title=title,
            occurred_on=occurred_on, as_of=AS_OF, today=now().date(), limits=jobs.roster_limits(machine.settings), by=by.actor,
        )  # fmt: skip
    return time.monotonic() - began


def _verify_attorneys(session: Session, supervisor: Account) -> None:
    """The roster names attorneys; somebody other than who imported it has seen most of their forms."""
    if session.scalar(select(Representation.id).where(Representation.verified_at.is_not(None)).limit(1)) is None:
        settled = settle(session, seed=rosters.Plan().seed, on=now().date(), by=Reader(supervisor.actor, supervises=True))
        say(f"Attorneys' appearances: {settled['live']:,} verified, {settled['waiting']:,} waiting, {settled['ended']:,} ended")


def _approve_texts(session: Session, approver: Account, house: House, letters_in: frozenset[str] | None) -> None:
    drafts = session.execute(
        select(Rendition.id, Rendition.channel, Rendition.language)
        .join(Notice)
        .where(Notice.created_by.is_(None), Rendition.state == RenditionState.DRAFT, Rendition.version == 1)
        .order_by(Rendition.language, Rendition.channel)
    ).all()
    wanted = [d.id for d in drafts if letters_in is None or d.channel not in ON_PAPER or d.language in letters_in]
    if wanted:
        say(f"Approving {len(wanted)} drafted texts, as a demonstration only")
    for draft in wanted:
        notice.approve(session, draft, by=approver, note=NOTE, house=house)


def _ladder(session: Session) -> list[Rung]:
    """Every channel of the channel plan for whom it has them, all at once."""
    custodies: dict[Channel, set[str]] = {}
    for channel, _, those in rules.rungs(rules.load(session)):
        custodies.setdefault(channel, set()).update(those)
    return [Rung(0, channel, tuple(sorted(custodies[channel]))) for channel in Channel if channel in custodies]


def _send_campaign(system: Running, machine: jobs.Machine, people: dict[Role, Account]) -> dict[str, float]:
    with machine.sessions.begin() as session:
        first_contact = session.scalars(select(Notice).where(Notice.purpose == Purpose.NOTICE, Notice.created_by.is_(None))).one()
        incidents = [str(i) for i in session.scalars(text("select id from incident order by code"))]
        made = campaign.create(
            session, title=TITLE, notice_id=first_contact.id, audience={"incidents": incidents}, ladder=_ladder(session),
            window=(hour(0), hour(0)), window_reason="Demonstration: the phones are the sandbox's and wake nobody.",
            by=people[Role.OFFICER],
        )  # fmt: skip
        submitted = campaign.submit(session, made.id, by=people[Role.OFFICER])
        assert submitted.submitted_people is not None  # what submit has just set
        campaign.approve(session, made.id, by=people[Role.APPROVER], people=submitted.submitted_people)
    with machine.sessions.begin() as session:
        campaign.launch(session, made.id, by=people[Role.OFFICER])
    say("Sending the first campaign: texts and mails to the sandbox, letters to the print room")
    jobs.ring(system.settings, jobs.plan_campaign, str(made.id))
    _until_settled(system, machine)
    with machine.sessions() as session:
        took = (
            session.execute(
                text("""
                select extract(epoch from max(s.planned_at) - min(c.launched_at)) as plan,
                    (select extract(epoch from max(finished_at) - min(started_at)) from attempt
                     where number = 1 and channel = 'sms' and provider_id is not null) as texts,
                    (select extract(epoch from max(finished_at) - min(started_at)) from attempt
                     where number = 1 and channel in ('email', 'attorney_email') and provider_id is not null) as mails
                from campaign c join step s on s.campaign_id = c.id where c.id = :id
            """),
                {"id": made.id},
            )
            .mappings()
            .one()
        )
    return {part: float(seconds) for part, seconds in took.items() if seconds is not None}


def _until_settled(system: Running, machine: jobs.Machine, *, whole: bool = False) -> None:
    """Wait until every text and mail has been tried.

    `whole`: until nothing is on its way any more, neither a letter nor a second try, a report nor an answer of the sandbox's.
    """
    end, shown = time.monotonic() + QUIET_SECONDS, None
    while time.monotonic() < end:
        if sentence := system.failure():
            raise click.ClickException(sentence)
        with machine.sessions() as session:
            by_channel = evidence.messages(session)
            waiting = session.scalar(text(WHOLE if whole else TRIED), {"undecided": list(evidence.UNDECIDED)})
        line = "; ".join(
            f"{channel}: {', '.join(f'{count:,} {state}' for state, count in sorted(states.items()))}"
            for channel, states in by_channel.items()
        )
        if line and line != shown:
            say(f"  {line}")
            shown = line
        if by_channel and not waiting and not (whole and _owed(system)):
            return
        time.sleep(1)
    say("The campaign is still on its way; it goes on by itself.")


TRIED = """
    select exists (select 1 from step where planned_at is null) or exists (
        select 1 from message where state = any(:undecided) and attempts = 0 and channel in ('sms', 'email', 'attorney_email'))
"""
WHOLE = """
    select exists (select 1 from step where planned_at is null) or exists (select 1 from message where state = any(:undecided))
        or exists (select 1 from event where applied_at is null)
"""


def _owed(system: Running) -> int:
    """Callbacks and answers that the sandbox has still to bring."""
    summary = system.control.summary()
    return int(summary["pending"]) + int(summary["mail"]["pending"])


def _check() -> int:
    folder = home.temporary_folder()
    held = home.hold(folder)  # Whoever tidies up after processes that were killed leaves it alone.
    os.environ.update(IMPATIENT | {name: value for name, value in os.environ.items() if name in IMPATIENT})
    try:
        with started(Plan(folder, 0, 0, population=True, durable=False)) as system:
            for fault, chance in FAULTS.items():
                system.control.fault(fault, chance=chance)
            seconds = fill(system, letters_in=CHECKED_LETTERS)
            machine = system.machine()
            began = time.monotonic()
            _until_settled(system, machine, whole=True)
            seconds["settled"] = time.monotonic() - began
            jobs.apply_due(machine)
            with machine.sessions() as session:
                result = evidence.gather(session, system.control)
        result["seconds"] = {part: round(value, 2) for part, value in seconds.items()}
        result["send_per_second"] = round(sum(result["messages"]["sms"].values()) / seconds["texts"], 1)
        broken = evidence.broken_promises(result)
        for sentence in broken:
            say(f"BROKEN: {sentence}")
        click.echo(json.dumps(result, sort_keys=False))
        return 1 if broken else 0
    finally:
        os.close(held)
        shutil.rmtree(folder, ignore_errors=True)


def _print_addresses(system: Running) -> None:
    say("")
    say(f"Panel      {system.panel_url}")
    say(f"Phones     {system.sandbox_url}   (the sandbox: read what each phone got, and answer as its owner)")
    say(f"Mailboxes  {system.sandbox_url}/mailboxes   (the same for e-mail)")
    say(f"Letters    {system.panel_url}/print-room   (print runs waiting to be printed; more may still be in the making)")
    say("")
    _print_sign_ins()
    say("Everything runs until Ctrl-C; the data stays for the next start.")


def _print_sign_ins() -> None:
    say(f"Sign in with one of these, the password {PASSWORD!r}, and the code. New codes: .venv/bin/python -m outreach demo --codes")
    for role in Role:
        say(f"  {role:<10}  code {pyotp.TOTP(TOTP_SECRETS[role]).now()}   key {TOTP_SECRETS[role]}")
