"""Recording what calls came to, in batches: one statement for the attempts, one for the messages, one for the outcomes."""

import random
from collections.abc import Sequence
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


ATTEMPTS = """
    update attempt a set
        state = case when a.state in ('open', 'unknown') then r.state else a.state end,
        provider_id = coalesce(a.provider_id, r.provider_id),
        error_code = coalesce(r.code, a.error_code),
        finished_at = now()
    from unnest(cast(:tokens as uuid[]), cast(:states as text[]), cast(:provider_ids as text[]), cast(:codes as text[]))
        as r(id, state, provider_id, code)
    where a.id = r.id
"""

# Only from `submitting` or `unknown`: a report may have overtaken this answer and moved the message on already. `retry` says
# that another attempt follows a refusal that may pass, which stops when there were enough of them.
MESSAGES = """
    update message m set
        state = case when r.retry and m.attempts >= :attempts then 'failed' else r.state end,
        reason = case when r.retry and m.attempts >= :attempts then 'refused' else r.reason end,
        due_at = case when r.delay is not null then now() + r.delay * interval '1 second' else m.due_at end,
        updated_at = now()
    from unnest(cast(:ids as uuid[]), cast(:states as text[]), cast(:reasons as text[]), cast(:delays as float8[]),
        cast(:retries as boolean[])) as r(id, state, reason, delay, retry)
    where m.id = r.id and m.state in ('submitting', 'unknown')
"""

CONTACTS = """
    update contact_point cp set state = r.state, state_reason = r.reason, state_at = now()
    from message m, unnest(cast(:ids as uuid[]), cast(:states as text[]), cast(:reasons as text[])) as r(id, state, reason)
    where m.id = r.id and cp.id = m.contact_point_id and cp.state = 'usable'
"""


def record(session: Session, results: Sequence[Result], limits: Limits, provider: str) -> None:
    """Write a batch of results. Safe to repeat: what a report or an earlier call has settled is left alone."""
    if not results:
        return
    ids = [r.message_id for r in results]
    lock(session, ids)
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
            "ids": ids,
            "states": [d.message for d in decisions],
            "reasons": [d.reason for d in decisions],
            "delays": [d.delay for d in decisions],
            "retries": [d.retry for d in decisions],
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


def _decide(receipt: Receipt, limits: Limits) -> _Decision:
    if receipt.verdict == Verdict.ACCEPTED:
        return _Decision("accepted", "accepted")
    if receipt.verdict == Verdict.UNKNOWN:
        return _Decision("unknown", "unknown")
    if receipt.verdict == Verdict.NOT_SENT:
        return _Decision("not_sent", "ready", delay=_jittered(NOT_SENT_SECONDS))
    match receipt.refusal:
        case Refusal.BACK_OFF:
            return _Decision("refused", "ready", delay=_jittered(receipt.retry_after or BACK_OFF_SECONDS))
        case Refusal.TRANSIENT:
            return _Decision("refused", "ready", delay=_jittered(limits.retry_seconds), retry=True)
        case Refusal.CONFIGURATION:
            # Nothing is wrong with the message: it waits, unspent, for the campaign that is paused below.
            return _Decision("refused", "ready", delay=0.0)
    return _Decision("refused", "failed", FINAL.get(receipt.refusal, Reason.REFUSED) if receipt.refusal else Reason.REFUSED)


FINAL = {
    Refusal.OPTED_OUT: Reason.OPTED_OUT,
    Refusal.BAD_ADDRESS: Reason.BAD_CONTACT,
    Refusal.FILTERED: Reason.FILTERED,
}
"""What people are told to stand at after a refusal for good; any other one is `refused`."""


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(0.8, 1.2)  # noqa: S311 - spreads retries out; nothing depends on it being unguessable


def _mark_contacts(session: Session, results: Sequence[Result], provider: str) -> None:
    states = {Refusal.OPTED_OUT: "opted_out", Refusal.BAD_ADDRESS: "bad"}
    told = [(r.message_id, states[r.receipt.refusal], r.receipt.code) for r in results if r.receipt.refusal in states]
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
    wrong = {r.receipt.code for r in results if r.receipt.refusal == Refusal.CONFIGURATION}
    if wrong:
        for running in session.scalars(select(Campaign.id).where(Campaign.state == CampaignState.RUNNING)).all():
            campaign.pause(session, running, reason=f"configuration:{min(str(code) for code in wrong)}")
    filtered = [r.message_id for r in results if r.receipt.refusal == Refusal.FILTERED]
    if filtered:
        pause_filtered(session, filtered, limits.filtered)


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
    for row in rows.all():
        campaign.pause(session, row.campaign_id, reason="filtered")
