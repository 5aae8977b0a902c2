"""What staff would have done with the appearances of a synthetic roster: most are verified, some wait, some ended."""

from collections import Counter
from datetime import date
from hashlib import sha256
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.access.sealing import keys_for
from outreach.people.attorney import Attorney, Ending, Representation, representation
from outreach.people.file import Reader
from outreach.people.person import ANumber

_ENDINGS = (Ending.WITHDRAWN, Ending.CONCLUDED, Ending.MISTAKEN)


def settle(session: Session, *, seed: int, on: date, by: Reader) -> Counter[str]:
    """Verify four of five, and end one of twenty on that day; how many are "live", "waiting" and "ended" then.

    `by` supervises, and did not import them. Which ones is a function of the seed and the A-number: repeating it changes nothing.
    """
    standing = Counter[str]()
    for attorney_id in session.scalars(select(Attorney.id).order_by(Attorney.id)).all():
        while found := representation.waiting(session, attorney_id, by=by):
            chances = _chances(session, seed, [one.person_id for one in found])
            verified = [one.id for one in found if chances[one.person_id] < 85]
            if verified:
                representation.verify_many(session, attorney_id, verified, count=len(verified), by=by)
            if len(found) < representation.AT_ONCE or not verified:
                break
    open_ones = session.scalars(select(Representation).where(Representation.ended_at.is_(None))).all()
    chances = _chances(session, seed, [one.person_id for one in open_ones])
    for one in open_ones:
        chance = chances[one.person_id]
        if chance < 5:
            representation.end(session, one.id, ended_as=_ENDINGS[chance % len(_ENDINGS)], on=on, by=by)
    for one in session.scalars(select(Representation)):
        standing["ended" if one.ended_at else "live" if one.verified_at else "waiting"] += 1
    return standing


def _chances(session: Session, seed: int, people: list[UUID]) -> dict[UUID, int]:
    """A number below 100 for each person; 99 for who has no A-number."""
    keys = keys_for(session, people)
    chances = dict.fromkeys(people, 99)
    for number in session.scalars(select(ANumber).where(ANumber.person_id.in_(keys)).order_by(ANumber.id.desc())):
        value = keys[number.person_id].open("a_number.value", number.id, number.value_sealed)
        chances[number.person_id] = int.from_bytes(sha256(f"{seed}:{value}".encode()).digest()[:4]) % 100
    return chances
