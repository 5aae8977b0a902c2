"""What staff would have entered about the synthetic facilities: addresses, time zones and rules for mail."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.access.audit import Actor
from outreach.people import facilities
from outreach.people.custody import Facility
from outreach.people.synth import rosters


def furnish(session: Session, *, by: Actor) -> int:
    """Enter the rules of those synthetic facilities that a roster has named and nobody has entered; how many. Safe to repeat."""
    waiting = select(Facility.code, Facility.id).where(Facility.post_point_id.is_(None))
    ids = {row.code: row.id for row in session.execute(waiting)}
    known = [one for one in rosters.facilities() if one.code in ids]
    for one in known:
        facilities.change(
            session, ids[one.code], name=one.name, time_zone=one.time_zone, address="\n".join(one.address),
            a_number_rule=one.a_number_rule, mail_marking=one.mail_marking, by=by,
        )  # fmt: skip
    return len(known)
