"""What everybody's addresses together say about one: that letters came back from there, that too many people gave it, that the
house has many units.

Set-based: one statement, whether for all addresses or for those of a few houses. It changes only what an address's own text
left good; so it may be repeated, and it takes back what is no longer so.
"""

from collections.abc import Collection
from typing import Any

import structlog
from sqlalchemy import ARRAY, LargeBinary, Row, bindparam, text
from sqlalchemy.orm import Session

from outreach.access.sealing import Sealed, Vault, vault_of
from outreach.people import denied
from outreach.people.addresses.comparing import HALF
from outreach.people.addresses.zones import zones_of_lines
from outreach.people.contact import COUNTRY, VALUE

log = structlog.get_logger()

UNITS = 2  # different units given for one house before an address there without a unit is not believed
# A letter that came back for these reasons says that the person is not there, and nothing about the address.
OF_THE_PERSON = ("returned:moved", "returned:refused", "returned:unclaimed", "returned:deceased", "returned:facility")

_REGRADE = """
with post as (
    select id, grade, state, state_reason, country_sealed, address_index,
           substring(address_index from 1 for {half}) as house,
           substring(address_index from {half} + 1) as place
    from contact_point
    {only}
    where kind = 'post' and address_index is not null
),
came_back as (
    select distinct address_index from post
    where state = 'bad' and coalesce(state_reason, '') <> :denied and coalesce(state_reason, '') <> all (:of_the_person)
),
used as (
    select post.address_index, count(distinct link.person_id) as people
    from post join person_contact link on link.contact_point_id = post.id
    where link.role <> 'shelter'
    group by post.address_index
    having count(distinct link.person_id) > :limit
),
many_units as (
    select house from post where place <> house group by house having count(distinct place) >= :units
),
graded as (
    select post.id, case
        when post.state = 'bad' or came_back.address_index is not null then 'known_bad'
        when used.address_index is not null then 'crowded'
        when many_units.house is not null then 'no_unit'
        when post.country_sealed is not null then 'foreign'
        else 'good'
    end as grade
    from post
    left join came_back using (address_index)
    left join used using (address_index)
    left join many_units on many_units.house = post.house and post.place = post.house
    -- What the text of an address says stays: these grades are no longer asked. "No unit" is one of them, also where the
    -- neighbours showed it, because a house that had units has them still.
    where post.grade in ('good', 'foreign', 'known_bad', 'crowded')
)
update contact_point point set grade = graded.grade
from graded
where point.id = graded.id and point.grade is distinct from graded.grade
"""
_EVERY = text(_REGRADE.format(half=HALF, only=""))
# The index on `address_index` finds all units of a house: they begin alike.
_HOUSES = "join unnest(cast(:houses as bytea[])) as wanted (house) on address_index between wanted.house and wanted.house || :last"
_SOME = text(_REGRADE.format(half=HALF, only=_HOUSES)).bindparams(bindparam("houses", type_=ARRAY(LargeBinary)))


_UNPLACED = """
    select cp.id, cp.value_sealed, cp.country_sealed, k.version, k.wrapped
    from contact_point cp left join data_key k on k.subject_id = cp.id
    where cp.kind = 'post' and cp.place_zones is null
    order by cp.id limit :size for no key update of cp skip locked
"""
_PLACED = """
    update contact_point point set place_zones = string_to_array(found.zones, ' ')
    from unnest(cast(:ids as uuid[]), cast(:zones as text[])) as found (id, zones)
    where point.id = found.id
"""


def regrade(session: Session, *, reuse_limit: int, indexes: Collection[bytes] | None = None) -> int:
    """Grade addresses by what all of them together say; how many grades changed. Safe to repeat.

    `reuse_limit`: people, shelters' not counted, for whom one address is believed. `indexes` are the `address_index` of those
    that changed; all addresses of their houses are graded then, and without it every one there is.
    """
    values: dict[str, object] = {
        "limit": reuse_limit, "units": UNITS, "denied": denied.REASON, "of_the_person": list(OF_THE_PERSON),
    }  # fmt: skip
    statement = _EVERY
    if indexes is not None:
        if not indexes:
            return 0
        statement = _SOME
        values |= {"houses": sorted({index[:HALF] for index in indexes}), "last": b"\xff" * HALF}
    changed: int = session.execute(statement, values).rowcount  # type: ignore[attr-defined]  # a cursor's result, for an UPDATE
    return changed


def place(session: Session, *, size: int) -> int:
    """Write down in which zones the addresses lie of which nobody has looked yet, `size` at most; how many those were.

    An erased one, and one that does not open, lies nowhere that we could tell.
    """
    rows = session.execute(text(_UNPLACED), {"size": size}).all()
    if rows:
        vault = vault_of(session)
        zones = [" ".join(_zones(vault, row)) for row in rows]
        session.execute(text(_PLACED), {"ids": [row.id for row in rows], "zones": zones})
    return len(rows)


def _zones(vault: Vault, row: Row[Any]) -> tuple[str, ...]:
    if row.wrapped is None:
        return ()
    try:
        key = vault.open_key(row.id, row.version, row.wrapped)
        country = key.open(COUNTRY, row.id, row.country_sealed) if row.country_sealed else "US"
        return zones_of_lines(key.open(VALUE, row.id, row.value_sealed), country)
    except Sealed:
        log.error("regrading.field_does_not_open", contact_point=str(row.id))
        return ()
