"""Heartbeats: when somebody was last at work, and what to do when nobody was for hours.

Whoever hands a channel's messages over attends to it: at each claim, and at each sweep, so that a channel with nothing to do is
attended to as well. After hours without anybody, what had been due for all that time is not sent before a person has looked: a
notice that was meant for yesterday may be wrong today.
"""

from datetime import datetime, timedelta

from sqlalchemy import Text, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from outreach.db import Base
from outreach.delivery import breaker
from outreach.delivery.breaker import BreakerKind, Finding

TICKER = "ticker"
EVERY_SECONDS = 15  # a heart that beat so recently need not beat again


class Heartbeat(Base):
    """`name` is a channel, or the ticker."""

    __tablename__ = "heartbeat"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    beat_at: Mapped[datetime]


AGE = "select clock_timestamp() - beat_at from heartbeat where name = :name"
# Others who want to write the same are left to it: nobody waits for another's transaction only to say that they are there.
FIRST = """
    insert into heartbeat (name, beat_at)
    select :name, clock_timestamp() where pg_try_advisory_xact_lock(734107, hashtext(:name)) on conflict do nothing
"""
BEAT = """
    update heartbeat set beat_at = clock_timestamp()
    where name = (select name from heartbeat where name = :name for update skip locked)
"""

# Steps whose messages nobody and nothing kept back but that nobody worked. What was paused, or stopped by a breaker, or had used up
# its day, waited for that; a campaign that was launched or resumed since is as fresh as that.
LATE = """
    select s.id, (
        select count(*) from (
            select 1 from message m where m.step_id = s.id and m.state = 'ready' and m.due_at <= now() - :late limit 1000
        ) waiting
    ) as waiting
    from step s join campaign c on c.id = s.campaign_id
    where s.channel = :channel and c.state = 'running'
      and coalesce(c.state_at, c.launched_at, '-infinity') <= now() - :late
      and exists (select 1 from message m where m.step_id = s.id and m.state = 'ready' and m.due_at <= now() - :late)
      and (c.canary is null or c.canary_passed_at <= now() - :late)
      and not exists (
          select 1 from breaker b where (b.step_id = s.id or b.provider = :provider)
            and (b.closed_at is null or b.closed_at > now() - :late))
      and not exists (
          select 1 from spending sp
          where sp.campaign_id = c.id and sp.day >= current_date - 1 and sp.messages - sp.letters >= c.per_day)
"""


def beat(session: Session, name: str) -> None:
    """Say that somebody is at work. Of several at once, one says so."""
    age = session.scalar(text(AGE), {"name": name})
    if age is None:
        session.execute(text(FIRST), {"name": name})
    elif age.total_seconds() >= EVERY_SECONDS:
        session.execute(text(BEAT), {"name": name})


def attend(session: Session, channel: str, provider: str, late_after: timedelta) -> bool:
    """To be asked before messages of this channel are taken. True when there were steps hours late: their breakers are open now,
    and the transaction is to end with it.

    Several may ask at once after such a time: one opens a step's breaker, and the others wait for that and then see it open.
    """
    age = session.scalar(text(AGE), {"name": channel})
    if age is None or age < late_after or not late_after:
        beat(session, channel)
        return False
    rows = session.execute(text(LATE), {"channel": channel, "provider": provider, "late": late_after}).all()
    session.execute(text(BEAT), {"name": channel})
    hours = int(age.total_seconds() // 3600)
    findings = [Finding(BreakerKind.LATE, step_id=row.id, figures={"hours": hours, "waiting": row.waiting}) for row in rows]
    return bool(breaker.trip(session, findings))
