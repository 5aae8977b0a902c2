"""The channel plan: by which ways somebody may be told, by where they are. Data, which supervisors edit.

A way that has no row for a person's custody is never used for them, whatever a campaign's ladder says: the plan is asked when a
step is planned and again when each message leaves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import CheckConstraint, Text, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from outreach.access import audit
from outreach.access.accounts import Account, Role
from outreach.db import Base
from outreach.notices.notice import Channel
from outreach.people.custody import Custody

LONGEST_WAIT_HOURS = 24 * 90


class ChannelRule(Base):
    """People of this custody may be told by this channel, `wait_hours` after the launch.

    `needs_review`: only at a contact point that a safety review has signed off for that person.
    """

    __tablename__ = "channel_rule"

    custody: Mapped[str] = mapped_column(Text, primary_key=True)
    channel: Mapped[str] = mapped_column(Text, primary_key=True)
    wait_hours: Mapped[int] = mapped_column(primary_key=True)
    needs_review: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (CheckConstraint("wait_hours >= 0", name="wait"),)


@dataclass(frozen=True, slots=True)
class Rule:
    """One way for people of one custody, `wait_hours` after a launch."""

    channel: Channel
    wait_hours: int = 0
    needs_review: bool = False


class NotAllowedRule(Exception):
    """A channel plan that this system never follows. The text says which, and why."""


NEVER: dict[Custody, frozenset[Channel]] = {
    Custody.DETAINED: frozenset({Channel.SMS, Channel.EMAIL}),
    Custody.IN_TRANSIT: frozenset({Channel.SMS, Channel.EMAIL, Channel.LETTER, Channel.HAND}),
    Custody.OTHER_AGENCY: frozenset({Channel.SMS, Channel.EMAIL}),
    Custody.RELEASED: frozenset({Channel.HAND}),
    Custody.RELIEF: frozenset({Channel.HAND}),
    Custody.REMOVED: frozenset({Channel.HAND}),
    Custody.DEPARTED: frozenset({Channel.HAND}),
    Custody.UNKNOWN: frozenset({Channel.SMS, Channel.EMAIL, Channel.LETTER, Channel.HAND}),
    Custody.DECEASED: frozenset(Channel),
}
"""What no edit can allow: phones and mailboxes of people inside are in other hands, and nothing is handed over where nobody is."""

REVIEWED = (Custody.REMOVED, Custody.DEPARTED)
PERSONAL = (Channel.SMS, Channel.EMAIL, Channel.LETTER)


def load(session: Session) -> dict[Custody, tuple[Rule, ...]]:
    """The whole plan, each custody's ways in the order of time."""
    plan: dict[Custody, list[Rule]] = {custody: [] for custody in Custody}
    order = list(Channel)
    rows = session.scalars(select(ChannelRule)).all()
    for row in sorted(rows, key=lambda r: (r.wait_hours, order.index(Channel(r.channel)))):
        plan[Custody(row.custody)].append(Rule(Channel(row.channel), row.wait_hours, row.needs_review))
    return {custody: tuple(rules) for custody, rules in plan.items()}


def change(session: Session, custody: Custody, rules: Sequence[Rule], *, by: Account) -> None:
    """Give people of this custody other ways. Obeyed at once, also by campaigns that run: each message asks when it leaves.

    Raises NotAllowedRule for who may not, and for what may never be.
    """
    if by.role != Role.SUPERVISOR:
        raise NotAllowedRule("Only a supervisor can change the channel plan.")
    for rule in rules:
        if rule.channel in NEVER[custody]:
            raise NotAllowedRule("This way is never safe for people of this custody.")
        if custody in REVIEWED and rule.channel in PERSONAL and not rule.needs_review:
            raise NotAllowedRule("Nothing goes abroad without a safety review of the contact point.")
        if not 0 <= rule.wait_hours <= LONGEST_WAIT_HOURS:
            raise NotAllowedRule("A wait is between 0 hours and 90 days.")
    if len({(rule.channel, rule.wait_hours) for rule in rules}) != len(rules):
        raise NotAllowedRule("The same way stands twice at the same hour.")
    session.execute(delete(ChannelRule).where(ChannelRule.custody == custody))
    session.add_all(
        ChannelRule(custody=custody, channel=rule.channel, wait_hours=rule.wait_hours, needs_review=rule.needs_review)
        for rule in rules
    )
    session.flush()
    told = [f"{rule.channel}:{rule.wait_hours}{':reviewed' if rule.needs_review else ''}" for rule in rules]
    audit.record(session, by.actor, "channel_plan.change", "channel_plan", None, custody=custody, rules=told)


def rungs(plan: dict[Custody, tuple[Rule, ...]]) -> list[tuple[Channel, int, tuple[Custody, ...]]]:
    """The ladder that the plan amounts to: channel, hours after the launch, and whom it is for. In the order of time."""
    order = list(Channel)
    wanted = sorted(
        ((rule.wait_hours, order.index(rule.channel), custody) for custody, rules in plan.items() for rule in rules),
    )
    return [
        (order[channel], wait, tuple(custody for _, _, custody in group))
        for (wait, channel), group in ((key, list(found)) for key, found in groupby(wanted, key=lambda entry: entry[:2]))
    ]
