"""Recording what calls came to, in batches: one statement for the attempts, one for the messages, one for the outcomes."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from outreach.campaigns import campaign
from outreach.campaigns.campaign import Campaign, CampaignState
from outreach.campaigns.outcome import Reason
from outreach.delivery.projection import lock, project
from outreach.providers.contract import Receipt, Refusal, Verdict

BACK_OFF_SECONDS = 5.0  # where the provider does not say how long
NOT_SENT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Limits:
    """`attempts` tries of one message, `retry_seconds` apart; `filtered` filter refusals pause a campaign."""

    attempts: int
    retry_seconds: float
    filtered: int


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one claimed message."""

    message_id: UUID
    receipt: Receipt


# An acceptance that comes after the attempt was given up is believed, as long as nothing newer was tried.
ATTEMPTS = """
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
    session.execute(
        text(ATTEMPTS),
        {
            "tokens": [r.receipt.token for r in results],
            "states": [d.attempt for d in decisions],
            "provider_ids": [r.receipt.provider_id for r in results],
            "codes": [r.receipt.code for r in results],
        },
    )
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
    _break_circuits(session, results, limits)


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
        return _Decision("not_sent", "ready", delay=_jittered(NOT_SENT_SECONDS), slower=True)
    match receipt.refusal:
        case Refusal.BACK_OFF:
            wait = receipt.retry_after or BACK_OFF_SECONDS
            return _Decision("not_sent", "ready", delay=_jittered(wait), slower=receipt.retry_after is None)
        case Refusal.TRANSIENT:
            return _Decision("refused", "ready", delay=_jittered(limits.retry_seconds), retry=True)
        case Refusal.CONFIGURATION:
            # Nothing is wrong with the message: it waits, unspent, for the campaign that is paused below.
            return _Decision("not_sent", "ready", delay=0.0)
    return _Decision("refused", "failed", FINAL.get(receipt.refusal, Reason.REFUSED) if receipt.refusal else Reason.REFUSED)


FINAL = {
    Refusal.OPTED_OUT: Reason.OPTED_OUT,
    Refusal.BAD_ADDRESS: Reason.BAD_CONTACT,
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


def _break_circuits(session: Session, results: Sequence[Result], limits: Limits) -> None:
    """Pause campaigns whose texts a carrier filters, and every campaign at once when our own account is at fault."""
    pause_all(session, {str(r.receipt.code) for r in results if r.receipt.refusal == Refusal.CONFIGURATION})
    filtered = [r.message_id for r in results if r.receipt.refusal == Refusal.FILTERED]
    if filtered:
        pause_filtered(session, filtered, limits.filtered)


def pause_all(session: Session, codes: Collection[str]) -> None:
    """Pause every running campaign when any of these codes says that our own account is at fault."""
    if codes:
        running = select(Campaign.id).where(Campaign.state == CampaignState.RUNNING)
        _pause(session, session.scalars(running).all(), f"configuration:{min(codes)}")


def pause_filtered(session: Session, messages: Sequence[UUID], limit: int) -> None:
    """Pause the campaigns of these messages in which a carrier's filter has refused `limit` texts since it was last resumed."""
    rows = session.execute(
        text("""
            select m.campaign_id from message m join campaign c on c.id = m.campaign_id and c.state = 'running'
            where m.reason = 'filtered' and m.campaign_id in (select campaign_id from message where id = any(:ids))
              and m.updated_at > coalesce((select max(at) from audit_entry where action = 'campaign.resume' and object_id = c.id),
                  c.launched_at)
            group by m.campaign_id having count(*) >= :limit
        """),
        {"ids": list(messages), "limit": limit},
    )
    _pause(session, [row.campaign_id for row in rows], "filtered")


def _pause(session: Session, campaigns: Collection[UUID], reason: str) -> None:
    """Pause those of these campaigns that still run once they are locked."""
    running = select(Campaign.id).where(Campaign.id.in_(campaigns), Campaign.state == CampaignState.RUNNING)
    for campaign_id in session.scalars(running.order_by(Campaign.id).with_for_update()).all():
        campaign.pause(session, campaign_id, reason=reason)
