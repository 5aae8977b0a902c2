"""Claiming: take due messages, check again that they may go, and commit the attempt before anybody is called.

Everything that was true at planning is asked again here, since hours may have passed: the campaign runs, the contact point is
usable and safe, the person is where they were, the attorney still represents them, the hour is decent, nobody has said STOP. The
text stays the one that the campaign was approved with, also when a newer one was approved since: whoever wants that one instead
pauses the campaign and makes another.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache, partial
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from outreach.access.sealing import Sealed, vault_of
from outreach.campaigns import campaign
from outreach.campaigns.audience import AT_FACILITY, DELIVERABLE, contact_allowed, contact_refusal, person_excluded, rule
from outreach.campaigns.outcome import Reason
from outreach.db import now
from outreach.delivery import heartbeat, hours, spending
from outreach.delivery.compose import Composed, Composer, Destination, Outgoing, texts
from outreach.delivery.hours import HURRIED, PLACE, Opening, Wait
from outreach.delivery.message import attempt_id
from outreach.delivery.projection import lock_outcomes, project
from outreach.delivery.spending import DEFAULT, HOLDS_TO_LIMITS, ROOM, Tariff, Wanted
from outreach.notices.house import House
from outreach.notices.notice import Channel
from outreach.people.attorney import LIVE

log = structlog.get_logger()

BUSY_SECONDS = 5  # until a destination that has an undecided attempt is looked at again


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings say about messages: whose they are, how they are made, how long a worker may wait for a batch's answers.

    `validity` is how long a carrier may go on trying to deliver a text, at most; a text that had less than `shortest_validity`
    before its hours close waits for the next ones.
    """

    house: House
    lease: timedelta
    provider: str
    composer: Composer = texts
    validity: timedelta = timedelta(hours=4)
    shortest_validity: timedelta = timedelta(minutes=5)
    tariff: Tariff = DEFAULT
    late_after: timedelta = timedelta(hours=3)  # see `heartbeat.attend`


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that is committed as being submitted."""

    message_id: UUID
    envelope: Outgoing
    segments: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What one claim came to: `claimed` are to be sent now; `seen` counts all due messages that were looked at."""

    claimed: tuple[Claimed, ...]
    seen: int


# Nothing is locked in a database that is frozen, or that is not the one that was last reconciled: it may have been exchanged under
# a worker that stayed up.
UNHINDERED = """(
    not exists (select 1 from breaker b where b.closed_at is null and (b.step_id = s.id or b.provider = :provider))
    and not exists (
        select 1 from incarnation i, life() l
        where i.frozen_at is not null or (i.cluster, i.timeline, i.relation) <> (l.cluster, l.timeline, l.relation)
    )
)"""

# Two statements a batch: one that locks, one that reads what the locked rows need. The step is asked first, so that the ready
# messages of a paused campaign, or of a step whose breaker is open, are never walked over.
LOCK = f"""
    select due.id from step s join campaign c on c.id = s.campaign_id
    cross join lateral (select {ROOM} as room) limits
    cross join lateral (
        select m.id, m.due_at from message m
        where m.step_id = s.id and m.state = 'ready' and m.due_at <= now()
        order by m.due_at limit least(:size, limits.room)
        for update skip locked
    ) due
    where s.channel = :channel and (cast(:only as uuid) is null or c.id = :only) and c.state = 'running' and {UNHINDERED}
    order by due.due_at limit :size
"""

# What has spent the last of a campaign's money was counted before that paused it, and still goes.
HELD_BACK = f"""
    select m.id from message m join step s on s.id = m.step_id join campaign c on c.id = s.campaign_id
    where m.id = any(:ids)
      and not ((c.state = 'running' or (c.state = 'paused' and c.state_reason = '{campaign.SPEND_CAP}')) and {UNHINDERED})
"""

# Whether this person may still be written about by this message, and if not, why. A letter to a facility is for whoever is there
# now; what goes to an attorney is about those whom they represent now.
AT_THIS_FACILITY = """(p.custody = 'detained' and exists (
    select 1 from facility f where f.id = p.facility_id and f.post_point_id = m.contact_point_id
))"""
REPRESENTED = f"""exists (
    select 1 from representation rep where rep.person_id = p.id and rep.attorney_id = m.attorney_id and {LIVE}
)"""
UNDERSTOOD = "(p.language = m.language or coalesce(p.second_language = m.language, false))"
PAPER_TO_PEOPLE = (Channel.LETTER, Channel.HAND)


def _may_go(channel: Channel) -> str:
    excluded = person_excluded(channel)
    if channel.to_attorney:
        return f"({excluded} is null and {DELIVERABLE} and {REPRESENTED} and coalesce(co.state, '') <> 'told')"
    allowed = contact_allowed(channel)
    if channel is Channel.HAND:
        allowed = AT_THIS_FACILITY
    elif channel is Channel.LETTER:
        allowed = f"(case when {AT_FACILITY} then {AT_THIS_FACILITY} and {DELIVERABLE} else {allowed} end)"
    return f"({excluded} is null and coalesce({allowed}, false) and {UNDERSTOOD} and o.state <> 'told')"


def _why_not(channel: Channel) -> str:
    excluded = person_excluded(channel)
    if channel.to_attorney:
        return f"""coalesce({excluded}, case when co.state = 'told' then 'told'
            when not {REPRESENTED} then 'representation_ended' else 'attorney_unreachable' end)"""
    moved = f"when ({AT_FACILITY}) or pc.person_id is null then 'moved'" if channel in PAPER_TO_PEOPLE else ""
    return f"""coalesce({excluded}, case when o.state = 'told' then 'told'
        when not {UNDERSTOOD} then 'needs_translation' {moved}
        else {contact_refusal(channel)} end)"""


def _links(channel: Channel) -> str:
    """SQL: from everybody (`mp`) that the message `m` is about to what decides whether it may go on being about them."""
    track = (
        "join counsel_outcome co on co.campaign_id = m.campaign_id and co.person_id = p.id and co.attorney_id = m.attorney_id"
        if channel.to_attorney
        else "left join person_contact pc on pc.person_id = p.id and pc.contact_point_id = m.contact_point_id"
    )
    return f"""
        join person p on p.id = mp.person_id
        {rule(channel)}
        join outcome o on o.campaign_id = m.campaign_id and o.person_id = p.id
        {track}"""


def _places(channel: Channel) -> str:
    """SQL: where those are who may be written about, and whether one of them cannot wait. Only a text wakes people."""
    if channel is not Channel.SMS:
        return ""
    going = f"filter (where {_may_go(channel)})"
    return f", string_agg({PLACE}, ' ') {going} as places, coalesce(bool_or({HURRIED}) {going}, false) as hurried"


@cache
def _read(channel: Channel) -> str:
    return f"""
        select m.id, m.attempts, m.reason, m.contact_point_id, m.person_id, m.attorney_id, m.rendition_id, m.campaign_id,
            cp.state as contact_state, cp.value_sealed, cp.country_sealed, cp.time_zone, k.version, k.wrapped,
            r.state <> 'draft' as approved, r.subject, r.text, r.language, r.notice_id,
            c.window_start, c.window_end, {HOLDS_TO_LIMITS} as holds_to_limits,
            about.*
        from message m
        join campaign c on c.id = m.campaign_id
        join contact_point cp on cp.id = m.contact_point_id
        left join data_key k on k.subject_id = cp.id
        join rendition r on r.id = m.rendition_id
        cross join lateral (
            select count(*) as people, count(*) filter (where {_may_go(channel)}) as allowed, min({_why_not(channel)}) as refusal
                {_places(channel)}
            from message_person mp {_links(channel)}
            where mp.message_id = m.id
        ) about
        where m.id = any(:ids)
        order by m.due_at
    """


# Who may no longer be written about leaves the message, each with a reason of their own; it goes on about the others. Somebody
# whom another message of the campaign is about as well stands where that one says: its ids are returned.
@cache
def _leave_out(channel: Channel) -> str:
    table, columns = "outcome", ["campaign_id", "person_id"]
    track = "other.attorney_id is null"
    if channel.to_attorney:
        table, columns = "counsel_outcome", ["campaign_id", "person_id", "attorney_id"]
        track = "other.attorney_id = l.attorney_id"
    key = ", ".join(f"o.{column}" for column in columns)
    return f"""
        with leaving as materialized (
            select mp.message_id, m.campaign_id, mp.person_id, m.attorney_id, {_why_not(channel)} as reason
            from message m
            join contact_point cp on cp.id = m.contact_point_id
            join message_person mp on mp.message_id = m.id
            {_links(channel)}
            where m.id = any(:ids) and {_may_go(channel)} is not true
        ),
        removed as (
            delete from message_person mp using leaving l where mp.message_id = l.message_id and mp.person_id = l.person_id
        ),
        elsewhere as materialized (
            select l.person_id, other.id as message_id from leaving l
            join message_person mp on mp.person_id = l.person_id and mp.message_id <> l.message_id
            join message other on other.id = mp.message_id and other.campaign_id = l.campaign_id and {track}
        ),
        standing as (
            select {key}, l.reason from {table} o join leaving l using ({", ".join(columns)})
            where o.state not in ('told', 'excluded') and l.person_id not in (select person_id from elsewhere)
            order by {key} for update of o
        ),
        written as (
            update {table} o set state = 'exhausted', reason = s.reason, updated_at = now()
            from standing s where {" and ".join(f"o.{column} = s.{column}" for column in columns)}
        )
        select distinct message_id from elsewhere
    """


# In the order of the destinations, so that two claims of different campaigns never wait for each other in a ring.
ATTEMPTS = """
    insert into attempt (id, message_id, number, contact_point_id, channel, provider, state, body_sealed, sealed_under, body_digest,
        segments, cost, counted_on, started_at, lease_until, checks)
    select a.id, a.message, a.number, a.contact, :channel, :provider, 'open', a.body, a.under, a.digest, a.segments, a.cost,
        case when a.cost is not null then cast(:today as date) end, now(), now() + :lease, 0
    from unnest(cast(:ids as uuid[]), cast(:messages as uuid[]), cast(:numbers as smallint[]), cast(:contacts as uuid[]),
        cast(:bodies as bytea[]), cast(:unders as uuid[]), cast(:digests as bytea[]), cast(:segments as smallint[]),
        cast(:costs as numeric[])) as a(id, message, number, contact, body, under, digest, segments, cost)
    order by a.contact
    on conflict do nothing
    returning id
"""

SUBMITTING = """
    update message m set state = 'submitting', reason = null, attempts = attempts + 1, due_at = now() + :lease, updated_at = now()
    where m.id = any(:ids)
"""

SET_ASIDE = """
    update message m set state = a.state, reason = a.reason, due_at = coalesce(a.due_at, m.due_at), updated_at = now()
    from unnest(cast(:ids as uuid[]), cast(:states as text[]), cast(:reasons as text[]), cast(:dues as timestamptz[]))
        as a(id, state, reason, due_at)
    where m.id = a.id
"""


def claim(session: Session, channel: str, size: int, rules: Rules, *, only: UUID | None = None) -> Batch:
    """Take up to `size` due messages and write their attempts. The caller commits, and only then calls the provider.

    `only` this campaign's; None: any's.

    Two claims at once never take the same message (SKIP LOCKED), and the schema allows one undecided attempt per destination.
    """
    if heartbeat.attend(session, channel, rules.provider, rules.late_after):
        return Batch((), 0)
    wanted = {"channel": channel, "size": size, "only": only, "provider": rules.provider, "day_zone": rules.tariff.zone}
    ids = list(session.scalars(text(LOCK), wanted))
    if not ids:
        return Batch((), 0)
    way, at = Channel(channel), now()
    # Each set of zones is looked at once a batch. A worker may send until its lease is over, so that much is off the text's time.
    open_in = cache(partial(hours.next_opening, at, lasting=rules.lease + rules.shortest_validity))
    validity: dict[UUID, int] = {}
    going: list[Row[Any]] = []
    aside: list[_Aside] = []
    thinned: list[UUID] = []
    for row in session.execute(text(_read(way)), {"ids": ids}):
        refused = _refused(row, way)
        if refused is None and way is Channel.SMS and not row.hurried:
            opening = open_in(row.window_start, row.window_end, hours.zones_of(row.places, row.time_zone))
            refused, validity[row.id] = _waits(row, opening, at), _validity(opening, at, rules)
        if refused is None:
            going.append(row)
            if row.allowed < row.people:
                thinned.append(row.id)
        else:
            aside.append(refused)
            if row.contact_state == "usable" and row.allowed == 0 and row.people > 1:
                thinned.append(row.id)
    if thinned:
        lock_outcomes(session, ids)
        project(session, session.scalars(text(_leave_out(way)), {"ids": thinned}).all())
    # Composed only now, when each message is about exactly those whom it may be about.
    ready = _compose(session, way, rules, going, validity, aside)
    if aside:
        _set_aside(session, aside)
    return Batch(_within_limits(session, way, rules, ready, at), len(ids))


def held_back(session: Session, claimed: Collection[UUID], provider: str) -> set[UUID]:
    """Those of these claimed messages that must not go any more: the campaign was paused or stopped since, or a breaker opened."""
    return set(session.scalars(text(HELD_BACK), {"ids": list(claimed), "provider": provider}))


@dataclass(frozen=True, slots=True)
class _Ready:
    """`cost` is None where the campaign has no limits. `counts` is as of `_Aside`, should it not go after all."""

    message_id: UUID
    campaign_id: UUID
    number: int
    contact_point_id: UUID
    body_sealed: bytes
    composed: Composed
    cost: Decimal | None
    counts: bool


@dataclass(frozen=True, slots=True)
class _Aside:
    """What a message comes to that does not go now. `counts`: its people stand otherwise than before."""

    message_id: UUID
    state: str
    reason: str | None
    due_at: datetime | None = None
    counts: bool = True


def _refused(row: Row[Any], channel: Channel) -> _Aside | None:
    """Why this message may not go now, whatever its text; None when it may."""
    if row.contact_state != "usable" and channel is not Channel.HAND:
        reason = Reason.ATTORNEY_UNREACHABLE if channel.to_attorney else _contact_reason(row.contact_state)
        return _Aside(row.id, "cancelled", reason)
    if row.allowed == 0:
        return _Aside(row.id, "cancelled", row.refusal or Reason.UNSAFE_CONTACT)
    if not row.approved:
        return _Aside(row.id, "cancelled", Reason.NEEDS_TRANSLATION)
    if row.wrapped is None:
        return _Aside(row.id, "cancelled", Reason.BAD_CONTACT)  # The contact point was erased.
    return None


def _waits(row: Row[Any], opening: Opening | None, at: datetime) -> _Aside | None:
    """Until when a text waits for its hours; None when they are open."""
    if opening is None:
        return _Aside(row.id, "ready", Wait.NO_HOUR, at + hours.LOOK_AGAIN, counts=row.reason != Wait.NO_HOUR)
    if opening.opens <= at:
        return None
    return _Aside(row.id, "ready", Wait.HOURS, opening.opens, counts=row.reason == Wait.NO_HOUR)


def _validity(opening: Opening | None, at: datetime, rules: Rules) -> int:
    """For how many seconds a carrier may go on trying: until the hours close."""
    closes = opening.closes if opening else None
    left = min(rules.validity, closes - at - rules.lease) if closes else rules.validity
    return int(left.total_seconds())


def _compose(
    session: Session, channel: Channel, rules: Rules, going: list[Row[Any]], validity: Mapping[UUID, int], aside: list[_Aside]
) -> list[_Ready]:
    """What exactly is handed over; a message that cannot be made is put to those `aside`."""
    vault, longest = vault_of(session), _validity(None, now(), rules)
    compose = rules.composer(session, going, rules.house)
    ready: list[_Ready] = []
    for row in going:
        token = attempt_id(vault, row.id, row.attempts + 1)
        try:
            key = vault.open_key(row.contact_point_id, row.version, row.wrapped)
            to = key.open("contact_point.value", row.contact_point_id, row.value_sealed)
            composed = compose(row, token, Destination(to, key, validity.get(row.id, longest)))
        except Sealed:
            # One altered field must not keep everybody else from being told.
            log.error("claim.field_does_not_open", message=str(row.id), contact_point=str(row.contact_point_id))
            composed = Reason.BAD_CONTACT
        if isinstance(composed, Reason):
            aside.append(_Aside(row.id, "blocked", composed))
            continue
        sealed = composed.key.seal("attempt.body", token, composed.content)
        cost = rules.tariff.price(channel, composed.segments) if row.holds_to_limits else None
        counts = row.reason == Wait.NO_HOUR
        ready.append(_Ready(row.id, row.campaign_id, row.attempts + 1, row.contact_point_id, sealed, composed, cost, counts))
    return ready


def _within_limits(session: Session, channel: Channel, rules: Rules, ready: list[_Ready], at: datetime) -> tuple[Claimed, ...]:
    """Write the attempts that the campaigns' limits let through; the other messages stay as they were.

    From here until the commit, whoever else claims anything of a campaign with limits waits.
    """
    counted = [Wanted(r.message_id, r.campaign_id, r.cost) for r in ready if r.cost is not None]
    held = spending.hold(session, counted, channel, rules.tariff.zone)
    ready = [r for r in ready if r.cost is None or r.message_id in held.going]
    claimed = _write_attempts(session, channel, rules, ready, held.today) if ready else ()
    segments = {c.message_id: c.segments for c in claimed}
    if held.today is not None:
        taken = [(one, segments[one.message_id]) for one in counted if one.message_id in segments]
        spending.count(session, taken, channel, held.today)
    if busy := [r for r in ready if r.message_id not in segments]:
        until = at + timedelta(seconds=BUSY_SECONDS)
        _set_aside(session, [_Aside(r.message_id, "ready", None, until, counts=r.counts) for r in busy])
    for campaign_id in sorted(held.spent):
        campaign.pause_running(session, campaign_id, reason=campaign.SPEND_CAP)
    return claimed


def _write_attempts(session: Session, channel: str, rules: Rules, ready: list[_Ready], today: date | None) -> tuple[Claimed, ...]:
    written = set(
        session.scalars(
            text(ATTEMPTS),
            {
                "channel": channel,
                "provider": rules.provider,
                "lease": rules.lease,
                "ids": [r.composed.envelope.token for r in ready],
                "messages": [r.message_id for r in ready],
                "numbers": [r.number for r in ready],
                "contacts": [r.contact_point_id for r in ready],
                "bodies": [r.body_sealed for r in ready],
                "unders": [r.composed.sealed_under for r in ready],
                "digests": [r.composed.digest for r in ready],
                "segments": [r.composed.segments for r in ready],
                "costs": [r.cost for r in ready],
                "today": today,
            },
        )
    )
    going = [r for r in ready if r.composed.envelope.token in written]
    claimed = tuple(Claimed(r.message_id, r.composed.envelope, r.composed.segments) for r in going)
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
    project(session, [a.message_id for a in aside if a.counts])


def _contact_reason(state: str) -> Reason:
    return {"opted_out": Reason.OPTED_OUT, "quarantined": Reason.WRONG_NUMBER}.get(state, Reason.BAD_CONTACT)
