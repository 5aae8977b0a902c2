"""Campaigns: an approved intent.

draft ──submit──> submitted ──approve, by another──> approved ──launch──> running <──> paused ──> done | stopped
  ^                   └── a change of text, steps or audience voids the approval ──> draft
  └───────────────────────────────────────────────────────────────────────────────────┘
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, ForeignKey, Index, Numeric, Text, delete, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from outreach.access import audit
from outreach.access.accounts import Account, Role
from outreach.access.audit import SYSTEM, Actor, ActorKind
from outreach.access.sealing import digest
from outreach.campaigns import audience as audiences
from outreach.campaigns import rules
from outreach.db import Base, new_id, now
from outreach.notices.notice import Channel, Rendition, RenditionState

LARGEST_WAVE = 1_000_000_000
LARGEST_CAP = Decimal("1e9")
SPEND_CAP = "spend_cap"  # why a campaign is paused that has spent all it may
LONGEST_STOP_REASON = 500
SHORTEST_WINDOW = 7  # hours: in summer New York and Honolulu are six apart (see `delivery.hours`)


class NoCampaign(Exception):
    """There is no campaign with this id."""


class Refused(Exception):
    """A campaign cannot do this now. `sentence` tells staff what is in the way and how to mend it; `values` fill its %(names)s.

    The two are kept apart so that the panel can say it in its own language.
    """

    def __init__(self, sentence: str, **values: object) -> None:
        super().__init__(sentence % values if values else sentence)
        self.sentence, self.values = sentence, values


class CampaignState(StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    STOPPED = "stopped"  # by staff, for good: what was waiting is cancelled


NOT_LAUNCHED = (CampaignState.DRAFT, CampaignState.SUBMITTED, CampaignState.APPROVED)


class Campaign(Base):
    """`window_start` and `window_end` bound the hours in which a text may arrive, in the phone's own time zone.

    Equal bounds mean the whole day, which needs a `window_reason`.
    """

    __tablename__ = "campaign"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    title: Mapped[str]
    notice_id: Mapped[UUID] = mapped_column(ForeignKey("notice.id"))
    audience: Mapped[dict[str, list[str]]] = mapped_column(JSONB)  # see `campaigns.audience`
    window_start: Mapped[time] = mapped_column(default=time(9))
    window_end: Mapped[time] = mapped_column(default=time(20))
    window_reason: Mapped[str | None] = mapped_column(Text)
    canary: Mapped[int | None]  # so many messages go first, and the rest when somebody has looked at what became of them
    canary_passed_at: Mapped[datetime | None]
    canary_passed_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    per_day: Mapped[int | None]  # at most so many texts and mails a day, as the carriers allow
    spend_cap: Mapped[Decimal | None] = mapped_column(Numeric(14, 4))  # US dollars, by the prices of the settings
    state: Mapped[str] = mapped_column(Text, default=CampaignState.DRAFT)
    state_reason: Mapped[str | None] = mapped_column(Text)  # why it is paused: a code such as "staff"; why it was stopped, in words
    state_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))  # who did that or resumed it; None: the system
    state_at: Mapped[datetime | None]
    created_by: Mapped[UUID] = mapped_column(ForeignKey("account.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    submitted_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    submitted_at: Mapped[datetime | None]
    submitted_digest: Mapped[str | None] = mapped_column(Text)  # of content and audience, see `campaigns.approval`
    submitted_people: Mapped[int | None]
    approved_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    approved_at: Mapped[datetime | None]
    launched_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Step(Base):
    """One rung of a campaign's ladder. It is planned once, `wait_hours` after the launch, for whoever is not reached yet."""

    __tablename__ = "step"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("campaign.id"))
    position: Mapped[int]  # from 1
    channel: Mapped[str] = mapped_column(Text)
    custodies: Mapped[list[str] | None] = mapped_column(ARRAY(Text))  # whom it is for; None: all whom the channel plan allows it
    wait_hours: Mapped[int] = mapped_column(default=0)
    # Of a step that was added after the launch: it is planned only once somebody else has approved it.
    added_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    added_at: Mapped[datetime | None]
    approved_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    approved_at: Mapped[datetime | None]
    planned_at: Mapped[datetime | None]
    revisited_at: Mapped[datetime | None]  # when it was last decided about whoever has moved since

    __table_args__ = (Index("step_position_key", "campaign_id", "position", unique=True),)

    @property
    def waits_for_approval(self) -> bool:
        return self.added_at is not None and self.approved_at is None


@dataclass(frozen=True, slots=True)
class Waves:
    """How much goes at a time: the columns of `Campaign` of these names. None: no limit."""

    canary: int | None = None
    per_day: int | None = None
    spend_cap: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Rung:
    """One step as staff give it: `wait_hours` after the launch, for people of these custody states (None: all)."""

    wait_hours: int = 0
    channel: Channel = Channel.SMS
    custodies: tuple[str, ...] | None = None


def get(session: Session, campaign_id: UUID, *, lock: bool = False) -> Campaign:
    """Raises NoCampaign."""
    campaign = session.get(Campaign, campaign_id, with_for_update=lock or None, populate_existing=lock)
    if campaign is None:
        raise NoCampaign(str(campaign_id))
    return campaign


def steps(session: Session, campaign_id: UUID) -> Sequence[Step]:
    """The ladder, in order."""
    return session.scalars(select(Step).where(Step.campaign_id == campaign_id).order_by(Step.position)).all()


def ways(ladder: Sequence[Step]) -> dict[Channel, set[str] | None]:
    """The channels of a ladder, and whom each is for. A channel of two steps is for everybody that either is for."""
    found: dict[Channel, set[str] | None] = {}
    for step in ladder:
        channel = Channel(step.channel)
        before = found.get(channel, set())
        found[channel] = None if step.custodies is None or before is None else before | set(step.custodies)
    return found


def planned_ladder(session: Session) -> list[Rung]:
    """The ladder that the channel plan amounts to."""
    return [Rung(wait, channel, tuple(custodies)) for channel, wait, custodies in rules.rungs(rules.load(session))]


def create(
    session: Session,
    *,
    title: str,
    notice_id: UUID,
    audience: dict[str, list[str]],
    ladder: Sequence[Rung] = (Rung(),),
    window: tuple[time, time] = (time(9), time(20)),
    window_reason: str | None = None,
    waves: Waves = Waves(),
    by: Account,
) -> Campaign:
    """A new draft. Raises Refused when the description makes no sense."""
    campaign = Campaign(id=new_id(), created_by=by.id, state=CampaignState.DRAFT)
    _describe(campaign, title, notice_id, audience, ladder, window, window_reason)
    _limit(campaign, waves)
    session.add(campaign)
    session.flush()
    _set_ladder(session, campaign, ladder)
    audit.record(session, by.actor, "campaign.create", "campaign", campaign.id)
    return campaign


def change(
    session: Session,
    campaign_id: UUID,
    *,
    title: str,
    notice_id: UUID,
    audience: dict[str, list[str]],
    ladder: Sequence[Rung],
    window: tuple[time, time],
    window_reason: str | None,
    waves: Waves = Waves(),
    by: Account,
) -> Campaign:
    """Rewrite a campaign that was not launched. It becomes a draft again: any approval was of something else."""
    campaign = get(session, campaign_id, lock=True)
    if campaign.state not in NOT_LAUNCHED:
        raise Refused("This campaign was launched: it cannot be changed. Pause it, and make a new one.")
    _describe(campaign, title, notice_id, audience, ladder, window, window_reason)
    _limit(campaign, waves)
    _back_to_draft(campaign)
    session.execute(delete(Step).where(Step.campaign_id == campaign_id))
    _set_ladder(session, campaign, ladder)
    audit.record(session, by.actor, "campaign.change", "campaign", campaign.id)
    return campaign


def fingerprint(session: Session, campaign: Campaign) -> tuple[str, int]:
    """A digest of what an approval is given to (texts, ladder, plan, hours, waves, who exactly), and the number of people."""
    who, people = audiences.fingerprint(session, campaign.audience)
    texts = session.execute(
        select(Rendition.language, Rendition.id)
        .where(Rendition.notice_id == campaign.notice_id, Rendition.state == RenditionState.APPROVED)
        .order_by(Rendition.channel, Rendition.language)
    )
    said = [f"{language}:{rendition}" for language, rendition in texts]
    rungs = [
        f"{s.position}:{s.channel}:{s.wait_hours}:{','.join(s.custodies) if s.custodies is not None else '*'}"
        for s in steps(session, campaign.id)
    ]
    plan = [f"{custody}={way}" for custody, ways_of in sorted(rules.load(session).items()) for way in ways_of]
    hours = f"{campaign.window_start}-{campaign.window_end}"
    cap = f"{campaign.spend_cap:.4f}" if campaign.spend_cap is not None else "-"
    waves = f"canary {campaign.canary or '-'}, {campaign.per_day or '-'} a day, {cap} dollars"
    return digest(who, str(campaign.notice_id), hours, waves, *rungs, *said, *plan), people


def submit(session: Session, campaign_id: UUID, *, by: Account) -> Campaign:
    """Ask for approval of what the campaign is at this moment. Raises Refused when there is nobody or nothing to send."""
    campaign = get(session, campaign_id, lock=True)
    _expect(campaign, CampaignState.DRAFT, "Only a draft can be submitted.")
    ladder = ways(steps(session, campaign.id))
    if not audiences.preview(session, campaign.notice_id, campaign.audience, ladder).messages.total():
        raise Refused("Nobody would get a message: the preview says why for each person. Approve texts, or widen the audience.")
    campaign.submitted_digest, campaign.submitted_people = fingerprint(session, campaign)
    campaign.submitted_by, campaign.submitted_at = by.id, now()
    campaign.state = CampaignState.SUBMITTED
    audit.record(session, by.actor, "campaign.submit", "campaign", campaign.id, people=campaign.submitted_people)
    return campaign


def approve(session: Session, campaign_id: UUID, *, by: Account, people: int) -> Campaign:
    """Approve what was submitted. `people` is the number that the approver typed: it must be the audience's.

    Raises Refused for the campaign's own author, for a wrong number, and when texts or audience have changed since it was
    submitted (send it back, then).
    """
    campaign = get(session, campaign_id, lock=True)
    _expect(campaign, CampaignState.SUBMITTED, "Only a submitted campaign can be approved.")
    if by.role not in (Role.APPROVER, Role.SUPERVISOR):
        raise Refused("Only an approver or a supervisor can approve a campaign.")
    if by.id in (campaign.created_by, campaign.submitted_by):
        raise Refused("You made or submitted this campaign, so somebody else has to approve it.")
    if people != campaign.submitted_people:
        raise Refused(
            "You typed %(typed)s, and the audience is %(people)s people. Look at the preview again.",
            typed=people,
            people=campaign.submitted_people,
        )
    _expect_unchanged(session, campaign)
    campaign.approved_by, campaign.approved_at = by.id, now()
    campaign.state = CampaignState.APPROVED
    audit.record(session, by.actor, "campaign.approve", "campaign", campaign.id, people=people, digest=campaign.submitted_digest)
    return campaign


def send_back(session: Session, campaign_id: UUID, *, by: Account) -> Campaign:
    """Refuse a submitted or approved campaign: it is a draft again."""
    campaign = get(session, campaign_id, lock=True)
    if campaign.state not in (CampaignState.SUBMITTED, CampaignState.APPROVED):
        raise Refused("Only a submitted or approved campaign can be sent back.")
    _back_to_draft(campaign)
    audit.record(session, by.actor, "campaign.send_back", "campaign", campaign.id)
    return campaign


def launch(session: Session, campaign_id: UUID, *, by: Account) -> Campaign:
    """Start an approved campaign. The caller commits and then nudges the planner; a lost nudge is made up by the sweep.

    Raises Refused when texts or audience have changed since the approval (send it back, then).
    """
    campaign = get(session, campaign_id, lock=True)
    _expect(campaign, CampaignState.APPROVED, "Only an approved campaign can be launched.")
    _expect_unchanged(session, campaign)
    campaign.state, campaign.launched_at = CampaignState.RUNNING, now()
    audit.record(session, by.actor, "campaign.launch", "campaign", campaign.id)
    return campaign


def pause(session: Session, campaign_id: UUID, *, reason: str, by: Actor = SYSTEM) -> Campaign:
    """Stop claiming at once. What was handed over already stays handed over. Pausing a paused campaign changes nothing."""
    campaign = get(session, campaign_id, lock=True)
    if campaign.state != CampaignState.PAUSED:
        _expect(campaign, CampaignState.RUNNING, "Only a running campaign can be paused.")
        campaign.state, campaign.state_reason = CampaignState.PAUSED, reason
        campaign.state_by, campaign.state_at = by.id if by.kind == ActorKind.STAFF else None, now()
        audit.record(session, by, "campaign.pause", "campaign", campaign.id, reason=reason)
    return campaign


def pause_running(session: Session, campaign_id: UUID, *, reason: str) -> None:
    """Pause it if it still runs once it is locked; a campaign that was paused, stopped or finished meanwhile stays so."""
    if get(session, campaign_id, lock=True).state == CampaignState.RUNNING:
        pause(session, campaign_id, reason=reason)


def resume(session: Session, campaign_id: UUID, *, by: Account) -> Campaign:
    """Raises Refused for a campaign that has spent all it may: see `raise_cap`."""
    campaign = get(session, campaign_id, lock=True)
    _expect(campaign, CampaignState.PAUSED, "Only a paused campaign can be resumed.")
    if campaign.state_reason == SPEND_CAP:
        raise Refused("It has spent all it may. An approver or a supervisor who did not make it can let it spend more.")
    _go_on(campaign, by)
    audit.record(session, by.actor, "campaign.resume", "campaign", campaign.id)
    return campaign


def pass_canary(session: Session, campaign_id: UUID, *, by: Account) -> Campaign:
    """Let the rest go: somebody has looked at what became of the first ones. Passing it twice changes nothing."""
    campaign = get(session, campaign_id, lock=True)
    if campaign.state not in (CampaignState.RUNNING, CampaignState.PAUSED):
        raise Refused("Only a campaign that was launched, and is not over, can go on.")
    if campaign.canary is None:
        raise Refused("This campaign has no first wave to wait for.")
    if campaign.canary_passed_at is None:
        campaign.canary_passed_at, campaign.canary_passed_by = now(), by.id
        audit.record(session, by.actor, "campaign.pass_canary", "campaign", campaign.id)
    return campaign


def raise_cap(session: Session, campaign_id: UUID, cap: Decimal, *, by: Account) -> Campaign:
    """Let a campaign spend more, and go on if it had stopped for that. Raises Refused for whoever made or submitted it."""
    campaign = get(session, campaign_id, lock=True)
    if campaign.state not in (CampaignState.RUNNING, CampaignState.PAUSED) or campaign.spend_cap is None:
        raise Refused("Only a campaign that goes on and has a limit of cost can be allowed to spend more.")
    if by.role not in (Role.APPROVER, Role.SUPERVISOR):
        raise Refused("Only an approver or a supervisor can let a campaign spend more.")
    if by.id in (campaign.created_by, campaign.submitted_by):
        raise Refused("You made or submitted this campaign, so somebody else has to let it spend more.")
    if not campaign.spend_cap < cap < LARGEST_CAP:
        raise Refused("It may spend %(before)s dollars now. Give a larger sum.", before=f"{campaign.spend_cap:,.2f}")
    before, campaign.spend_cap = campaign.spend_cap, cap
    if campaign.state == CampaignState.PAUSED and campaign.state_reason == SPEND_CAP:
        _go_on(campaign, by)
    audit.record(session, by.actor, "campaign.raise_cap", "campaign", campaign.id, before=f"{before:.2f}", after=f"{cap:.2f}")
    return campaign


def stop(session: Session, campaign_id: UUID, *, reason: str, by: Account) -> Campaign:
    """End a campaign for good: nothing more is planned, claimed or tried again. `reason` is for staff, in their words.

    Its state is all that is changed here, so that it holds at once, however many messages there are. The caller commits and then
    rings for `delivery.stopping`, which cancels what waits; the sweep does so too.
    """
    campaign = get(session, campaign_id, lock=True)
    if campaign.state not in (CampaignState.RUNNING, CampaignState.PAUSED):
        raise Refused("Only a running or paused campaign can be stopped.")
    if not reason.strip() or len(reason) > LONGEST_STOP_REASON:
        most = LONGEST_STOP_REASON
        raise Refused("Write down why it is stopped, in %(most)s characters at most: others will want to know.", most=most)
    campaign.state, campaign.state_reason = CampaignState.STOPPED, reason.strip()
    campaign.state_by, campaign.state_at = by.id, now()
    campaign.finished_at = campaign.state_at
    audit.record(session, by.actor, "campaign.stop", "campaign", campaign.id)
    return campaign


def _go_on(campaign: Campaign, by: Account) -> None:
    campaign.state, campaign.state_reason = CampaignState.RUNNING, None
    campaign.state_by, campaign.state_at = by.id, now()


def _describe(
    campaign: Campaign,
    title: str,
    notice_id: UUID,
    audience: dict[str, list[str]],
    ladder: Sequence[Rung],
    window: tuple[time, time],
    window_reason: str | None,
) -> None:
    if not title.strip():
        raise Refused("Give the campaign a title that its staff will recognise.")
    if not audience.get("incidents"):
        raise Refused("Choose at least one incident: a campaign is always about people of an incident.")
    if not ladder:
        raise Refused("A campaign needs at least one step.")
    if len({(rung.channel, rung.wait_hours, rung.custodies) for rung in ladder}) < len(ladder):
        raise Refused("Two steps are the same: the same channel, at the same time, for the same people.")
    start, end = window
    reason = (window_reason or "").strip() or None
    if start > end:
        raise Refused("The hours end before they begin. Give the earliest hour first.")
    if start != end and _hours(start, end) < SHORTEST_WINDOW:
        raise Refused(
            "The hours are too short. A phone whose time zone is not known is texted only while they are open from the east coast"
            " to Hawaii, which can be six hours apart. Give %(hours)s hours at least.",
            hours=SHORTEST_WINDOW,
        )
    if start == end and reason is None:
        raise Refused("Texts at any hour of the night need a reason: write it down, or choose hours of the day.")
    campaign.title, campaign.notice_id, campaign.audience = title.strip(), notice_id, audience
    campaign.window_start, campaign.window_end, campaign.window_reason = start, end, reason


def _limit(campaign: Campaign, waves: Waves) -> None:
    if any(number is not None and not 0 < number < LARGEST_WAVE for number in (waves.canary, waves.per_day)):
        raise Refused("The first wave, and the messages a day, are whole numbers from 1 on. Leave them empty for no limit.")
    if waves.spend_cap is not None and not 0 < waves.spend_cap < LARGEST_CAP:
        raise Refused("The most it may cost is a sum above 0. Leave it empty for no limit.")
    campaign.canary, campaign.per_day, campaign.spend_cap = waves.canary, waves.per_day, waves.spend_cap


def _hours(start: time, end: time) -> float:
    return (end.hour - start.hour) + (end.minute - start.minute) / 60


def _set_ladder(session: Session, campaign: Campaign, ladder: Sequence[Rung]) -> None:
    session.add_all(
        Step(
            campaign_id=campaign.id,
            position=position,
            channel=rung.channel,
            wait_hours=rung.wait_hours,
            custodies=list(rung.custodies) if rung.custodies is not None else None,
        )
        for position, rung in enumerate(sorted(ladder, key=lambda rung: rung.wait_hours), start=1)
    )
    session.flush()


def _expect(campaign: Campaign, state: CampaignState, sentence: str) -> None:
    if campaign.state != state:
        raise Refused(sentence)


def _expect_unchanged(session: Session, campaign: Campaign) -> None:
    found, people = fingerprint(session, campaign)
    if found != campaign.submitted_digest:
        raise Refused(
            "The texts, the steps or the audience have changed since this campaign was submitted (%(before)s people then,"
            " %(now)s now). Send it back, look at the preview, and submit it again.",
            before=campaign.submitted_people,
            now=people,
        )


def _back_to_draft(campaign: Campaign) -> None:
    campaign.state = CampaignState.DRAFT
    campaign.submitted_by = campaign.submitted_at = campaign.submitted_digest = campaign.submitted_people = None
    campaign.approved_by = campaign.approved_at = None
