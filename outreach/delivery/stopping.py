"""Stopping a campaign for good: everything that still waits is cancelled, and people stand as not reached because it was stopped.

`campaign.stop` has put an end to planning and claiming already; this is what follows from it, however many messages there are.
Letters in the house are pulled, and those at a mail house called back, as any letter that must not leave (`pulling`). What a
carrier has taken cannot be recalled.

A campaign that is done has nothing that waits, but a text that has found no decent hour in all its time. Should anything else
become ready after its end all the same, its people are on the worked list rather than waiting for ever.
"""

from sqlalchemy import text
from sqlalchemy.orm import Session

from outreach.campaigns.outcome import Reason
from outreach.delivery.projection import project

# By step, as the waiting messages are indexed. Nobody is waited for: what another transaction holds is cancelled the next time.
WAITING = """
    select due.id from campaign c join step s on s.campaign_id = c.id
    cross join lateral (
        select m.id from message m where m.step_id = s.id and m.state = 'ready' limit :size for update skip locked
    ) due
    where c.state in ('stopped', 'done')
    limit :size
"""
TO_BE_TRIED_AGAIN = """
    select m.id from message m join campaign c on c.id = m.campaign_id and c.state in ('stopped', 'done')
    where m.state = 'undelivered' and m.due_at is not null
    limit :size for update of m skip locked
"""
CANCEL = """
    update message m set state = 'cancelled', due_at = null, updated_at = now(),
        reason = case when c.state = 'stopped' then :stopped when m.reason = :no_hour then m.reason else :over end
    from campaign c where c.id = m.campaign_id and m.id = any(:ids)
"""


def cancel(session: Session, *, size: int = 5000) -> int:
    """Cancel about so many messages that wait in campaigns that are over; how many, 0 when there are none. Safe to repeat."""
    found = [*session.scalars(text(WAITING), {"size": size}), *session.scalars(text(TO_BE_TRIED_AGAIN), {"size": size})]
    if found:
        why = {"stopped": Reason.STOPPED, "over": Reason.NOT_DELIVERED, "no_hour": Reason.NO_HOUR}
        session.execute(text(CANCEL), {"ids": found, **why})
        project(session, found)
    return len(found)
