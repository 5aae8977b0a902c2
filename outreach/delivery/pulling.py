"""Pulling letters: what must not leave the house any more is taken out of its run.

A letter is set for where a person is. When they are transferred, released or removed before it has left, or its address turns
out to be bad or unsafe, it would reach somebody else. The sweep finds such letters; a run cannot be handed over until somebody
has said of each that it is taken out (`letter.state_by`).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Row, select, text, update
from sqlalchemy.orm import Session

from outreach.access import audit
from outreach.access.accounts import Account
from outreach.access.audit import SYSTEM
from outreach.db import now
from outreach.delivery.letter import Letter, LetterState, PrintRun, RunState
from outreach.delivery.message import Attempt
from outreach.delivery.projection import lock, project
from outreach.delivery.spending import settle


class NotPulled(Exception):
    """The letter was not pulled: there is nothing to confirm."""


class NotInTheHouse(Exception):
    """The letter, or its run, has left the house or was voided: it cannot be taken out."""


class TakeOutReason(StrEnum):
    """Why staff take one letter out of a run that goes on."""

    DAMAGED = "damaged"
    CONTENT = "content"  # something is wrong with what it says


TOLD = "told"  # what the letter has to say has been said, so that it need not go any more


@dataclass(frozen=True, slots=True)
class Pull:
    """A letter that must not leave, and why: one of `outcome.Reason`'s codes."""

    attempt_id: UUID
    message_id: UUID
    run_id: UUID
    sequence: int
    reason: str


# The same questions as when a message is claimed, asked of letters that lie in the house. Somebody in custody gets mail where
# they are held; others at home; abroad only where a safety review signed the address off; an attorney only about their clients.
WHY = """(case
    when exists (select 1 from campaign c where c.id = m.campaign_id and c.state = 'stopped') then 'stopped'
    when m.attorney_id is null and p.custody = 'deceased' then 'deceased'
    when m.attorney_id is null and l.facility_id is not null
        and (p.custody <> 'detained' or p.facility_id is distinct from l.facility_id) then 'moved'
    when m.attorney_id is null and l.facility_id is null and p.custody not in ('released', 'relief')
        and not (p.custody = 'detained' and p.protected and coalesce(pc.safety = 'yes', false))
        and not (p.custody in ('removed', 'departed') and pc.safety = 'yes' and pc.reviewed_at is not null) then 'moved'
    when m.channel <> 'hand' and cp.state = 'opted_out' then 'opted_out'
    when m.channel <> 'hand' and cp.state = 'quarantined' then 'wrong_number'
    when m.channel <> 'hand' and cp.state <> 'usable' then 'bad_contact'
    when l.facility_id is null and cp.grade not in ('good', 'foreign') then 'bad_address'
    when m.attorney_id is null and l.facility_id is null and (pc.person_id is null or pc.role in ('family', 'attorney')
        or not (pc.safety = 'yes' or (pc.role = 'own' and pc.safety = 'unknown' and not p.protected))) then 'unsafe_contact'
    when m.attorney_id is null and m.channel <> 'hand' and o.state = 'told' then 'told'
    when m.attorney_id is not null and exists (
        select 1 from message_person mp where mp.message_id = m.id and not exists (
            select 1 from representation rep where rep.person_id = mp.person_id and rep.attorney_id = m.attorney_id
              and rep.verified_at is not null and rep.ended_at is null)) then 'representation_ended'
end)"""

FIND = f"""
    select l.attempt_id, a.message_id, l.run_id, l.sequence, {WHY} as reason
    from print_run r
    join letter l on l.run_id = r.id and l.state = 'on_its_way'
    join attempt a on a.id = l.attempt_id
    join message m on m.id = a.message_id
    join contact_point cp on cp.id = m.contact_point_id
    left join person p on p.id = m.person_id
    left join person_contact pc on pc.person_id = m.person_id and pc.contact_point_id = cp.id
    left join outcome o on o.campaign_id = m.campaign_id and o.person_id = m.person_id
    where r.state in ('made', 'printed', 'enveloped') and (cast(:run as uuid) is null or r.id = :run) and {WHY} is not null
    order by l.run_id, l.sequence
"""


# At a mail house there is no run of ours to take a letter out of: it is called back, for as long as the house still can.
AT_MAIL_HOUSE = f"""
    select l.attempt_id, a.message_id, a.provider_id, {WHY} as reason
    from letter l
    join attempt a on a.id = l.attempt_id and a.provider = :provider and a.state = 'accepted' and a.provider_id is not null
    join message m on m.id = a.message_id
    join contact_point cp on cp.id = m.contact_point_id
    left join person p on p.id = m.person_id
    left join person_contact pc on pc.person_id = m.person_id and pc.contact_point_id = cp.id
    left join outcome o on o.campaign_id = m.campaign_id and o.person_id = m.person_id
    where l.run_id is null and l.state = 'on_its_way' and a.started_at > now() - :minutes * interval '1 minute'
      and {WHY} is not null
    order by l.attempt_id
"""


@dataclass(frozen=True, slots=True)
class Recall:
    """A letter at a mail house that must not leave it, by the house's own id, and why."""

    attempt_id: UUID
    message_id: UUID
    provider_id: str
    reason: str


def to_recall(session: Session, provider: str, *, minutes: float) -> list[Recall]:
    """Letters of the last `minutes` at this mail house that must not leave it any more."""
    rows = session.execute(text(AT_MAIL_HOUSE), {"provider": provider, "minutes": minutes})
    return [Recall(row.attempt_id, row.message_id, row.provider_id, row.reason) for row in rows]


def recalled(session: Session, recalls: Sequence[Recall]) -> None:
    """The mail house has called these back and will never print them. Safe to repeat."""
    lock(session, [one.message_id for one in recalls])
    _write(session, recalls)
    for one in recalls:
        audit.record(session, SYSTEM, "letter.recall", "letter", one.attempt_id, reason=one.reason)


def to_pull(session: Session, run_id: UUID | None = None) -> list[Pull]:
    """Letters in the house that must not leave it any more, and that `pull_moved` would pull."""
    return [_pull(row) for row in session.execute(text(FIND), {"run": run_id})]


def pull_moved(session: Session) -> int:
    """Pull the letters that must not leave the house any more; how many. For the sweep: safe to repeat and to run twice at once.

    The message of a person is cancelled with the reason, so that they are on the worked list; one to an attorney is ready again,
    to be written anew about the clients that remain.
    """
    runs = sorted({found.run_id for found in to_pull(session)})
    if not runs:
        return 0
    session.execute(
        select(PrintRun.id).where(PrintRun.id.in_(runs)).order_by(PrintRun.id).with_for_update(key_share=True)
    ).all()  # fmt: skip
    messages = [found.message_id for found in to_pull(session) if found.run_id in runs]
    lock(session, messages)
    # Once more, now that nothing of it can change: a run may have been voided, or somebody's custody corrected.
    pulls = [found for found in to_pull(session) if found.message_id in set(messages)]
    if not pulls:
        return 0
    _write(session, pulls)
    by_run: dict[UUID, list[Pull]] = defaultdict(list)
    for pull in pulls:
        by_run[pull.run_id].append(pull)
    for run_id, pulled in sorted(by_run.items()):
        audit.record(
            session, SYSTEM, "letter.pull", "print_run", run_id,
            sequences=[pull.sequence for pull in pulled], reasons=sorted({pull.reason for pull in pulled}),
        )  # fmt: skip
    return len(pulls)


def unconfirmed(session: Session, run_id: UUID) -> list[int]:
    """The sequence numbers of a run's pulled letters of which nobody has said that they are taken out."""
    wanted = select(Letter.sequence).where(
        Letter.run_id == run_id, Letter.state == LetterState.PULLED, Letter.state_by.is_(None), Letter.sequence.is_not(None)
    )
    return sorted(number for number in session.scalars(wanted) if number is not None)


def confirm(session: Session, run_id: UUID, sequences: Sequence[int], *, by: Account) -> int:
    """These letters lie apart from their run now; how many were still open. Raises NotPulled when one was not to be taken out."""
    letters = session.scalars(
        select(Letter)
        .where(Letter.run_id == run_id, Letter.sequence.in_(sequences))
        .order_by(Letter.attempt_id)
        .with_for_update(key_share=True)
    ).all()
    if len(letters) != len(set(sequences)) or any(letter.state != LetterState.PULLED for letter in letters):
        raise NotPulled
    open_ones = [letter for letter in letters if letter.state_by is None]
    for letter in open_ones:
        letter.state_by = by.id
    session.flush()
    if open_ones:
        taken = sorted(letter.sequence for letter in open_ones if letter.sequence is not None)
        audit.record(session, by.actor, "letter.taken_out", "print_run", run_id, sequences=taken)
    return len(open_ones)


def take_out(session: Session, attempt_id: UUID, reason: TakeOutReason, *, by: Account) -> None:
    """Take one letter out of its run by hand. Its message is ready again, for another run. Raises NotInTheHouse."""
    letter = session.get(Letter, attempt_id)
    if letter is None or letter.run_id is None:
        raise NotInTheHouse
    run = session.get_one(PrintRun, letter.run_id, with_for_update={"key_share": True}, populate_existing=True)
    attempt = session.get_one(Attempt, attempt_id)
    lock(session, [attempt.message_id])
    session.refresh(letter, with_for_update={"key_share": True})
    if run.state in (RunState.HANDED_OVER, RunState.VOID) or letter.state != LetterState.ON_ITS_WAY:
        raise NotInTheHouse
    session.execute(
        text("update attempt set state = 'not_sent', error_code = 'taken_out', finished_at = now()"
             " where id = :id and state = 'accepted'"),
        {"id": attempt_id},
    )  # fmt: skip
    session.execute(
        text("update message set state = 'ready', due_at = now(), updated_at = now() where id = :id and state = 'accepted'"),
        {"id": attempt.message_id},
    )
    close(session, [attempt_id], reason, by=by.id)
    project(session, [attempt.message_id])
    settle(session, [attempt_id])
    audit.record(session, by.actor, "letter.take_out", "print_run", run.id, sequence=letter.sequence, reason=reason)


def close(session: Session, attempts: Sequence[UUID], reason: str, *, by: UUID | None) -> None:
    """Call these letters pulled, and their access codes void: whoever finds the paper must not be able to use it."""
    session.execute(
        update(Letter)
        .where(Letter.attempt_id.in_(attempts), Letter.state == LetterState.ON_ITS_WAY)
        .values(state=LetterState.PULLED, reason=reason, state_at=now(), state_by=by)
        .execution_options(synchronize_session="fetch")
    )
    revoke_codes(session, attempts)


def revoke_codes(session: Session, attempts: Sequence[UUID]) -> None:
    """The access codes in these letters open nothing any more. Safe to repeat."""
    session.execute(
        text("update access_code set revoked_at = now() where attempt_id = any(:ids) and revoked_at is null"),
        {"ids": list(attempts)},
    )


def _write(session: Session, pulls: Sequence[Pull] | Sequence[Recall]) -> None:
    attempts = [pull.attempt_id for pull in pulls]
    messages = [pull.message_id for pull in pulls]
    session.execute(
        text("update attempt set state = 'failed', error_code = 'pulled', finished_at = now() where id = any(:ids)"),
        {"ids": attempts},
    )
    session.execute(
        text("""
            update message m set state = case when m.attorney_id is null or r.reason = 'stopped' then 'cancelled' else 'ready' end,
                reason = case when m.attorney_id is null or r.reason = 'stopped' then r.reason end,
                due_at = now(), updated_at = now()
            from unnest(cast(:ids as uuid[]), cast(:reasons as text[])) as r(id, reason)
            where m.id = r.id and m.state = 'accepted'
        """),
        {"ids": messages, "reasons": [pull.reason for pull in pulls]},
    )
    for reason in sorted({pull.reason for pull in pulls}):
        close(session, [pull.attempt_id for pull in pulls if pull.reason == reason], reason, by=None)
    project(session, messages)


def _pull(row: Row[tuple[UUID, UUID, UUID, int, str]]) -> Pull:
    return Pull(row.attempt_id, row.message_id, row.run_id, row.sequence, row.reason)
