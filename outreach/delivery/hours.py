"""The hours in which a text may arrive: decent in every time zone where somebody whom it is about may be.

What counts is where people are, by their address or their facility, and not where their phone was bought. Where that is not known,
the hours must be decent from New York to Honolulu, and in the zone of the phone's number too when that lies elsewhere.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import text
from sqlalchemy.orm import Session

from outreach.campaigns.outcome import Reason
from outreach.delivery.projection import project
from outreach.people.addresses.zones import in_the_states
from outreach.people.imminent import IN_FORCE

# Everybody who may be anywhere in the states is between these two, also in Alaska.
ALL_STATES = frozenset({"America/New_York", "Pacific/Honolulu"})
SOMEWHERE, ABROAD = "somewhere", "abroad"  # stand among the zones for a place that is not known
HORIZON = timedelta(days=2)  # the hours of two days that do not open together will not on the third
LOOK_AGAIN = timedelta(hours=1)  # whether an hour has become decent, because an address was written down


class Wait(StrEnum):
    """Why a text that is ready waits: the reason of its message until it goes."""

    HOURS = "quiet_hours"  # until its hours open
    NO_HOUR = Reason.NO_HOUR.value  # until an address frees it: its people are not reached, and move on


@dataclass(frozen=True, slots=True)
class Opening:
    """When a text may arrive: from `opens` until before `closes`, which is None where any hour is decent."""

    opens: datetime
    closes: datetime | None


# Addresses at which a person may live: none that is only somebody else's, that was replaced, or from which a letter came back; at
# home for those who are here, abroad for those who were removed, and either where custody is not known.
_AT_HOME = """(
    select string_agg(array_to_string(home.place_zones, ' '), ' ')
    from person_contact living join contact_point home on home.id = living.contact_point_id
    where living.person_id = p.id and home.kind = 'post' and cardinality(home.place_zones) > 0
      and home.state = 'usable' and coalesce(home.grade, '') not in ('known_bad', 'denied')
      and living.role <> 'attorney' and (living.safety = 'yes' or (living.safety = 'unknown' and living.role <> 'family'))
      and case when home.country_sealed is null then p.custody not in ('removed', 'departed')
          else p.custody in ('removed', 'departed', 'unknown') end
)"""
_AT_FACILITY = """(
    select coalesce(f.time_zone, nullif(array_to_string(fp.place_zones, ' '), ''))
    from custody_event ce join facility f on f.id = ce.facility_id left join contact_point fp on fp.id = f.post_point_id
    where ce.person_id = p.id
    order by ce.as_of desc, ce.effective_on desc nulls last, ce.recorded_at desc, ce.id desc limit 1
)"""
PLACE = f"""coalesce(
    case when p.custody <> 'detained' then {_AT_HOME} end,
    case when p.custody not in ('removed', 'departed') then {_AT_FACILITY} end,
    case when p.custody in ('removed', 'departed') then '{ABROAD}' else '{SOMEWHERE}' end
)"""
"""SQL: every zone where the person `p` may be, with blanks between; or that it is not known."""

HURRIED = f"exists (select 1 from imminent_removal ir where ir.person_id = p.id and {IN_FORCE})"
"""SQL: whether telling the person `p` cannot wait for the hours."""


@lru_cache(maxsize=4096)
def zones_of(places: str, of_number: str | None) -> frozenset[str]:
    """The zones in which the hour must be decent: `places` as `PLACE` gives them, of one person or of several after each other.

    `of_number` is the zone of the phone's number, None where that is not known. Whoever was removed is at least not in the states.
    """
    zones = set(places.split())
    elsewhere = {of_number} if of_number and _zone(of_number) and not in_the_states(of_number) else set()
    if SOMEWHERE in zones or not zones:
        zones |= ALL_STATES | elsewhere
    if ABROAD in zones:
        zones |= elsewhere or ALL_STATES
    return frozenset(zones - {SOMEWHERE, ABROAD})


def next_opening(
    at: datetime, start: time, end: time, zones: Collection[str], *, lasting: timedelta = timedelta(0)
) -> Opening | None:
    """The first time, from `at` on, at which it is between `start` and `end` in all zones, and stays so for `lasting`.

    None where no such time comes within `HORIZON`. `start == end` means any hour. A name that is no zone's stands for all states.
    """
    if start == end:
        return Opening(at, None)
    known = {_zone(name) for name in zones}
    places = {zone for zone in known if zone} | ({ZoneInfo(name) for name in ALL_STATES} if None in known else set())
    opens = at
    while opens <= at + HORIZON:
        closed = [place for place in places if not _is_open(opens, start, end, place)]
        if closed:
            opens = max(_turn(opens, start, end, place) for place in closed)
            continue
        closes = min(_turn(opens, start, end, place) for place in places)
        if closes - opens >= lasting:
            return Opening(opens, closes)
        opens = closes
    return None


def hasten(session: Session) -> int:
    """Put what is about somebody whose removal is imminent before everything else that is due in its campaign, also what waits for
    its hours; how many. What waits for a next try goes on waiting. Safe to repeat.
    """
    rows = session.scalars(
        text(f"""
            update message m set due_at = c.launched_at, reason = null, updated_at = now()
            from campaign c
            where c.id = m.campaign_id and m.id in (
                select m.id from imminent_removal ir
                join message_person mp on mp.person_id = ir.person_id
                join message m on m.id = mp.message_id
                join campaign c on c.id = m.campaign_id
                where {IN_FORCE} and m.state = 'ready' and m.due_at > c.launched_at
                  and (m.due_at <= now() or m.reason = any(:waits))
                order by m.id for update of m skip locked
            )
            returning m.id
        """),  # made from the constant above
        {"waits": list(Wait)},
    ).all()
    project(session, rows)  # For some no hour had been decent.
    return len(rows)


def _is_open(at: datetime, start: time, end: time, zone: ZoneInfo) -> bool:
    return start <= at.astimezone(zone).time() < end


def _turn(at: datetime, start: time, end: time, zone: ZoneInfo) -> datetime:
    """When the hours close in this zone, if they are open at `at`; else when they open. Also when the clocks change between."""
    was_open = _is_open(at, start, end, zone)
    bound = end if was_open else start
    while True:
        local = at.astimezone(zone)
        day = local.date() + timedelta(days=local.time() >= bound)
        turn = datetime.combine(day, bound, UTC) - (local.utcoffset() or timedelta(0))
        change = _change(at, turn, zone)
        if change is None:
            return turn
        if _is_open(change, start, end, zone) is not was_open:
            return change
        at = change


def _change(at: datetime, until: datetime, zone: ZoneInfo) -> datetime | None:
    """The second after `at` at which the clocks of this zone are changed; None where they are not until then."""
    before, low, high = at.astimezone(zone).utcoffset(), int(at.timestamp()), int(until.timestamp())
    if until.astimezone(zone).utcoffset() == before:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return datetime.fromtimestamp(high, UTC)


@cache
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
