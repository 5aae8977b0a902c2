"""The verdict: what the sandbox's own books hold, against who had to be told and against what our database says."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from outreach.notices.channel import Channel
from outreach.providers.postgrid import words
from outreach.providers.twilio import STATES
from outreach.sandbox.control import Control
from tests.chaos.people import AREAS, Cast, wanted
from tests.stage import token_of

FAILED = ("undelivered", "failed", "returned")
HANDED_OVER = ("accepted", "sent", "delivered", *FAILED)  # states of an attempt that say: the provider has it
MAIL_STATES = {"processed": "accepted", "deferred": "accepted", "delivered": "delivered", "bounce": "returned"}


@dataclass(frozen=True, slots=True)
class Copy:
    """One thing that a provider accepted. `state` is what became of it, in our words."""

    token: UUID
    state: str
    created: float


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt as our database has it."""

    message_id: UUID
    channel: str
    state: str
    started_at: datetime
    failure_known_at: datetime | None


@dataclass
class Verdict:
    """What the judge found. `differences` counts each kind; those in `wrong` are against the promises."""

    messages: int
    outcomes_total: int
    lost: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    wrong: Counter[str] = field(default_factory=Counter)
    differences: Counter[str] = field(default_factory=Counter)

    def held(self, people: int) -> bool:
        """Whether every promise held."""
        return not (self.lost or self.duplicates or self.wrong) and self.outcomes_total == people

    def tell(self, say: Callable[[str], None]) -> None:
        """Every kind of difference, and the first of what was lost or doubled."""
        for kind, count in sorted(self.differences.items()):
            say(f"{count:7,}  {kind}")
        for kind, count in sorted(self.wrong.items()):
            say(f"{count:7,}  WRONG  {kind}")
        for one in self.lost[:20]:
            say(f"LOST   {one}")
        for one in self.duplicates[:20]:
            say(f"TWICE  {one}")


def judge(session: Session, control: Control, cast: Cast) -> Verdict:
    """Every message that was wanted, copy by copy."""
    books = _books(control)
    tries = _tries(session)
    verdict = Verdict(
        messages=session.scalar(text("select count(*) from message")) or 0,
        outcomes_total=session.scalar(text("select count(*) from outcome")) or 0,
    )
    explained = _explained(session, cast)
    if twice := (session.scalar(text("select count(*) - count(distinct person_id) from outcome")) or 0):
        verdict.wrong["people with more than one outcome"] += twice
    for one in wanted(len(cast.numbers)):
        copies = sorted(books.pop(one, []), key=lambda copy: copy.created)
        if not copies:
            reason = explained.get(one)
            if reason is None:
                verdict.lost.append(f"{one[0]} {one[1]}")
            else:
                verdict.differences[f"{one[0]}: never handed over, and we say why: {reason}"] += 1
        for earlier, later in pairwise(copies):
            if _is_new_attempt(tries.get(earlier.token), tries.get(later.token)) and earlier.state in FAILED:
                verdict.differences[f"{one[0]}: sent again after {earlier.state}"] += 1
            else:
                verdict.duplicates.append(f"{one[0]} {one[1]}: {earlier.state}, then {later.state}")
        _compare(verdict, one[0], copies, tries)
    for stranger, copies in books.items():
        verdict.wrong[f"{stranger[0]}: {len(copies)} to somebody who was never to be told"] += 1
    for attempt in tries.values():  # What is left was in no book.
        kind = f"{attempt.channel}: ours {attempt.state}, not in their books"
        (verdict.wrong if attempt.state in (*HANDED_OVER, "open", "unknown") else verdict.differences)[kind] += 1
    return verdict


def _is_new_attempt(earlier: Try | None, later: Try | None) -> bool:
    """A second attempt is right where the first was known to have failed when it was begun."""
    if earlier is None or later is None or earlier is later:
        return False
    return earlier.failure_known_at is not None and earlier.failure_known_at <= later.started_at


def _compare(verdict: Verdict, channel: str, copies: list[Copy], tries: dict[UUID, Try]) -> None:
    """Each copy against our attempt, which is taken out of `tries`."""
    for copy in copies:
        attempt = tries.pop(copy.token, None)
        if attempt is None:
            verdict.wrong[f"{channel}: in their books, not in ours (or twice under one token)"] += 1
        elif attempt.state == copy.state:
            verdict.differences[f"{channel}: both {copy.state}"] += 1
        else:
            verdict.wrong[f"{channel}: ours {attempt.state}, theirs {copy.state}"] += 1


def _books(control: Control) -> dict[tuple[str, int], list[Copy]]:
    """Everything that was accepted, by channel and whose address it went to."""
    found: dict[tuple[str, int], list[Copy]] = defaultdict(list)
    for channel, number, copy in (*_texts(control), *_mails(control), *_letters(control)):
        found[channel, number].append(copy)
    return found


def _texts(control: Control) -> Iterator[tuple[str, int, Copy]]:
    for one in control.messages():
        to = one["to"]
        number = AREAS.index(int(to[2:5])) * 100 + int(to[-4:]) - 100
        yield Channel.SMS, number, Copy(token_of(one), STATES[one["status"]], one["created"])


def _mails(control: Control) -> Iterator[tuple[str, int, Copy]]:
    for one in control.mails():
        (token,) = json.loads(one["arguments"]).values()
        number = int(one["to"].partition("@")[0].removeprefix("chaos."))
        yield Channel.EMAIL, number, Copy(UUID(token), MAIL_STATES.get(one["status"], "undelivered"), one["created"])


def _letters(control: Control) -> Iterator[tuple[str, int, Copy]]:
    for one in control.letters():
        street = re.fullmatch(r"post:(\d+) .*", one["address"])
        assert street is not None, "a letter to an address that nobody has"
        state = words().states[one["scan"] if one["scan"] and one["status"] != "cancelled" else one["status"]]
        yield Channel.LETTER, int(street[1]) - 1, Copy(UUID(one["token"]), state, one["created"])


def _tries(session: Session) -> dict[UUID, Try]:
    rows: Any = session.execute(
        text("""
            select a.id, a.message_id, a.channel, a.state, a.started_at,
                (select min(e.applied_at) from event e where e.attempt_id = a.id and e.state = any(:failed)) as failure_known_at
            from attempt a
        """),
        {"failed": list(FAILED)},
    )
    return {r.id: Try(r.message_id, r.channel, r.state, r.started_at, r.failure_known_at) for r in rows}


def _explained(session: Session, cast: Cast) -> dict[tuple[str, int], str]:
    """Messages that never went and need not: by channel and whose they were, with the reason that stands on file."""
    rows: Any = session.execute(
        text("""
            select m.channel, mp.person_id, m.state, m.reason from message m join message_person mp on mp.message_id = m.id
            where m.state in ('failed', 'cancelled', 'blocked') and m.reason is not null
        """)
    )
    return {(row.channel, cast.numbers[row.person_id]): f"{row.state}:{row.reason}" for row in rows}
