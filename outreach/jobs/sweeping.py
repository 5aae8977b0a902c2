"""The sweep as a whole: each part by itself, in a transaction of its own, so that one that fails keeps no other from running."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TypeVar
from uuid import UUID

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from outreach import tally
from outreach.campaigns import added_step, counsel, forecast
from outreach.delivery import (
    advance,
    exhausted,
    heartbeat,
    hours,
    plan,
    print_room,
    progress,
    pulling,
    reconcile,
    stopping,
    sweep,
    undecided,
)
from outreach.jobs.machine import Machine, awake, carriers, mail_house, mute, sendgrid_provider, text_provider
from outreach.jobs.sending import call_back
from outreach.people import facilities, person
from outreach.people.addresses import regrading
from outreach.people.attorney import file as attorneys
from outreach.proof import figures
from outreach.providers.postgrid import PostGridLetters
from outreach.providers.sendgrid import SendGridMail
from outreach.settings import Settings

log = structlog.get_logger()

ADDRESSES_A_SWEEP = 2000  # whose zones are looked up, of those that were written before there were any
COUNTS = (added_step, attorneys, counsel, facilities, figures, forecast, person, progress)
"""Whose tallies a sweep counts again. A tally is known where its module is imported, and most of them only the panel needs."""

Found = TypeVar("Found")


class Parts:
    """Runs the parts of a sweep; `failed` is what those raised that did not come to their end."""

    def __init__(self, m: Machine) -> None:
        self._sessions = m.sessions
        self.failed: list[Exception] = []

    def run(self, name: str, part: Callable[[], Found], otherwise: Found) -> Found:
        """What the part answers, or `otherwise` where it failed. Where the database is away it is so for all of them: raised."""
        try:
            return part()
        except Exception as error:  # Whatever it is: the others are about other people.
            if isinstance(error, OperationalError) and getattr(error.orig, "sqlstate", None) is None:
                raise
            log.error("sweep.part_failed", part=name, exc_info=error)
            self.failed.append(error)
            return otherwise

    def write(self, name: str, part: Callable[[Session], Found], otherwise: Found) -> Found:
        """The same, in a transaction: rows are locked in one order within each, and in none over several (`projection`)."""

        def within() -> Found:
            with self._sessions.begin() as session:
                return part(session)

        return self.run(name, within, otherwise)


def sweep_once(m: Machine) -> sweep.Swept:
    """Everything that a sweep does. Safe to repeat, and to run twice at once.

    What only asks the database comes first: a provider that answers slowly, or not at all, keeps nobody waiting on the ladder.
    Raises what the first part raised that failed, once all the others have run.
    """
    s, parts = m.settings, Parts(m)
    parts.run("awake", lambda: awake(m), False)  # Nothing of a sweep sends: what a frozen engine can find out, it does.
    for channel, provider in carriers(s).items():
        late_after = timedelta(hours=s.late_after_hours)
        parts.write("heartbeat", partial(heartbeat.attend, channel=channel, provider=provider, late_after=late_after), False)
    pulled = parts.write("pulling", pulling.pull_moved, 0)
    planned = _ladder(m, parts)
    if planned:
        parts.write("statistics", plan.refresh_statistics, None)
    parts.write("zones", lambda session: regrading.place(session, size=ADDRESSES_A_SWEEP), 0)
    parts.write("hours", hours.hasten, 0)
    swept = parts.write("sweep", lambda session: sweep.sweep(session, letter_days=s.letter_days_before_silence), sweep.Swept())
    forgotten = parts.write("print_room", print_room.forget_unprinted, 0)
    parts.write("exhausted", exhausted.open_and_close, (0, 0))
    # Nothing of a stopped campaign is claimed any more: to write that down may take minutes, and is no matter of the others'.
    parts.run("stopping", lambda: _cancel_stopped(m), None)
    for name, scope in parts.write("tallies", tally.looked_at, list[tuple[str, UUID | None]]()):
        parts.write("tally", partial(tally.renew, name=name, scope=scope), None)
    if s.post_provider == PostGridLetters.name:
        pulled += parts.run("recall", lambda: call_back(m), 0)
    asked = _ask_providers(m, parts)
    # After the providers were asked: nobody has to decide what they have just settled.
    opened, closed = parts.write("undecided", lambda session: _undecided(session, s), (0, 0))
    if opened or closed:
        log.info("sweep.undecided", opened=opened, closed=closed)
    if any((planned, swept.expired, swept.retried, swept.cancelled, swept.finished, asked, pulled, forgotten)):
        log.info("sweep.swept", planned=planned, expired=swept.expired, retried=swept.retried, cancelled=swept.cancelled,
                 finished=swept.finished, asked=asked, pulled=pulled, forgotten=forgotten)  # fmt: skip
    if parts.failed:
        raise parts.failed[0]
    return swept


def waits_of(s: Settings) -> reconcile.Waits:
    """How long silence is borne, of texts and mails."""
    return reconcile.Waits(s.reconcile_after_seconds, s.release_after_seconds, reconcile.polls_of_texts(s.poll_after_seconds))


def _cancel_stopped(m: Machine) -> None:
    while True:
        with m.sessions.begin() as session:
            cancelled = stopping.cancel(session)
        if not cancelled:
            return
        log.info("campaign.cancelled", messages=cancelled)


def _ladder(m: Machine, parts: Parts) -> int:
    """Whoever has moved, the steps whose time has come, and whoever cannot wait for theirs; how many messages."""
    s = m.settings
    planned = 0
    for step in parts.write("moved_steps", plan.moved_steps, list[UUID]()):
        planned += parts.write("revisit", partial(plan.revisit, step_id=step), 0)
    for step in parts.write("due_steps", plan.due_steps, list[UUID]()):
        planned += parts.write("plan", partial(plan.plan, step_id=step), 0)
    grace = advance.Grace(timedelta(hours=s.text_report_grace_hours), timedelta(hours=s.mail_report_grace_hours))
    for step in parts.write("steps_ahead", advance.steps_ahead, list[UUID]()):
        planned += parts.write("advance", partial(advance.advance, step_id=step, grace=grace), 0)
    return planned


def _ask_providers(m: Machine, parts: Parts) -> int:
    """Reconcile with each provider that has books; about how many attempts they were asked."""
    s, waits = m.settings, waits_of(m.settings)
    asked = parts.run("reconcile_texts", lambda: reconcile.reconcile(m.sessions, text_provider(s), waits), 0)
    if s.mail_provider == SendGridMail.name and s.sendgrid_activity:
        asked += parts.run("reconcile_mails", lambda: reconcile.reconcile(m.sessions, sendgrid_provider(s, m.vault), waits), 0)
    if s.post_provider == PostGridLetters.name:
        letters = replace(waits, polls=reconcile.polls_of_letters(s.letter_poll_seconds, s.letter_days_before_silence))
        asked += parts.run("reconcile_letters", lambda: reconcile.reconcile(m.sessions, mail_house(s), letters), 0)
    return asked


def _undecided(session: Session, s: Settings) -> tuple[int, int]:
    return undecided.open_and_close(session, hours=s.undecided_after_hours, release=s.release_after_seconds, mute=mute(s))
