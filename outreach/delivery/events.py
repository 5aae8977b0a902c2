"""Reports: kept as they come, and projected onto attempts, messages and outcomes in batches.

A webhook only verifies and keeps (`keep`), so that it answers fast whatever the load; `apply` does the rest. Reports may come
doubled, late, out of order, before our own answer is recorded, or about nothing that we know.
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from outreach.delivery import breaker
from outreach.delivery.breaker import Fault, Finding, Meaning
from outreach.delivery.projection import lock, project
from outreach.delivery.record import CLOSES, NOT_A_FACILITY, Limits
from outreach.delivery.spending import MISCOUNTED, settle
from outreach.providers.contract import Refusal, Report

ONE_AT_A_TIME = 734_106  # an advisory lock's number: one projection of reports runs at a time

# In the order of their keys, so that two batches with reports in common never wait for each other in a ring.
KEEP = """
    insert into event (provider, key, attempt_id, provider_id, provider_status, state, error_code, received_at)
    select :provider, r.key, r.attempt, r.provider_id, r.status, r.state, r.code, now()
    from unnest(cast(:keys as text[]), cast(:attempts as uuid[]), cast(:provider_ids as text[]), cast(:statuses as text[]),
        cast(:states as text[]), cast(:codes as text[])) as r(key, attempt, provider_id, status, state, code)
    order by r.key
    on conflict (provider, key) do nothing
    returning id
"""

# How far along each state is. A report moves an attempt forward only; only what came back after all is further than `delivered`.
RANK = """(case {0} when 'open' then 0 when 'unknown' then 1 when 'not_sent' then 2 when 'refused' then 2 when 'accepted' then 10
    when 'sent' then 40 when 'undelivered' then 50 when 'failed' then 50 when 'delivered' then 60
    when 'returned' then 70 end)"""

# A report without the provider's own id, as that of an e-mail which came back long after, is known by our token alone.
TAKE = f"""
    with fresh as (
        select id, attempt_id, provider, nullif(provider_id, '') as provider_id, state, error_code,
            first_value(attempt_id) over (partition by provider, provider_id order by id) as first_attempt_id
        from (select * from event where applied_at is null order by id limit :size) waiting
    ),
    matched as (
        select f.*, a.message_id, a.number, a.state as attempt_state,
            case when a.id is null then 'no_attempt'
                when f.provider_id is null then null
                when a.provider_id <> f.provider_id or other.id is not null
                    or (a.provider_id is null and f.first_attempt_id <> f.attempt_id) then 'other_provider_id' end as problem
        from fresh f left join attempt a on a.id = f.attempt_id
        left join attempt other on other.provider = f.provider and other.provider_id = f.provider_id and other.id <> f.attempt_id
    ),
    done as (
        update event e set applied_at = now(), problem = matched.problem from matched where e.id = matched.id
    )
    select distinct on (attempt_id) attempt_id, message_id, number, provider, provider_id, state, error_code,
        attempt_state in ('not_sent', 'refused') as revived
    from matched where problem is null
    order by attempt_id, {RANK.format("state")} desc, id
"""

# A report about an attempt that was given up is believed. Only while a newer one is alive it cannot be alive as well.
ATTEMPTS = f"""
    update attempt a set state = r.state, provider_id = coalesce(r.provider_id, a.provider_id),
        error_code = coalesce(r.code, a.error_code), finished_at = coalesce(a.finished_at, now())
    from message m,
        unnest(cast(:attempts as uuid[]), cast(:states as text[]), cast(:provider_ids as text[]), cast(:codes as text[]))
        as r(id, state, provider_id, code)
    where a.id = r.id and m.id = a.message_id and {RANK.format("r.state")} > {RANK.format("a.state")}
      and (a.state not in ('not_sent', 'refused') or a.number = m.attempts
        or r.state in ('undelivered', 'failed', 'delivered', 'returned'))
    returning a.id, {MISCOUNTED} as miscounted
"""

# The message follows its latest attempt, and any attempt's `delivered`. A failure that may pass is tried again by the sweep, if
# the campaign still goes on. A text that turns out to have been sent after all is not sent again.
MESSAGES = """
    update message m set
        state = r.state,
        reason = case when r.state in ('undelivered', 'failed', 'returned') then r.reason end,
        due_at = case when r.state = 'undelivered' and r.retry
                and (select count(*) from attempt t where t.message_id = m.id and t.state <> 'not_sent') < r.attempts
                and (select state not in ('done', 'stopped') from campaign c where c.id = m.campaign_id)
            then now() + r.wait * interval '1 second' end,
        updated_at = now()
    from unnest(cast(:ids as uuid[]), cast(:numbers as smallint[]), cast(:states as text[]), cast(:reasons as text[]),
        cast(:retries as boolean[]), cast(:revived as boolean[]), cast(:attempts as integer[]), cast(:waits as float8[]))
        as r(id, number, state, reason, retry, revived, attempts, wait)
    where m.id = r.id and m.state <> r.state and m.state <> 'returned' and (m.state <> 'delivered' or r.state = 'returned')
      and (r.state = 'delivered'
        or (r.state = 'returned' and r.number = m.attempts and m.state not in ('ready', 'cancelled', 'blocked'))
        or (r.number = m.attempts and (
            (r.state in ('undelivered', 'failed') and m.state in ('submitting', 'unknown', 'accepted', 'sent'))
            or (r.state = 'sent' and m.state in ('submitting', 'unknown', 'accepted'))
            or (r.state = 'accepted' and m.state in ('submitting', 'unknown'))
            or (r.state in ('accepted', 'sent') and r.revived and m.state in ('ready', 'failed')))))
"""

CONTACTS = f"""
    update contact_point cp set state = r.state, state_reason = r.reason, state_at = now()
    from message m, unnest(cast(:ids as uuid[]), cast(:states as text[]), cast(:reasons as text[]), cast(:returned as boolean[]))
        as r(id, state, reason, returned)
    where m.id = r.id and cp.id = m.contact_point_id and cp.state = 'usable'
      and (m.state <> 'delivered' or r.returned) and {NOT_A_FACILITY}
"""


def keep(session: Session, provider: str, *reports: Report) -> int:
    """Store verified reports; how many were not stored before: providers repeat themselves, also within one call."""
    stored = session.scalars(
        text(KEEP),
        {
            "provider": provider,
            "keys": [r.key for r in reports],
            "attempts": [r.token for r in reports],
            "provider_ids": [r.provider_id for r in reports],
            "statuses": [r.status for r in reports],
            "states": [r.state for r in reports],
            "codes": [r.code for r in reports],
        },
    )
    return len(stored.all())


def apply(session: Session, *, size: int, meaning: Meaning, limits: Callable[[str], Limits]) -> int:
    """Project up to `size` kept reports; how many were looked at. 0 when there are none, or another process is at it.

    `limits` are a provider's, by its name.
    """
    if not session.scalar(text("select pg_try_advisory_xact_lock(:number)"), {"number": ONE_AT_A_TIME}):
        return 0
    waiting = session.scalar(
        text("select count(*) from (select 1 from event where applied_at is null limit :size) s"), {"size": size}
    )
    if not waiting:
        return 0
    rows = session.execute(text(TAKE), {"size": size}).all()
    if not rows:
        return int(waiting)
    ids = [r.message_id for r in rows]
    meanings = [meaning(r.provider, r.error_code) if r.state in ("undelivered", "failed", "returned") else None for r in rows]
    lock(session, ids, contacts_of=[i for i, m in zip(ids, meanings, strict=True) if m in CLOSES])
    written = session.execute(
        text(ATTEMPTS),
        {
            "attempts": [r.attempt_id for r in rows],
            "states": [r.state for r in rows],
            "provider_ids": [r.provider_id for r in rows],
            "codes": [r.error_code for r in rows],
        },
    )
    miscounted = [row.id for row in written if row.miscounted]
    _mark_contacts(session, rows, meanings)
    session.execute(
        text(MESSAGES),
        {
            "ids": ids,
            "numbers": [r.number for r in rows],
            # A failure that may pass is no end: the message is shown as undelivered until it was tried often enough.
            "states": [
                "undelivered" if m == Refusal.TRANSIENT and r.state != "returned" else r.state
                for r, m in zip(rows, meanings, strict=True)
            ],
            "reasons": [
                REASONS.get(m, "returned" if r.state == "returned" else "not_delivered") if m else None
                for r, m in zip(rows, meanings, strict=True)
            ],
            "retries": [m == Refusal.TRANSIENT for m in meanings],
            "revived": [r.revived for r in rows],
            "attempts": [limits(r.provider).attempts for r in rows],
            "waits": [limits(r.provider).retry_seconds for r in rows],
        },
    )
    project(session, ids)
    settle(session, miscounted)
    breaker.trip(session, _findings(session, rows, meanings, meaning, limits))
    return int(waiting)


REASONS = {
    Refusal.OPTED_OUT: "opted_out",
    Refusal.BAD_ADDRESS: "bad_contact",
    Refusal.NO_ROUTE: "no_route",
    Refusal.FILTERED: "filtered",
    Refusal.UNREGISTERED: "filtered",
}


def _findings(
    session: Session,
    rows: Sequence[Row[Any]],
    meanings: Sequence[Refusal | None],
    meaning: Meaning,
    limits: Callable[[str], Limits],
) -> list[Finding]:
    failed = [(r.provider, Fault(r.message_id, m, r.error_code)) for r, m in zip(rows, meanings, strict=True) if m]
    findings = []
    for provider, those in groupby(sorted(failed, key=lambda each: each[0]), key=lambda each: each[0]):
        faults = [fault for _, fault in those]
        findings += breaker.of_reports(session, provider, faults, meaning, limits(provider).tolerance)
    return findings


def _mark_contacts(session: Session, rows: Sequence[Row[Any]], meanings: Sequence[Refusal | None]) -> None:
    told = [(r, CLOSES[m]) for r, m in zip(rows, meanings, strict=True) if m in CLOSES]
    if told:
        session.execute(
            text(CONTACTS),
            {
                "ids": [r.message_id for r, _ in told],
                "states": [state for _, state in told],
                "reasons": [f"report:{r.error_code}" for r, _ in told],
                "returned": [r.state == "returned" for r, _ in told],
            },
        )
