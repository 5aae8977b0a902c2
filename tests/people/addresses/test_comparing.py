"""When two addresses are one."""

import pytest

from outreach.access.sealing import Vault
from outreach.people.addresses.comparing import HALF, address_index, compared

THE_HOUSE = "12 Sample Road\nSampleton, TX 78701"
THE_FLAT = "12 Sample Road\nApt 4\nSampleton, TX 78701"


@pytest.mark.parametrize(
    "same",
    [
        "12 SAMPLE RD\nSAMPLETON TX 78701-1234",
        "12 Sample Road, Sampleton, TX 78701",
        "c/o Muestra FICTICIO\n12 Sample Road\nSampleton, TX 78701",
        "Casa Ejemplo Shelter\n12 Sample Road\nSampelton, TX 78701",
        "12 Sample Rd.\nSampleton, TX 78701",
    ],
)
def test_one_house_is_found_however_it_is_written(same: str) -> None:
    assert compared(same, "US") == compared(THE_HOUSE, None)


@pytest.mark.parametrize(
    "same",
    ["12 Sample Rd #4\nSampleton, TX 78701", "12 Sample Road Unit 4, Sampleton TX 78701", "12 sample road\n4\nSampleton, TX 78701"],
)
def test_one_flat_is_found_however_it_is_written(same: str) -> None:
    assert compared(same, "US") == compared(THE_FLAT, "US")


@pytest.mark.parametrize(
    "other",
    [
        "14 Sample Road\nSampleton, TX 78701",
        "12 Sample Street\nSampleton, TX 78701",
        "12 Sample Road\nSampleton, TX 78702",
        "12 N Sample Road\nSampleton, TX 78701",
    ],
)
def test_another_house_is_another(other: str) -> None:
    assert compared(other, "US") != compared(THE_HOUSE, "US")


def test_boxes_are_compared_by_number_and_zip_code() -> None:
    assert compared("P.O. Box 5\nSampleton, TX 78701", "US") == compared("PO BOX 5\nSampleton TX 78701-0005", "US")


def test_foreign_addresses_are_compared_as_a_whole() -> None:
    assert compared("Calle Inventada 5\nCiudad Ejemplo", "GT") == compared("CALLE INVENTADA, 5\nciudad ejemplo", "GT")
    assert compared("Calle Inventada 5\nCiudad Ejemplo", "GT") != compared("Calle Inventada 5\nCiudad Ejemplo", "HN")


@pytest.mark.parametrize("nothing", ["", "General Delivery\nSampleton, TX 78701", "Sampleton, TX 78701"])
def test_what_is_no_one_place_is_not_compared(nothing: str, vault: Vault) -> None:
    assert compared(nothing, "US") is None
    assert address_index(vault, compared(nothing, "US")) is None


def test_an_index_shows_the_house_and_the_unit_and_nothing_else(vault: Vault) -> None:
    house, flat = (address_index(vault, compared(lines, "US")) for lines in (THE_HOUSE, THE_FLAT))
    assert house is not None
    assert flat is not None

    assert house[:HALF] == house[HALF:] == flat[:HALF]
    assert flat[HALF:] != flat[:HALF]
