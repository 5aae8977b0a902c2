"""Foreign governments' own contact points: known, kept, and never used."""

import pytest

from outreach.people import denied


@pytest.mark.parametrize(
    "address",
    [
        "someone@sre.gob.mx", "x@minrex.gob.cu", "x@mfa.gov.cn", "x@interieur.gouv.sn", "x@police.gov.in", "X@GOB.GT",
        "x@army.mil.co",
        "x@mfa.gov.tr", "x@mfa.example.org", "consulado.sampleton@example.org", "x@embassyofutopia.example.com",
        "archive@consulate.example.org", "x@mid.ru", "x@rree.example.cl", "x@office.gub.uy", "x@diplomatie.example.fr",
        "x@embajada-utopia.example.us",
    ],
)  # fmt: skip
def test_a_foreign_governments_mailbox_is_known(address: str) -> None:
    assert denied.is_foreign_mailbox(address)


@pytest.mark.parametrize(
    "address",
    [
        "sol@example.org", "sol@agency.gov", "sol@agency.state.tx.us", "sol@base.mil", "sol@library.gov.us",
        "gobierno.sol@example.org",
        "governor@example.com", "sol@example.com.mx", "consuelo@example.org", "sol@govinda.example.in", "sol@mobgov.example",
    ],
)  # fmt: skip
def test_everybody_elses_mailbox_is_not(address: str) -> None:
    assert not denied.is_foreign_mailbox(address)


@pytest.mark.parametrize(
    "lines",
    [
        "Embassy of Utopia\n12 Sample Road\nWashington, DC 20001", "Consulado General de Utopía\n12 Sample Road",
        "CONSULADO DE UTOPIA",
        "Ambassade d'Utopie\n5 rue Inventée", "Посольство Утопии", "Генеральное консульство Утопии", "乌托邦驻外大使馆",
        "سفارة يوتوبيا",
        "Ütopya Büyükelçiliği", "Embaixada da Utopia", "c/o Consulate General of Utopia\n12 Sample Road",
        "Ministerio de Relaciones Exteriores\nCalle 5", "Permanent Mission of Utopia to the United Nations", "यूटोपिया का दूतावास",
    ],
)  # fmt: skip
def test_an_embassy_or_consulate_is_known_in_many_languages(lines: str) -> None:
    assert denied.is_foreign_office(lines)


@pytest.mark.parametrize(
    "lines",
    [
        "12 Embassy Row\nWashington, DC 20001", "12 Embassy Drive\nSampleton, TX 78701", "Embassy Suites, 12 Sample Road",
        "Calle Embajada 5\nCiudad Ejemplo", "Avenida del Consulado 5\nCiudad Ejemplo", "12 Consuelo Street", "12 Sample Road",
    ],
)  # fmt: skip
def test_a_street_called_after_one_is_not(lines: str) -> None:
    assert not denied.is_foreign_office(lines)
