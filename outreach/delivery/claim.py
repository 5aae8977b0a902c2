"""Claiming: take due messages, check again that they may go, and commit the attempt before anybody is called.

Everything that was true at planning is asked again here, since hours may have passed: the campaign runs, the phone is usable and
safe, the person is not back in custody, the hour is decent, nobody has said STOP. The text stays the one that the campaign was
approved with, also when a newer one was approved since: whoever wants that one instead pauses the campaign and makes another.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from outreach.access.sealing import Sealed, Vault, vault_of
from outreach.campaigns.audience import CONTACT_ALLOWED, PERSON_EXCLUDED
from outreach.campaigns.outcome import Reason
from outreach.db import now
from outreach.delivery.message import body_digest
from outreach.delivery.projection import project
from outreach.notices import fields, segments
from outreach.notices.house import House
from outreach.providers.contract import Envelope

log = structlog.get_logger()

# Where the phone's zone is not known, a time is decent only if it is so from the east coast to Hawaii.
UNKNOWN_ZONES = [ZoneInfo("America/New_York"), ZoneInfo("Pacific/Honolulu")]
BUSY_SECONDS = 5  # until a destination that has an undecided attempt is looked at again


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings say about texts: whose they are, and how long a worker may wait for the answers of a batch."""

    house: House
    lease: timedelta
    provider: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that is committed as being submitted."""

    message_id: UUID
    envelope: Envelope
    segments: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What one claim came to: `claimed` are to be sent now; `seen` counts all due messages that were looked at."""

    claimed: tuple[Claimed, ...]
    seen: int


# Two statements a batch: one that locks, one that reads what the locked rows need. The campaign is asked first, so that the
# ready messages of a paused campaign are never walked over.
LOCK = """
    select due.id from campaign c
    cross join lateral (
        select m.id, m.due_at from message m
        where m.campaign_id = c.id and m.channel = :channel and m.state = 'ready' and m.due_at <= now()
        order by m.due_at limit :size
        for update skip locked
    ) due
    where c.state = 'running'
    order by due.due_at limit :size
"""

# Whether this person may still be written about by this message, and if not, why.
MAY_GO = f"""({PERSON_EXCLUDED} is null and {CONTACT_ALLOWED}
    and (p.language = m.language or p.second_language = m.language) and o.state <> 'told')"""
WHY_NOT = f"""coalesce({PERSON_EXCLUDED}, case when o.state = 'told' then 'told'
    when p.language <> m.language and p.second_language is distinct from m.language then 'needs_translation'
    else 'unsafe_contact' end)"""

READ = f"""
    select m.id, m.attempts, m.contact_point_id, m.rendition_id,
        cp.state as contact_state, cp.value_sealed, cp.time_zone, k.version, k.wrapped,
        r.state <> 'draft' as approved, r.text, r.language,
        c.window_start, c.window_end,
        about.people, about.allowed, about.refusal
    from message m
    join campaign c on c.id = m.campaign_id
    join contact_point cp on cp.id = m.contact_point_id
    left join data_key k on k.subject_id = cp.id
    join rendition r on r.id = m.rendition_id
    cross join lateral (
        select count(*) as people, count(*) filter (where {MAY_GO}) as allowed, min({WHY_NOT}) as refusal
        from message_person mp
        join person p on p.id = mp.person_id
        join outcome o on o.campaign_id = m.campaign_id and o.person_id = p.id
        left join person_contact pc on pc.person_id = p.id and pc.contact_point_id = cp.id
        where mp.message_id = m.id
    ) about
    where m.id = any(:ids)
    order by m.due_at
"""

# Who may no longer be written about leaves the message, each with a reason of their own; it goes on about the others. Somebody
# whom another message of the campaign is about as well stands where that one says: its ids are returned.
LEAVE_OUT = f"""
    with leaving as materialized (
        select mp.message_id, m.campaign_id, mp.person_id, {WHY_NOT} as reason
        from message_person mp
        join message m on m.id = mp.message_id
        join contact_point cp on cp.id = m.contact_point_id
        join person p on p.id = mp.person_id
        join outcome o on o.campaign_id = m.campaign_id and o.person_id = mp.person_id
        left join person_contact pc on pc.person_id = mp.person_id and pc.contact_point_id = cp.id
        where mp.message_id = any(:ids) and {MAY_GO} is not true
    ),
    removed as (
        delete from message_person mp using leaving l where mp.message_id = l.message_id and mp.person_id = l.person_id
    ),
    elsewhere as materialized (
        select l.person_id, other.id as message_id from leaving l
        join message_person mp on mp.person_id = l.person_id and mp.message_id <> l.message_id
        join message other on other.id = mp.message_id and other.campaign_id = l.campaign_id
    ),
    standing as (
        select o.campaign_id, o.person_id, l.reason from outcome o join leaving l using (campaign_id, person_id)
        where o.state not in ('told', 'excluded') and l.person_id not in (select person_id from elsewhere)
        order by o.campaign_id, o.person_id for update of o
    ),
    written as (
        update outcome o set state = 'exhausted', reason = s.reason, updated_at = now()
        from standing s where o.campaign_id = s.campaign_id and o.person_id = s.person_id
    )
    select distinct message_id from elsewhere
"""

ATTEMPTS = """
    insert into attempt (id, message_id, number, contact_point_id, channel, provider, state, body_sealed, body_digest, segments,
        started_at, lease_until, checks)
    select a.id, a.message, a.number, a.contact, :channel, :provider, 'open', a.body, a.digest, a.segments, now(), now() + :lease, 0
    from unnest(cast(:ids as uuid[]), cast(:messages as uuid[]), cast(:numbers as smallint[]), cast(:contacts as uuid[]),
        cast(:bodies as bytea[]), cast(:digests as bytea[]), cast(:segments as smallint[]))
        as a(id, message, number, contact, body, digest, segments)
    on conflict do nothing
    returning id
"""

SUBMITTING = """
    update message m set state = 'submitting', attempts = attempts + 1, due_at = now() + :lease, updated_at = now()
    where m.id = any(:ids)
"""

SET_ASIDE = """
    update message m set state = a.state, reason = a.reason, due_at = coalesce(a.due_at, m.due_at), updated_at = now()
    from unnest(cast(:ids as uuid[]), cast(:states as text[]), cast(:reasons as text[]), cast(:dues as timestamptz[]))
        as a(id, state, reason, due_at)
    where m.id = a.id
"""


def claim(session: Session, channel: str, size: int, rules: Rules) -> Batch:
    """Take up to `size` due messages and write their attempts. The caller commits, and only then calls the provider.

    Two claims at once never take the same message (SKIP LOCKED), and the schema allows one undecided attempt per destination.
    """
    ids = list(session.scalars(text(LOCK), {"channel": channel, "size": size}))
    if not ids:
        return Batch((), 0)
    ready: list[_Ready] = []
    aside: list[_Aside] = []
    thinned: list[UUID] = []
    at, vault = now(), vault_of(session)
    rendered: dict[UUID, _Text | None] = {}
    for row in session.execute(text(READ), {"ids": ids}):
        if (refused := _refused(row, at)) is not None:
            aside.append(refused)
            if row.contact_state == "usable" and row.allowed == 0 and row.people > 1:
                thinned.append(row.id)
            continue
        if row.rendition_id not in rendered:
            rendered[row.rendition_id] = _render(row.text, row.language, rules.house, vault)
        words = rendered[row.rendition_id]
        if words is None:
            aside.append(_Aside(row.id, "blocked", Reason.BLOCKED))
            continue
        if row.allowed < row.people:
            thinned.append(row.id)
        try:
            key = vault.open_key(row.contact_point_id, row.version, row.wrapped)
            to = key.open("contact_point.value", row.contact_point_id, row.value_sealed)
        except Sealed:
            # One altered field must not keep everybody else from being told.
            log.error("claim.contact_does_not_open", contact_point=str(row.contact_point_id))
            aside.append(_Aside(row.id, "blocked", Reason.BAD_CONTACT))
            continue
        token = uuid4()
        sealed = key.seal("attempt.body", token, words.text)
        ready.append(_Ready(row.id, row.attempts + 1, row.contact_point_id, sealed, words, Envelope(token, to, words.text)))
    if thinned:
        project(session, session.scalars(text(LEAVE_OUT), {"ids": thinned}).all())
    claimed = _write_attempts(session, channel, rules, ready) if ready else ()
    busy = {r.message_id for r in ready} - {c.message_id for c in claimed}
    aside += [_Aside(message_id, "ready", None, at + timedelta(seconds=BUSY_SECONDS)) for message_id in busy]
    if aside:
        _set_aside(session, aside)
    return Batch(claimed, len(ids))


def next_opening(at: datetime, start: time, end: time, zone: str | None) -> datetime | None:
    """None when texts may go now, else the next time at which they may. `start == end` means any hour.

    `zone` None stands for "somewhere in the United States": the hour must be decent at both ends of it.
    """
    if start == end:
        return None
    opening = at
    try:
        zones = [ZoneInfo(zone)] if zone else UNKNOWN_ZONES
    except (ZoneInfoNotFoundError, ValueError):
        zones = UNKNOWN_ZONES
    # Each pass moves to the next opening in the zone that is closed; with two zones a few passes settle it.
    for _ in range(6):
        closed = [z for z in zones if not start <= opening.astimezone(z).timetz().replace(tzinfo=None) < end]
        if not closed:
            break
        local = opening.astimezone(closed[0])
        day = local.date() if local.time() < start else local.date() + timedelta(days=1)
        opening = datetime.combine(day, start, closed[0]).astimezone(at.tzinfo)
    return None if opening == at else opening


@dataclass(frozen=True, slots=True)
class _Text:
    text: str
    digest: bytes
    segments: int


@dataclass(frozen=True, slots=True)
class _Ready:
    message_id: UUID
    number: int
    contact_point_id: UUID
    body_sealed: bytes
    words: _Text
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class _Aside:
    message_id: UUID
    state: str
    reason: str | None
    due_at: datetime | None = None


def _refused(row: Row[Any], at: datetime) -> _Aside | None:
    """Why this message may not go now, whatever its text; None when it may."""
    if row.contact_state != "usable":
        return _Aside(row.id, "cancelled", _contact_reason(row.contact_state))
    if row.allowed == 0:
        return _Aside(row.id, "cancelled", row.refusal or Reason.UNSAFE_CONTACT)
    if not row.approved:
        return _Aside(row.id, "cancelled", Reason.NEEDS_TRANSLATION)
    if row.wrapped is None:
        return _Aside(row.id, "cancelled", Reason.BAD_CONTACT)  # The contact point was erased.
    opening = next_opening(at, row.window_start, row.window_end, row.time_zone)
    return _Aside(row.id, "ready", None, opening) if opening is not None else None


def _render(source: str, language: str, house: House, vault: Vault) -> _Text | None:
    """The text as it will be sent, or None when our own check refuses it."""
    try:
        words = house.render(source)
    except fields.FieldError:
        return None
    if house.findings(words, language):
        return None
    return _Text(words, body_digest(vault, words), segments.count(words).segments)


def _write_attempts(session: Session, channel: str, rules: Rules, ready: list[_Ready]) -> tuple[Claimed, ...]:
    written = set(
        session.scalars(
            text(ATTEMPTS),
            {
                "channel": channel,
                "provider": rules.provider,
                "lease": rules.lease,
                "ids": [r.envelope.token for r in ready],
                "messages": [r.message_id for r in ready],
                "numbers": [r.number for r in ready],
                "contacts": [r.contact_point_id for r in ready],
                "bodies": [r.body_sealed for r in ready],
                "digests": [r.words.digest for r in ready],
                "segments": [r.words.segments for r in ready],
            },
        )
    )
    claimed = tuple(Claimed(r.message_id, r.envelope, r.words.segments) for r in ready if r.envelope.token in written)
    session.execute(text(SUBMITTING), {"ids": [c.message_id for c in claimed], "lease": rules.lease})
    return claimed


def _set_aside(session: Session, aside: list[_Aside]) -> None:
    session.execute(
        text(SET_ASIDE),
        {
            "ids": [a.message_id for a in aside],
            "states": [a.state for a in aside],
            "reasons": [a.reason for a in aside],
            "dues": [a.due_at for a in aside],
        },
    )
    project(session, [a.message_id for a in aside if a.state != "ready"])


def _contact_reason(state: str) -> Reason:
    return {"opted_out": Reason.OPTED_OUT, "quarantined": Reason.WRONG_NUMBER}.get(state, Reason.BAD_CONTACT)
