"""Recording what calls came to, in batches: one statement for the attempts, one for the messages, one for the outcomes."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from outreach.campaigns.outcome import Reason
from outreach.delivery import breaker
from outreach.delivery.breaker import Fault, Tolerance
from outreach.delivery.projection import lock, project
from outreach.delivery.spending import MISCOUNTED, settle
from outreach.providers.contract import Receipt, Refusal, Verdict

BACK_OFF_SECONDS = 5.0  # where the provider does not say how long
NOT_SENT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Limits:
    """`attempts` tries of one message, `retry_seconds` apart; and how much may go wrong before a breaker opens."""

    attempts: int
    retry_seconds: float
    tolerance: Tolerance = field(default_factory=Tolerance)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one claimed message."""

    message_id: UUID
    receipt: Receipt


# An acceptance that comes after the attempt was given up is believed, as long as nothing newer was tried.
ATTEMPTS = f"""
    update attempt a set
        state = case when a.state in ('open', 'unknown')
            or (a.state = 'not_sent' and r.state = 'accepted' and a.number = m.attempts) then r.state else a.state end,
        provider_id = coalesce(a.provider_id, r.provider_id),
        error_code = coalesce(r.code, a.error_code),
        finished_at = now()
    from message m,
        unnest(cast(:tokens as uuid[]), cast(:states as text[]), cast(:provider_ids as text[]), cast(:codes as text[]))
        as r(id, state, provider_id, code)
    where a.id = r.id and m.id = a.message_id
    returning a.id, {MISCOUNTED} as miscounted
"""

# Only from `submitting` or `unknown`: a report may have overtaken this answer and moved the message on already. And only for the
# message's latest attempt: a worker that was frozen for long may answer for one that was given up. `retry` says that another
# attempt follows a refusal that may pass, which stops when there were enough of them; `slower` that each wait is twice the last.
MESSAGES = """
    update message m set
        state = case when tries.spent then 'failed' else r.state end,
        reason = case when tries.spent then 'refused' else r.reason end,
        due_at = case when r.delay is not null
            then now() + r.delay * (case when r.slower then power(2, least(m.attempts - 1, 7)) else 1 end) * interval '1 second'
            else m.due_at end,
        updated_at = now()
    from unnest(cast(:tokens as uuid[]), cast(:states as text[]), cast(:reasons as text[]), cast(:delays as float8[]),
        cast(:retries as boolean[]), cast(:slower as boolean[])) as r(token, state, reason, delay, retry, slower)
    join attempt a on a.id = r.token
    cross join lateral (
        select r.retry and (select count(*) from attempt t where t.message_id = a.message_id and t.state <> 'not_sent') >= :attempts
            as spent
    ) tries
    where m.id = a.message_id and a.number = m.attempts
      and (m.state in ('submitting', 'unknown') or (m.state = 'ready' and r.state = 'accepted' and a.state = 'accepted'))
"""

# What is said of one letter to a facility closes nothing: everybody who is held there gets their mail at that address.
NOT_A_FACILITY = "not exists (select 1 from facility f where f.post_point_id = cp.id)"

CONTACTS = f"""
    update contact_point cp set state = r.state, state_reason = r.reason, state_at = now()
    from message m, unnest(cast(:ids as uuid[]), cast(:states as text[]), cast(:reasons as text[])) as r(id, state, reason)
    where m.id = r.id and cp.id = m.contact_point_id and cp.state = 'usable' and {NOT_A_FACILITY}
"""


def record(session: Session, results: Sequence[Result], limits: Limits, provider: str) -> None:
    """Write a batch of results. Safe to repeat: what a report or an earlier call has settled is left alone."""
    if not results:
        return
    ids = [r.message_id for r in results]
    closing = [r.message_id for r in results if r.receipt.refusal in CLOSES]
    lock(session, ids, contacts_of=closing)
    decisions = [_decide(r.receipt, limits) for r in results]
    written = session.execute(
        text(ATTEMPTS),
        {
            "tokens": [r.receipt.token for r in results],
            "states": [d.attempt for d in decisions],
            "provider_ids": [r.receipt.provider_id for r in results],
            "codes": [r.receipt.code for r in results],
        },
    )
    miscounted = [row.id for row in written if row.miscounted]
    session.execute(
        text(MESSAGES),
        {
            "attempts": limits.attempts,
            "tokens": [r.receipt.token for r in results],
            "states": [d.message for d in decisions],
            "reasons": [d.reason for d in decisions],
            "delays": [d.delay for d in decisions],
            "retries": [d.retry for d in decisions],
            "slower": [d.slower for d in decisions],
        },
    )
    _mark_contacts(session, results, provider)
    project(session, ids)
    settle(session, miscounted)
    faults = [fault for fault in map(_went_wrong, results) if fault]
    breaker.trip(session, breaker.of_answers(session, provider, faults, limits.tolerance))


@dataclass(frozen=True, slots=True)
class _Decision:
    attempt: str
    message: str
    reason: Reason | None = None
    delay: float | None = None
    retry: bool = False
    slower: bool = False


def _decide(receipt: Receipt, limits: Limits) -> _Decision:
    if receipt.verdict == Verdict.ACCEPTED:
        return _Decision("accepted", "accepted")
    if receipt.verdict == Verdict.UNKNOWN:
        return _Decision("unknown", "unknown")
    if receipt.verdict == Verdict.NOT_SENT:
        if receipt.retry_after is not None:
            return _Decision("not_sent", "ready", delay=receipt.retry_after)
        return _Decision("not_sent", "ready", delay=_jittered(NOT_SENT_SECONDS), slower=True)
    match receipt.refusal:
        case Refusal.BACK_OFF:
            wait = receipt.retry_after or BACK_OFF_SECONDS
            return _Decision("not_sent", "ready", delay=_jittered(wait), slower=receipt.retry_after is None)
        case Refusal.TRANSIENT:
            return _Decision("refused", "ready", delay=_jittered(limits.retry_seconds), retry=True)
        case Refusal.CONFIGURATION | Refusal.UNREGISTERED:
            # Nothing is wrong with the message: it waits, unspent, behind the provider's breaker.
            return _Decision("not_sent", "ready", delay=0.0)
    return _Decision("refused", "failed", FINAL.get(receipt.refusal, Reason.REFUSED) if receipt.refusal else Reason.REFUSED)


FINAL = {
    Refusal.OPTED_OUT: Reason.OPTED_OUT,
    Refusal.BAD_ADDRESS: Reason.BAD_CONTACT,
    Refusal.NO_ROUTE: Reason.NO_ROUTE,
    Refusal.FILTERED: Reason.FILTERED,
}
"""What people are told to stand at after a refusal for good; any other one is `refused`."""


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(0.8, 1.2)  # noqa: S311 - spreads retries out; nothing depends on it being unguessable


CLOSES = {Refusal.OPTED_OUT: "opted_out", Refusal.BAD_ADDRESS: "bad"}
"""What a refusal or a failure makes of the contact point."""


def _mark_contacts(session: Session, results: Sequence[Result], provider: str) -> None:
    told = [(r.message_id, CLOSES[r.receipt.refusal], r.receipt.code) for r in results if r.receipt.refusal in CLOSES]
    if told:
        session.execute(
            text(CONTACTS),
            {
                "ids": [t[0] for t in told],
                "states": [t[1] for t in told],
                "reasons": [f"{provider}:{t[2]}" for t in told],
            },
        )


def _went_wrong(result: Result) -> Fault | None:
    """What a breaker counts of a result. To be told that we are too fast is no fault, nor is what never left us."""
    receipt = result.receipt
    if receipt.verdict == Verdict.UNKNOWN:
        return Fault(result.message_id, None, receipt.code)
    if receipt.verdict == Verdict.REFUSED and receipt.refusal != Refusal.BACK_OFF:
        return Fault(result.message_id, receipt.refusal or Refusal.REVIEW, receipt.code)
    return None
