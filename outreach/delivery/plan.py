"""Planning: freeze the audience of a step, and decide on the messages. One statement for everybody; no loop over people."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from uuid import UUID

from sqlalchemy import and_, select, text, true
from sqlalchemy.orm import Session

from outreach.campaigns import audience, campaign
from outreach.campaigns.campaign import Campaign, CampaignState, Step
from outreach.db import now
from outreach.notices.notice import Channel
from outreach.people.attorney import LIVE

UNCOMMITTED = timedelta(minutes=10)  # what happens is dated when it is written, and seen only once its transaction commits
SINCE = f"coalesce(step.revisited_at - interval '{UNCOMMITTED.total_seconds()} seconds', step.planned_at)"

# Who is in the audience is written down once, by the first step, with the reason where they get nothing of it.
FIRST_STEP = """
    standing as (
        insert into outcome (campaign_id, person_id, state, reason, updated_at)
        select :campaign, person_id,
            case when excluded is not null then 'excluded' when exhausted is not null then 'exhausted' else 'planned' end,
            coalesce(excluded, exhausted), now()
        from decided
        on conflict do nothing
    ),
    wanted as (
        select person_id, attorney_id, contact_point_id, language, rendition_id from decided
        where excluded is null and exhausted is null
    )
"""

# One decision per step and contact point: where the step has written there already (about others, who share the phone; or about
# other clients of the attorney), nothing is decided on again. What was cancelled because somebody had moved is, once they are back;
# so is what was cancelled about others only.
TAKEN = """
    (:written and exists (
        select 1 from message m
        where m.step_id = :step and m.contact_point_id = d.contact_point_id and m.language = d.language and {same_message}
          and not (m.state = 'cancelled' and {wanted_again})
    ))
"""
BACK = """(exists (
    select 1 from custody_event ce where ce.person_id = d.person_id and ce.recorded_at > m.updated_at - interval '{seconds} seconds'
) or not exists (
    select 1 from message_person mp where mp.message_id = m.id and mp.person_id = d.person_id
))"""

# A later step is for whoever has not answered that they have it. Who was left out at the start is decided afresh: a text may
# have been approved, a phone confirmed, a person released since. `changed_since` is for who has become somebody for this step since
# it was planned: whoever has a message of it that still counts is left alone. Somebody who was tried stays "not reached", with what
# became of it, when the next step is not for them: a report may still come that says otherwise.
LATER_STEP = """
    fresh as (
        select d.*, {taken} as taken from decided d
        join outcome o on o.campaign_id = :campaign and o.person_id = d.person_id
        where d.applicable and o.state <> 'told' and not exists (
            select 1 from message_person mp join message m on m.id = mp.message_id
            where mp.person_id = d.person_id and m.step_id = :step and m.state <> 'cancelled'
        )
        and (cast(:changed_since as timestamptz) is null or exists (
            select 1 from custody_event ce where ce.person_id = d.person_id and ce.recorded_at > :changed_since
        ))
    ),
    wanted as materialized (
        select f.person_id, f.attorney_id, f.contact_point_id, f.language, f.rendition_id from fresh f
        where f.excluded is null and f.exhausted is null and not f.taken {together}
    ),
    changing as (
        select o.campaign_id, o.person_id, f.excluded, coalesce(f.exhausted, case when f.taken then 'not_planned' end) as exhausted
        from outcome o join fresh f on f.person_id = o.person_id
        where o.campaign_id = :campaign and o.state in ('exhausted', 'excluded') {theirs}
          and not (o.state = 'exhausted' and f.excluded is null and (f.taken or coalesce(f.exhausted in {nothing}, false)))
          and not (o.state = 'exhausted' and f.excluded is not null and exists (
              select 1 from message_person mp join message m on m.id = mp.message_id
              where mp.person_id = o.person_id and m.campaign_id = o.campaign_id and m.attorney_id is null
          ))
        order by o.campaign_id, o.person_id for update of o
    ),
    standing as (
        update outcome o set
            state = case when c.excluded is not null then 'excluded' when c.exhausted is not null then 'exhausted'
                else 'planned' end,
            reason = coalesce(c.excluded, c.exhausted), updated_at = now()
        from changing c where o.campaign_id = c.campaign_id and o.person_id = c.person_id
    )
""".replace("{nothing}", audience.NOTHING)

# Ahead of a step's time it is decided for `:moving` people only; and whoever shares the phone or mailbox that one of them is
# written to, in the same language, is in the same message, because the step writes there once.
TOGETHER = """
    and (f.person_id = any(:moving) or (f.contact_point_id, f.language) in (
        select other.contact_point_id, other.language from fresh other
        where other.person_id = any(:moving) and other.excluded is null and other.exhausted is null and not other.taken
    ))
"""
THEIRS = "and (f.person_id = any(:moving) or f.person_id in (select person_id from wanted))"

# The attorneys' track stands beside the people's own and never changes it. A client whom the attorney has been told about, or whom
# a message of this step to them is about, is not written about again.
ATTORNEYS_STEP = """
    fresh as (
        select d.*, co.state is not null as known, {taken} as taken from decided d
        join outcome o on o.campaign_id = :campaign and o.person_id = d.person_id
        left join counsel_outcome co on co.campaign_id = :campaign and co.person_id = d.person_id and co.attorney_id = d.attorney_id
        where d.applicable and d.attorney_id is not null and co.state is distinct from 'told'
          and not (:written and exists (
              select 1 from message_person mp join message m on m.id = mp.message_id
              where mp.person_id = d.person_id and m.step_id = :step and m.attorney_id = d.attorney_id and m.state <> 'cancelled'
          ))
    ),
    counsel_standing as (
        insert into counsel_outcome (campaign_id, person_id, attorney_id, state, reason, updated_at)
        select :campaign, person_id, attorney_id,
            case when excluded is not null then 'excluded' when exhausted is not null or taken then 'exhausted' else 'planned' end,
            coalesce(excluded, exhausted, case when taken then 'not_planned' end), now()
        from fresh where not (known and taken) order by person_id, attorney_id
        on conflict (campaign_id, person_id, attorney_id) do update
        set state = excluded.state, reason = excluded.reason, updated_at = now()
        where counsel_outcome.state in ('exhausted', 'excluded')
    ),
    wanted as materialized (
        select person_id, attorney_id, contact_point_id, language, rendition_id from fresh
        where excluded is null and exhausted is null and not taken
    )
"""

# The audience of a ladder that begins with attorneys: the people's own steps decide about them later.
STANDING = f"""
    with {audience.AUDIENCE}
    insert into outcome (campaign_id, person_id, state, reason, updated_at)
    select :campaign, id, 'excluded', 'not_planned', now() from audience order by id
    on conflict do nothing
"""

# Who is in the audience and has nobody is on record as such. Before the statement that writes the attorneys' track: rows are locked
# in the order that `projection` gives, while messages of earlier steps are on their way.
COUNSEL = f"""
    with found as materialized (
        select o.person_id, case when exists (
                select 1 from representation rep where rep.person_id = o.person_id and {LIVE}
            ) then 'represented' else 'none' end as counsel
        from outcome o where o.campaign_id = :campaign
    ),
    changing as (
        select o.campaign_id, o.person_id, f.counsel from outcome o join found f on f.person_id = o.person_id
        where o.campaign_id = :campaign and o.counsel is distinct from f.counsel
        order by o.campaign_id, o.person_id for update of o
    )
    update outcome o set counsel = c.counsel from changing c where o.campaign_id = c.campaign_id and o.person_id = c.person_id
"""

# People of one phone and language get the id of the first of them, by sorting once. Joining messages and people again would be
# left to PostgreSQL's guess that there is one row of each, and so to comparing everybody with everybody.
MESSAGES = """,
    addressed as materialized (
        select person_id, attorney_id, contact_point_id, language, rendition_id,
            first_value(id) over each_message as message_id, row_number() over each_message = 1 as first
        from (select {id} as id, d.* from wanted d) numbered
        window each_message as (partition by contact_point_id, language, {about_one}, attorney_id)
    ),
    decision as (
        insert into message (id, step_id, campaign_id, contact_point_id, person_id, attorney_id, rendition_id, channel, language,
            state, due_at, attempts, created_at, updated_at)
        select message_id, :step, :campaign, contact_point_id, {about_one}, attorney_id, rendition_id, :channel, language,
            'ready', {due}, 0, now(), now()
        from addressed where first
        {on_conflict}
        returning id
    ),
    about as (
        insert into message_person (message_id, person_id)
        select message_id, person_id from addressed {only_decided}
        {on_conflict_about}
    )
    select count(*) as messages from decision
"""


# Messages go in the order in which they are due. A first wave is to show how each language fares, so one of each is due before the
# next of any, whoever it is: in the order of the roster the first hundred may be of one country, or of one place of detention.
MIXED = """now() - interval '1 second'
    + least(row_number() over (partition by language order by random()), 999999) * interval '1 microsecond'"""

# A message of this very decision that was cancelled is ready again, instead of a second one.
EARLIER = """coalesce((
    select m.id from message m
    where m.step_id = :step and m.contact_point_id = d.contact_point_id and m.language = d.language and {same_message}
), new_id())"""
READY_AGAIN = """on conflict (step_id, contact_point_id, language, person_id, attorney_id) do update
    set state = 'ready', reason = null, rendition_id = excluded.rendition_id, due_at = now(), updated_at = now()
    where message.state = 'cancelled'"""


# "is true" keeps PostgreSQL from joining what it guesses to be one row with one row, by comparing everybody with everybody.
ONLY_DECIDED = "where (message_id in (select id from decision)) is true"


@cache
def _statement(channel: Channel, *, first: bool, again: bool, ahead: bool, mixed: bool) -> str:
    """Everything that planning a step does, for everybody at once. `again`: it has messages already; `ahead`: before its time."""
    # The attorney of somebody who cannot wait is told about them alone: the others' message comes at its time.
    alone = channel in (Channel.LETTER, Channel.HAND) or (ahead and channel.to_attorney)
    about_one = "person_id" if alone else "cast(null as uuid)"
    same_person = "m.person_id = d.person_id" if alone else "m.person_id is null"
    same_attorney = "m.attorney_id = d.attorney_id" if channel.to_attorney else "m.attorney_id is null"
    same = f"{same_person} and {same_attorney}"
    back = "true" if channel.to_attorney else BACK.format(seconds=UNCOMMITTED.total_seconds())
    taken = TAKEN.format(same_message=same, wanted_again=back)
    writing = FIRST_STEP if first and not channel.to_attorney else ATTORNEYS_STEP if channel.to_attorney else LATER_STEP
    writing = writing.replace("{taken}", taken)
    writing = writing.replace("{together}", TOGETHER if ahead else "").replace("{theirs}", THEIRS if ahead else "")
    fast = first and not channel.to_attorney
    messages = MESSAGES.format(
        about_one=about_one,
        id=EARLIER.format(same_message=same) if again else "new_id()",
        on_conflict="" if fast else READY_AGAIN if again else "on conflict do nothing",
        on_conflict_about="on conflict do nothing" if again else "",
        only_decided="" if fast else ONLY_DECIDED,
        due=MIXED if mixed else "now()",
    )
    decided = f"decided as (select * from decided_{channel})"
    return f"with {audience.AMONG if ahead else audience.AUDIENCE}, {audience.decided(channel)}, {decided}, {writing} {messages}"


def plan(session: Session, step_id: UUID) -> int:
    """Decide on the messages of one step; the number of them. A second call, or one at the same time, adds nothing.

    People who share a phone and a language share a message, an attorney's clients share one to the attorney, and a letter is
    about one person. Everyone in the audience gets an outcome, with the reason where they get no message.
    """
    step = session.scalars(select(Step).where(Step.id == step_id).with_for_update(key_share=True)).one()
    if step.planned_at is not None:
        return 0
    intent = campaign.get(session, step.campaign_id)
    if intent.state != CampaignState.RUNNING:
        return 0
    written = session.scalar(text("select exists (select 1 from message where step_id = :step)"), {"step": step.id})
    if written:  # ahead of its time, see `delivery.advance`
        lock_cancelled(session, [step])
    messages = decide(session, step, intent, first=step.position == 1, written=bool(written))
    step.planned_at = now()
    session.flush()
    return messages


@dataclass(frozen=True, slots=True)
class Ahead:
    """For whom a step is decided ahead of its time: the `moving`, and those of `among` who share what these are written to."""

    moving: list[UUID]
    among: list[UUID]


def decide(
    session: Session,
    step: Step,
    intent: Campaign,
    *,
    first: bool = False,
    written: bool = False,
    changed_since: datetime | None = None,
    ahead: Ahead | None = None,
) -> int:
    """Write the messages of a step; the number of them. `written`: it may have some already. The step is locked by the caller."""
    channel = Channel(step.channel)
    values = audience.parameters(intent.notice_id, intent.audience, {channel: step.custodies})
    values |= {"campaign": intent.id, "step": step.id, "channel": channel, "changed_since": changed_since, "written": written}
    if ahead is not None:
        values |= {"moving": ahead.moving, "among": ahead.among}
    elif channel.to_attorney:
        if first:
            session.execute(text(STANDING), values)
        session.execute(text(COUNSEL), values)
    statement = _statement(channel, first=first, again=written, ahead=ahead is not None, mixed=intent.canary is not None)
    return int(session.execute(text(statement), values).one().messages)


def lock_cancelled(session: Session, steps: Sequence[Step]) -> None:
    """Before any outcome, as `projection` orders them: some of these messages may be ready again."""
    session.execute(
        text("select 1 from message where step_id = any(:steps) and state = 'cancelled' order by id for no key update"),
        {"steps": [step.id for step in steps]},
    )


def moved_steps(session: Session) -> list[UUID]:
    """Steps of running campaigns that are planned already, and about whose people something has changed since."""
    wanted = select(Step.id).join(Campaign, Campaign.id == Step.campaign_id).where(REVISITED)
    return list(session.scalars(wanted.order_by(Step.campaign_id, Step.position)))


def revisit(session: Session, step_id: UUID | None = None) -> int:
    """Decide again, in this step or (None) in all that are planned already, about whoever has moved since; the number of messages.

    Where there may be more of them, one step in a transaction: outcomes and attorneys' outcomes are locked in this order once only.
    Somebody who is transferred, released or removed in mid-campaign gets what is right for them now, and an attorney who has come
    since is told. Safe to repeat: nobody gets a second message of a step while the first one counts.
    """
    steps = session.scalars(
        select(Step)
        .join(Campaign, Campaign.id == Step.campaign_id)
        .where(REVISITED, true() if step_id is None else Step.id == step_id)
        .order_by(Step.campaign_id, Step.position)
        .with_for_update(of=Step, skip_locked=True, key_share=True)
    ).all()
    lock_cancelled(session, steps)
    added = 0
    for step in steps:
        assert step.planned_at is not None  # asked for above
        step.revisited_at = now()
        since = step.planned_at - UNCOMMITTED
        added += decide(session, step, campaign.get(session, step.campaign_id), written=True, changed_since=since)
    session.flush()
    return added


# Somebody has moved since; or a message was found, when it should have left, to be for where somebody was before; or somebody has
# an attorney whom nobody has told.
MOVED = f"""(
    exists (
        select 1 from custody_event ce
        where ce.recorded_at > {SINCE}
          and exists (select 1 from outcome o where o.campaign_id = step.campaign_id and o.person_id = ce.person_id)
    )
    or exists (
        select 1 from message m
        where m.step_id = step.id and m.state = 'cancelled' and m.updated_at > {SINCE} and m.reason is distinct from 'told'
    )
    or (step.channel in ('attorney_email', 'attorney_letter') and exists (
        select 1 from representation rep
        where {LIVE} and rep.verified_at > {SINCE}
          and exists (select 1 from outcome o where o.campaign_id = step.campaign_id and o.person_id = rep.person_id)
    ))
)"""


REVISITED = and_(Campaign.state == CampaignState.RUNNING, Step.planned_at.is_not(None), text(MOVED))


def refresh_statistics(session: Session) -> None:
    """Tell PostgreSQL how many rows there are now. To be done after planning, in a transaction of its own.

    It finds that out by itself within a minute or so, and until then claims and records as if a campaign were of a handful of
    people: comparing each of them with everybody.
    """
    session.execute(text("analyze outcome, message, message_person"))


def due_steps(session: Session) -> list[UUID]:
    """Steps of running campaigns whose time has come and that are not planned yet, first rungs first.

    A step that was added waits for its approval and counts its hours from there, whatever the others wait for.
    """
    rows = session.execute(
        text("""
            select s.id from step s join campaign c on c.id = s.campaign_id
            where c.state = 'running' and s.planned_at is null and (s.added_at is null or s.approved_at is not null)
              and coalesce(s.approved_at, c.launched_at) + s.wait_hours * interval '1 hour' <= now()
              and not exists (
                  select 1 from step before
                  where before.campaign_id = s.campaign_id and before.position < s.position and before.planned_at is null
                    and (s.added_at is null or before.position = 1)
              )
            order by s.position, c.launched_at
        """)
    )
    return [row.id for row in rows]
