"""What everybody's addresses together say about one."""

from collections.abc import Callable

import pytest
from sqlalchemy.orm import Session

from outreach.access.sealing import erase, key_for, vault_of
from outreach.people import denied
from outreach.people.addresses.address import from_text
from outreach.people.addresses.comparing import address_index, compared
from outreach.people.addresses.regrading import place, regrade
from outreach.people.contact import COUNTRY, ContactKind, ContactPoint, ContactRole, ContactState
from outreach.people.contact import AddressGrade as G
from tests.factories import make_contact, make_person

Give = Callable[..., ContactPoint]
HOUSE = "12 Sample Road, Sampleton, TX 78701"


@pytest.fixture
def give(session: Session) -> Give:
    """`give("12 Sample Road, ...", role=..., state=...)`: one more person gives this address."""

    def give(text: str, **columns: object) -> ContactPoint:
        found = from_text("", text, "")
        index = address_index(vault_of(session), compared(found.lines, found.country))
        country = b"sealed" if found.country != "US" else None
        values = {"kind": ContactKind.POST, "grade": found.grade, "address_index": index, "country_sealed": country, **columns}
        return make_contact(session, make_person(session), value=found.lines, **values)  # type: ignore[arg-type]  # columns

    return give


def grades(session: Session, *points: ContactPoint) -> list[str | None]:
    for point in points:
        session.refresh(point)
    return [point.grade for point in points]


def test_an_address_of_more_people_than_live_anywhere_is_not_believed(session: Session, give: Give) -> None:
    points = [give(HOUSE) for _ in range(3)]
    elsewhere = give("14 Sample Road, Sampleton, TX 78701")

    regrade(session, reuse_limit=3)
    assert grades(session, *points, elsewhere) == [G.GOOD] * 4

    points.append(give("12 SAMPLE RD, SAMPLETON TX 78701-1234"))
    assert regrade(session, reuse_limit=3) == 4
    assert grades(session, *points, elsewhere) == [G.CROWDED] * 4 + [G.GOOD]
    assert regrade(session, reuse_limit=3) == 0, "a second time changes nothing"

    regrade(session, reuse_limit=4)
    assert grades(session, *points) == [G.GOOD] * 4, "and it is taken back when it is no longer so"


def test_a_shelters_people_are_not_counted(session: Session, give: Give) -> None:
    points = [give(HOUSE, role=ContactRole.SHELTER) for _ in range(5)]

    regrade(session, reuse_limit=3)
    assert grades(session, *points) == [G.GOOD] * 5


def test_flats_of_one_house_are_not_one_address(session: Session, give: Give) -> None:
    points = [give(f"12 Sample Road Apt {number}, Sampleton, TX 78701") for number in range(1, 6)]

    regrade(session, reuse_limit=3)
    assert grades(session, *points) == [G.GOOD] * 5


def test_a_house_where_others_have_units_finds_nobody_without_one(session: Session, give: Give) -> None:
    bare, flat = give(HOUSE), give("12 Sample Road Apt 1, Sampleton, TX 78701")
    regrade(session, reuse_limit=3)
    assert grades(session, bare, flat) == [G.GOOD, G.GOOD], "one unit may be a mistake"

    give("12 Sample Rd #2, Sampleton, TX 78701")
    regrade(session, reuse_limit=3)
    assert grades(session, bare, flat) == [G.NO_UNIT, G.GOOD]


@pytest.mark.parametrize(
    ("reason", "grade"),
    [
        ("returned:no_such_address", G.KNOWN_BAD),
        ("staff", G.KNOWN_BAD),
        (None, G.KNOWN_BAD),
        ("returned:moved", G.GOOD),
        ("returned:refused", G.GOOD),
        (denied.REASON, G.GOOD),
    ],
)
def test_an_address_from_which_a_letter_came_back_is_bad_for_everybody_unless_it_was_about_the_person(
    session: Session, give: Give, reason: str | None, grade: G
) -> None:
    came_back, other = give(HOUSE, state=ContactState.BAD, state_reason=reason), give(HOUSE)
    flat = give("12 Sample Road Apt 1, Sampleton, TX 78701")

    regrade(session, reuse_limit=3)
    assert grades(session, came_back, other, flat) == [G.KNOWN_BAD, grade, G.GOOD]

    came_back.state = ContactState.USABLE
    session.flush()
    regrade(session, reuse_limit=3)
    assert grades(session, other) == [G.GOOD]


def test_what_an_addresss_own_text_says_stays(session: Session, give: Give) -> None:
    points = [
        give(text)
        for text in (
            "homeless",
            "12 Sample Road Apt, Sampleton, TX 78701",
            "Sample Bus Station, 5 Sample Road, Sampleton, TX 78701",
        )
    ]

    regrade(session, reuse_limit=0)
    assert grades(session, *points) == [G.BLANK, G.NO_UNIT, G.NOT_RESIDENTIAL]


def test_a_foreign_address_is_foreign_again(session: Session, give: Give) -> None:
    points = [give("Calle Inventada 5, Ciudad Ejemplo, Guatemala") for _ in range(2)]

    regrade(session, reuse_limit=1)
    assert grades(session, *points) == [G.CROWDED] * 2
    regrade(session, reuse_limit=2)
    assert grades(session, *points) == [G.FOREIGN] * 2


def test_only_the_houses_that_changed_may_be_asked_for(session: Session, give: Give) -> None:
    here, there = [give(HOUSE) for _ in range(2)], [give("14 Sample Road, Sampleton, TX 78701") for _ in range(2)]
    assert here[0].address_index

    assert regrade(session, reuse_limit=1, indexes=[]) == 0
    assert regrade(session, reuse_limit=1, indexes=[here[0].address_index]) == 2
    assert grades(session, *here, *there) == [G.CROWDED] * 2 + [G.GOOD] * 2


def test_the_units_of_a_house_that_changed_are_seen(session: Session, give: Give) -> None:
    bare = give(HOUSE)
    flats = [give(f"12 Sample Road Apt {number}, Sampleton, TX 78701") for number in (1, 2)]
    assert flats[1].address_index

    regrade(session, reuse_limit=3, indexes=[flats[1].address_index])
    assert grades(session, bare) == [G.NO_UNIT]


def test_general_delivery_is_never_crowded(session: Session, give: Give) -> None:
    points = [give("General Delivery, Sampleton, TX 78701") for _ in range(3)]

    regrade(session, reuse_limit=1)
    assert grades(session, *points) == [G.GOOD] * 3


def test_addresses_that_were_written_before_there_were_zones_get_theirs_once(session: Session, give: Give) -> None:
    old, erased, broken, looked_at = (give(HOUSE) for _ in range(4))
    abroad = give("12 Calle Muestra\nCiudad de Guatemala\nGuatemala", country_sealed=None)
    abroad.country_sealed = key_for(session, abroad.id).seal(COUNTRY, abroad.id, "GT")
    erase(session, erased.id)
    broken.value_sealed = b"x"
    looked_at.place_zones = ["America/Denver"]
    session.flush()

    assert [place(session, size=3), place(session, size=3), place(session, size=3)] == [3, 1, 0]
    for point in (old, erased, broken, looked_at, abroad):
        session.refresh(point)
    assert old.place_zones == ["America/Chicago", "America/Denver"]
    assert (erased.place_zones, broken.place_zones) == ([], [])
    assert abroad.place_zones == ["America/Guatemala"]
    assert looked_at.place_zones == ["America/Denver"]
