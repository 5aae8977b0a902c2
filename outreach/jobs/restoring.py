"""Reconciling a database that was restored: every provider's books are read, and only then the engine is thawed."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from outreach.access import audit
from outreach.delivery import incarnation, restoring, undecided
from outreach.delivery.compose import texts
from outreach.delivery.incarnation import RedisMark
from outreach.delivery.restoring import Adopted, Asks, Source
from outreach.jobs import apply_due, sweep_once
from outreach.jobs.machine import (
    Machine,
    house,
    letter_lease,
    mail_composer,
    mail_house,
    mail_provider,
    mute,
    tariff,
    text_provider,
)
from outreach.notices.channel import Channel
from outreach.people.contact import ContactKind
from outreach.providers.contract import NoBooks, Standing, Unreachable
from outreach.providers.postgrid import PostGridLetters

MAILS = (Channel.EMAIL, Channel.ATTORNEY_EMAIL)
POSTED = (Channel.LETTER, Channel.ATTORNEY_LETTER)


@dataclass(frozen=True, slots=True)
class Choices:
    """What somebody has decided about what no books can tell.

    `hold`: each mail that may have been sent goes before a person; else `doubles`, as many of them as are known, may be sent again.
    `paper_collected`: what was printed since is destroyed. `strays`: as many as are known were seen to.
    """

    hold: bool = False
    doubles: int | None = None
    paper_collected: bool = False
    strays: int | None = None


@dataclass(slots=True)
class Restored:
    """Counts only. `unreadable` is why a provider's books could not be read: a code. `problems` keep the engine frozen."""

    since: datetime
    books: dict[str, Adopted] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    mails_unproven: int = 0
    mails_held: int = 0
    letters_unproven: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def strays(self) -> int:
        return sum(each.strays for each in self.books.values())

    @property
    def thawed(self) -> bool:
        return not self.problems


def freeze(m: Machine) -> datetime:
    """Freeze the engine, if it does not stand still already; since when it does."""
    with m.sessions.begin() as session:
        incarnation.look(session, m.settings.incarnation, RedisMark(m.settings.redis_url))
        incarnation.freeze(session, audit.COMMAND, ["command"])
        since: datetime = session.scalar(text("select frozen_at from incarnation"))
    return since


def still_sending(m: Machine, frozen_at: datetime) -> float:
    """Seconds for which a worker that was cut off may still hand over what it has claimed."""
    lease = timedelta(seconds=m.settings.lease_seconds)
    if m.settings.post_provider == PostGridLetters.name:
        lease = max(lease, letter_lease(m.settings))
    with m.sessions() as session:
        now: datetime = session.scalar(text("select now()"))
    return max(0.0, (frozen_at + lease - now).total_seconds())


def restore(m: Machine, since: datetime, choices: Choices, *, sleep: Callable[[float], None] = time.sleep) -> Restored:
    """Adopt what the books hold, and thaw if nothing is left open. Safe to repeat: what was adopted is known the next time."""
    sleep(still_sending(m, freeze(m)))
    with m.sessions() as session:
        known = restoring.last_known(session)
    done = Restored(min(since, known) if known else since)
    # Leases end, unknowns are looked up, and whatever would be planned after the thaw is planned now, so that it can be adopted.
    sweep_once(m)
    for source in sources(m):
        try:
            standings = asyncio.run(_read(m, source, done.since))
        except NoBooks:
            continue
        except Unreachable as error:
            done.unreadable[source.provider.name] = str(error)
            continue
        with m.sessions.begin() as session:
            done.books[source.provider.name] = restoring.adopt(
                session, source, house(m.settings), list(standings.values()), tariff(m.settings)
            )
        apply_due(m)
    _without_books(m, done, choices)
    done.problems = list(_problems(done, choices))
    with m.sessions.begin() as session:
        undecided.open_and_close(session, hours=m.settings.undecided_after_hours, release=0, mute=())
        counts = {name: {f: getattr(each, f) for f in Adopted.__slots__} for name, each in done.books.items()}
        facts: dict[str, Any] = {
            "since": done.since.isoformat(), "books": counts, "unreadable": sorted(done.unreadable),
            "mails_unproven": done.mails_unproven, "mails_held": done.mails_held, "letters_unproven": done.letters_unproven,
        }  # fmt: skip
        if done.thawed:
            incarnation.thaw(session, m.settings.incarnation, audit.COMMAND, **facts)
        else:
            audit.record(session, audit.COMMAND, "incarnation.reconcile", "incarnation", **facts)
    return done


def sources(m: Machine) -> list[Source]:
    """The books that the settings' providers keep."""
    s = m.settings
    found = [
        Source(text_provider(s), (Channel.SMS,), ContactKind.PHONE, Asks.ALL_DUE, texts),
        Source(mail_provider(s, m.vault), MAILS, ContactKind.EMAIL, Asks.AT_KNOWN_TRAFFIC, mail_composer(s)),
    ]
    if s.post_provider == PostGridLetters.name:
        found.append(Source(mail_house(s), POSTED, ContactKind.POST, Asks.NONE, None))
    return found


async def _read(m: Machine, source: Source, since: datetime) -> dict[str, Standing]:
    async with source.provider:
        standings = await restoring.read(source.provider, since)
        with m.sessions() as session:
            lost = restoring.lost(session, source, standings.values(), since)
        return standings | await restoring.ask(source.provider, lost)


def _without_books(m: Machine, done: Restored, choices: Choices) -> None:
    """Count what no books can tell of, and hold back what is to be held."""
    s = m.settings
    printed = (Channel.HAND,) if s.post_provider == PostGridLetters.name else (Channel.HAND, *POSTED)
    mails = next(source for source in sources(m) if source.kind is ContactKind.EMAIL)
    with m.sessions.begin() as session:
        done.letters_unproven = restoring.unproven(session, printed)
        if mails.provider.name in mute(s):
            if choices.hold:
                done.mails_held = restoring.hold_back(session, mails, house(s), tariff(s))
            else:
                done.mails_unproven = restoring.unproven(session, MAILS)


def _problems(done: Restored, choices: Choices) -> Iterator[str]:
    """A sentence for each reason why the engine stays frozen, with what to do about it."""
    for provider, code in done.unreadable.items():
        yield f"The books of {provider} could not be read ({code}). Run this again once they can be."
    if done.strays and choices.strays != done.strays:
        yield (
            f"{done.strays} messages in the books went to somebody on file, or bear our mark, and belong to no message that is"
            " known: of a campaign that was launched or a step that was added after the backup, perhaps. Do not launch those again"
            f" before you know whom they went to. Then run this again with --strays {done.strays}."
        )
    if done.mails_unproven and choices.doubles != done.mails_unproven:
        yield (
            f"{done.mails_unproven} mails may have been sent, and there are no books that tell. Run this again with --hold to put"
            f" each before a person, or with --doubles {done.mails_unproven} to send them all, some perhaps for the second time."
        )
    if done.letters_unproven and not choices.paper_collected:
        yield (
            f"{done.letters_unproven} letters are about to be printed, and may have been printed before. Collect and destroy every"
            " print run that was made since the backup. Then run this again with --paper-collected."
        )
