"""Restoring: bringing back what a database has forgotten, from the providers' books, before anything is sent again.

    the books since then ──known by its id or our token──> a report, like any other
          ├── of a message that we take for unsent ──> adopted: an attempt, accepted under the provider's own id
          ├── to somebody whom we would write to, and no text of ours ──> held back, for a person to decide
          └── to nobody whom we would write to ──> a stray: counted

A message's attempts have made ids (`message.attempt_id`), so a token that a provider has kept names its message although the
attempt is forgotten. Where the books keep no token, the destination and the text do.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from outreach.access.sealing import Sealed, Vault, vault_of
from outreach.campaigns.outcome import Reason
from outreach.db import now
from outreach.delivery import events, spending
from outreach.delivery.compose import Compose, Composed, Composer, Destination
from outreach.delivery.message import attempt_id, body_digest
from outreach.delivery.projection import lock, project
from outreach.delivery.reconcile import CLOCKS_MAY_DIFFER, report_of
from outreach.delivery.spending import Tariff
from outreach.delivery.undecided import RESTORED
from outreach.notices.channel import Channel
from outreach.notices.house import House
from outreach.people.contact import ContactKind
from outreach.providers.contract import Lost, Provider, Standing, Unreachable

TRIES = 8  # attempts of one message that may have been forgotten
LANES = 10
PATIENCE = 60  # times that one look-up which the provider turned away is tried again
TURNED_AWAY_SECONDS = 10.0
UNSENT = ("ready", "undelivered", "failed", "cancelled")
"""States of a message whose forgotten attempt can be adopted."""


class Asks(Enum):
    """Which messages are looked up one by one, besides what the books list by day."""

    NONE = auto()  # the list is complete, and has our tokens
    AT_KNOWN_TRAFFIC = auto()  # those to whom something in the list went: it has neither texts nor tokens
    ALL_DUE = auto()  # all that may have been sent: what is still queued is in no list


@dataclass(frozen=True, slots=True)
class Source:
    """A provider's books, and what of ours may stand in them. `composer` None: what was sent cannot be made again."""

    provider: Provider[Any]
    channels: tuple[Channel, ...]
    kind: ContactKind
    asks: Asks
    composer: Composer | None


@dataclass(frozen=True, slots=True)
class Adopted:
    """What came of one provider's books: counts. `held` and `strays` went to somebody on file, `strangers` to nobody on file."""

    read: int = 0
    known: int = 0
    adopted: int = 0
    held: int = 0
    strays: int = 0
    strangers: int = 0


def last_known(session: Session) -> datetime | None:
    """When the last attempt was made that the database knows of: it was complete until then at least."""
    found: datetime | None = session.scalar(
        text("select max(started_at) from attempt where error_code is distinct from 'restored'")
    )
    return found


async def read(provider: Provider[Any], since: datetime) -> dict[str, Standing]:
    """Everything in the provider's books since then, by its id there. Raises Unreachable, or NoBooks; within `async with`."""
    found: dict[str, Standing] = {}
    day, last = (since - CLOCKS_MAY_DIFFER).date(), now().date()
    while day <= last:
        async for page in provider.books(day):
            found |= {s.provider_id: s for s in page if s.created_at >= since - CLOCKS_MAY_DIFFER}
        day += timedelta(days=1)
    return found


async def ask(provider: Provider[Any], lost: Iterable[Lost]) -> dict[str, Standing]:
    """What the provider's books hold of these attempts, asked for one by one, by its id there. Raises Unreachable."""
    found: dict[str, Standing] = {}
    waiting = iter(lost)

    async def lane() -> None:
        for one in waiting:
            found.update({s.provider_id: s for s in await _find(provider, one)})

    await asyncio.gather(*(lane() for _ in range(LANES)))
    return found


async def _find(provider: Provider[Any], one: Lost) -> Sequence[Standing]:
    for _ in range(PATIENCE):
        try:
            return await provider.find(one)
        except Unreachable as error:
            if str(error) != "http_429":
                raise
        await asyncio.sleep(TURNED_AWAY_SECONDS)
    raise Unreachable("http_429")


# What a composer reads of a message, and what it takes to open its destination.
CANDIDATES = """
    select m.id, m.state, m.attempts, m.contact_point_id, m.campaign_id, m.person_id, m.attorney_id, m.rendition_id, m.channel,
        m.due_at, cp.value_sealed, k.version, k.wrapped, r.subject, r.text, r.language, r.notice_id,
        (select count(*) from message_person mp where mp.message_id = m.id) as allowed,
        m.state = 'ready' and m.due_at <= now() as due
    from message m
    join contact_point cp on cp.id = m.contact_point_id
    left join data_key k on k.subject_id = cp.id
    join rendition r on r.id = m.rendition_id
    where m.channel = any(:channels) and m.state = any(:states)
      and (cast(:contacts as uuid[]) is null or m.contact_point_id = any(:contacts))
      and (not :due or m.due_at <= now())
    order by m.due_at nulls last, m.id
"""


def lost(session: Session, source: Source, standings: Iterable[Standing], since: datetime) -> list[Lost]:
    """The attempts that are to be looked up one by one, as each message's next one would be called."""
    if source.asks is Asks.NONE:
        return []
    if source.asks is Asks.ALL_DUE:
        rows = _candidates(session, source, None, ("ready",), due=True)
    else:
        unknown = _unknown(session, source, standings)
        rows = _candidates(session, source, list(_contacts(session, source.kind, unknown).values()), UNSENT, due=False)
    vault, wanted = vault_of(session), []
    for row in rows:
        opened = _opened(vault, row)
        if opened is not None:
            wanted.append(Lost(attempt_id(vault, row.id, row.attempts + 1), opened.to, since - CLOCKS_MAY_DIFFER))
    return wanted


@dataclass(slots=True)
class _Candidate:
    """A message that we take for unsent, and which attempts of it (number, and what the books say) turned up."""

    row: Row[Any]
    destination: Destination | None
    digest: bytes | None
    found: list[tuple[int, Standing]] = field(default_factory=list)

    @property
    def free(self) -> bool:
        """Another attempt may have been made: there was none, or the last one has failed."""
        return not self.found or self.found[-1][1].state in ("undelivered", "failed")


def adopt(
    session: Session, source: Source, house: House, standings: Collection[Standing], tariff: Tariff = spending.DEFAULT
) -> Adopted:
    """Put on record what the provider's books hold. Safe to repeat: what was adopted is known the next time. The caller commits."""
    vault, provider = vault_of(session), source.provider.name
    unknown = _unknown(session, source, standings)
    _keep_known(session, provider, standings, unknown)
    contacts = _contacts(session, source.kind, unknown)
    everywhere = source.kind is ContactKind.POST  # A letter is known by its token alone.
    rows = _candidates(session, source, None if everywhere else list(contacts.values()), UNSENT, due=False)
    lock(session, [row.id for row in rows])
    compose = source.composer(session, rows, house) if source.composer else None
    candidates = [_candidate(vault, row, compose) for row in rows]
    tokens = {attempt_id(vault, c.row.id, n): (c, n) for c in candidates for n in _numbers(c)}
    there: dict[UUID | None, list[_Candidate]] = defaultdict(list)
    for candidate in candidates:
        there[candidate.row.contact_point_id].append(candidate)
    undecided = _undecided(session, provider, contacts.values())
    answered = adrift = strangers = 0
    strays: Counter[UUID] = Counter()
    for standing in sorted(unknown, key=lambda s: s.created_at):
        contact = contacts.get(standing.to)
        digest = body_digest(vault, standing.text) if standing.text else None
        if contact is not None and digest is not None and (contact, digest) in undecided:
            # Claimed before the backup, and answered after it.
            events.keep(session, provider, report_of(undecided.pop((contact, digest)), standing))
            answered += 1
        elif (whose := _whose(standing, digest, tokens, there[contact])) is not None:
            candidate, number = whose
            candidate.found.append((number, standing))
        elif contact is not None:
            strays[contact] += 1
        elif standing.token is not None:
            adrift += 1  # Ours, as its token says, and about nobody that we would write to.
        else:
            strangers += 1
    adopted = [c for c in candidates if c.found]
    written = [token for candidate in adopted for token in _write(session, provider, candidate, compose)]
    held = 0
    for contact, count in strays.items():
        # One is enough: while it is undecided, the schema lets nothing else go to that destination.
        waiting = [c for c in there[contact] if c.row.state == "ready" and not c.found]
        if waiting:
            written += _hold(session, provider, waiting[0], compose)
            held += count
    spending.adopt(session, written, tariff)
    return Adopted(
        read=len(standings),
        known=len(standings) - len(unknown) + answered,
        adopted=sum(len(c.found) for c in adopted),
        held=held,
        strays=strays.total() - held + adrift,
        strangers=strangers,
    )


def unproven(session: Session, channels: Collection[Channel]) -> int:
    """How many messages of these channels may have been sent in what was forgotten, as far as anybody can tell."""
    counted = f"select count(*) from ({CANDIDATES}) unproven"
    return int(session.scalar(text(counted), _parameters(channels, None, ("ready",), due=True)) or 0)


def hold_back(session: Session, source: Source, house: House, tariff: Tariff = spending.DEFAULT) -> int:
    """Put each message that may have been sent before a person, where no books tell; how many. Safe to repeat."""
    vault = vault_of(session)
    rows = _candidates(session, source, None, ("ready",), due=True)
    lock(session, [row.id for row in rows])
    compose = source.composer(session, rows, house) if source.composer else None
    held: set[UUID] = set()
    written: list[UUID] = []
    for row in rows:
        # Of several to one destination the first holds the others.
        if row.contact_point_id not in held:
            written += _hold(session, source.provider.name, _candidate(vault, row, compose), compose)
            held.add(row.contact_point_id)
    spending.adopt(session, written, tariff)
    return len(held)


def _unknown(session: Session, source: Source, standings: Iterable[Standing]) -> list[Standing]:
    """Those that belong to no attempt we know of, neither by the provider's id nor by our token."""
    those = list(standings)
    known = text("""
        select provider_id, id from attempt
        where provider = :provider and (provider_id = any(:ids) or id = any(:tokens))
    """)
    rows = session.execute(
        known,
        {
            "provider": source.provider.name,
            "ids": [s.provider_id for s in those],
            "tokens": [s.token for s in those if s.token],
        },
    ).all()
    ids, tokens = {row.provider_id for row in rows}, {row.id for row in rows}
    return [s for s in those if s.provider_id not in ids and s.token not in tokens]


def _keep_known(session: Session, provider: str, standings: Collection[Standing], unknown: Collection[Standing]) -> None:
    """What the books say of attempts that we know is a report, like any other."""
    missing = {s.provider_id for s in unknown}
    known = [s for s in standings if s.provider_id not in missing]
    rows = session.execute(
        text("select provider_id, id from attempt where provider = :provider and provider_id = any(:ids)"),
        {"provider": provider, "ids": [s.provider_id for s in known]},
    )
    attempts = {row.provider_id: row.id for row in rows}
    reports = [report_of(attempt, s) for s in known if (attempt := attempts.get(s.provider_id) or s.token) is not None]
    if reports:
        events.keep(session, provider, *reports)


def _contacts(session: Session, kind: ContactKind, standings: Iterable[Standing]) -> dict[str, UUID]:
    """The contact points on file of these destinations."""
    vault = vault_of(session)
    indexes = {vault.blind_index(kind, s.to.lower()): s.to for s in standings if s.to and kind is not ContactKind.POST}
    rows = session.execute(
        text("select id, value_index from contact_point where kind = :kind and value_index = any(:indexes)"),
        {"kind": kind, "indexes": list(indexes)},
    )
    return {indexes[bytes(row.value_index)]: row.id for row in rows}


def _undecided(session: Session, provider: str, contacts: Iterable[UUID]) -> dict[tuple[UUID, bytes], UUID]:
    """Attempts that nobody has answered for, by destination and text."""
    rows = session.execute(
        text("""
            select id, contact_point_id, body_digest from attempt
            where provider = :provider and state in ('open', 'unknown') and contact_point_id = any(:contacts)
        """),
        {"provider": provider, "contacts": list(contacts)},
    )
    return {(row.contact_point_id, bytes(row.body_digest)): row.id for row in rows}


def _parameters(
    channels: Collection[Channel], contacts: list[UUID] | None, states: Sequence[str], *, due: bool
) -> dict[str, object]:
    return {"channels": list(channels), "states": list(states), "contacts": contacts, "due": due}


def _candidates(
    session: Session, source: Source, contacts: list[UUID] | None, states: Sequence[str], *, due: bool
) -> Sequence[Row[Any]]:
    return session.execute(text(CANDIDATES), _parameters(source.channels, contacts, states, due=due)).all()


def _opened(vault: Vault, row: Row[Any]) -> Destination | None:
    if row.wrapped is None:
        return None  # erased: nothing is sent there
    try:
        key = vault.open_key(row.contact_point_id, row.version, row.wrapped)
        return Destination(key.open("contact_point.value", row.contact_point_id, row.value_sealed), key)
    except Sealed:
        return None


def _candidate(vault: Vault, row: Row[Any], compose: Compose | None) -> _Candidate:
    destination = _opened(vault, row)
    composed = _composed(row, attempt_id(vault, row.id, row.attempts + 1), destination, compose)
    return _Candidate(row, destination, composed.digest if composed else None)


def _composed(row: Row[Any], token: UUID, destination: Destination | None, compose: Compose | None) -> Composed | None:
    if compose is None or destination is None:
        return None
    made = compose(row, token, destination)
    return None if isinstance(made, Reason) else made


def _numbers(candidate: _Candidate) -> range:
    return range(candidate.row.attempts + 1, candidate.row.attempts + 1 + TRIES)


def _whose(
    standing: Standing, digest: bytes | None, tokens: Mapping[UUID, tuple[_Candidate, int]], there: Sequence[_Candidate]
) -> tuple[_Candidate, int] | None:
    """Which message's forgotten attempt this is, and its number; None when it is none of ours, or one too many."""
    if standing.token is not None:
        named = tokens.get(standing.token)
        return named if named and named[0].free else None
    same = [c for c in there if c.digest == digest and digest is not None]
    for candidate in (*(c for c in same if not c.found), *(c for c in same if c.free)):
        return candidate, _numbers(candidate)[len(candidate.found)]
    return None


# What is not the last one has failed, or there would have been no other.
ATTEMPT = """
    insert into attempt (id, message_id, number, contact_point_id, channel, provider, state, body_sealed, sealed_under, body_digest,
        segments, provider_id, error_code, started_at, lease_until, finished_at, checks)
    values (:id, :message, :number, :contact, :channel, :provider, :state, :body, :under, :digest, :segments, :provider_id, :code,
        :at, :at, now(), 0)
"""
READY_AGAIN = "update message set state = 'ready' where id = :id and state in ('undelivered', 'cancelled')"
ACCEPTED = (
    "update message set state = 'accepted', reason = null, due_at = null, attempts = :number, updated_at = now() where id = :id"
)
# Reports that came after the restore named an attempt that was forgotten.
HEARD_AGAIN = "update event set applied_at = null, problem = null where attempt_id = :id and problem = 'no_attempt'"


def _write(session: Session, provider: str, candidate: _Candidate, compose: Compose | None) -> list[UUID]:
    row, written = candidate.row, []
    for number, standing in candidate.found:
        last = standing is candidate.found[-1][1]
        state = "accepted" if last else standing.state
        token = _attempt(session, provider, candidate, compose, number=number, state=state, standing=standing)
        events.keep(session, provider, report_of(token, standing))
        session.execute(text(HEARD_AGAIN), {"id": token})
        written.append(token)
    session.execute(text(READY_AGAIN), {"id": row.id})
    session.execute(text(ACCEPTED), {"id": row.id, "number": max(number for number, _ in candidate.found)})
    project(session, [row.id])
    return written


def _hold(session: Session, provider: str, candidate: _Candidate, compose: Compose | None) -> list[UUID]:
    """An attempt that nobody made, of which nobody knows whether it was: so it is shown, and so it keeps its destination closed.

    None where another attempt keeps it closed already.
    """
    row = candidate.row
    there = "update attempt set error_code = :code where contact_point_id = :contact and channel = :channel and state = 'unknown'"
    undecided = session.execute(
        text(f"{there} returning id"), {"code": RESTORED, "contact": row.contact_point_id, "channel": row.channel}
    )
    if undecided.first() is not None:
        return []
    token = _attempt(session, provider, candidate, compose, number=row.attempts + 1, state="unknown", standing=None)
    session.execute(text(HEARD_AGAIN), {"id": token})
    for state in ("submitting", "unknown"):
        session.execute(
            text("update message set state = :state, attempts = :number, updated_at = now() where id = :id"),
            {"id": row.id, "state": state, "number": row.attempts + 1},
        )
    project(session, [row.id])
    return [token]


def _attempt(
    session: Session,
    provider: str,
    candidate: _Candidate,
    compose: Compose | None,
    *,
    number: int,
    state: str,
    standing: Standing | None,
) -> UUID:
    vault, row, destination = vault_of(session), candidate.row, candidate.destination
    token = attempt_id(vault, row.id, number)
    made = _composed(row, token, destination, compose)
    key = made.key if made else destination.key if destination else None
    content = made.content if made else ""
    session.execute(
        text(ATTEMPT),
        {
            "id": token,
            "message": row.id,
            "number": number,
            "contact": row.contact_point_id,
            "channel": row.channel,
            "provider": provider,
            "state": state,
            "body": key.seal("attempt.body", token, content) if key else b"",
            "under": made.sealed_under if made else None,
            "digest": made.digest if made else body_digest(vault, content),
            "segments": made.segments if made else 1,
            "provider_id": standing.provider_id if standing else None,
            "code": standing.code if standing else RESTORED,
            "at": standing.created_at if standing else now(),
        },
    )
    return token
