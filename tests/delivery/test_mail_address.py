"""Signed addresses: ours are read back however mail servers spell them, and nobody else can make one."""

import random
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outreach.access.sealing import FileKeyRing, Vault
from outreach.delivery.mail_address import Purpose, read, sign

TOKEN = UUID("018f5b1e-7a00-7000-8000-0123456789ab")
CHARACTERS = "abcdefghijklmnopqrstuvwxyz234567"

purposes = st.sampled_from(Purpose)
relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@given(token=st.uuids(), purpose=purposes, seed=st.integers())
@relaxed
def test_an_address_names_its_attempt_in_any_case(vault: Vault, token: UUID, purpose: Purpose, seed: int) -> None:
    local = sign(vault, purpose, token)
    assert len(local) <= 64
    assert local.isascii()
    folded = "".join(random.Random(seed).choice((c.lower(), c.upper())) for c in local)
    assert read(vault, purpose, folded) == token


@pytest.mark.parametrize(
    "spelling",
    [
        "{}",
        "{}@reply.example.org",
        "<{}@reply.example.org>",
        "Letter Line <{}@reply.example.org>",
        "other@example.org, {}@reply.example.org",
        '"{}"@reply.example.org',
        "rfc822;{}@bounce.example.org",
        " {}@reply.example.org\r\n",
    ],
)
def test_it_is_found_as_headers_spell_addresses(vault: Vault, spelling: str) -> None:
    assert read(vault, Purpose.REPLY, spelling.format(sign(vault, Purpose.REPLY, TOKEN))) == TOKEN


@given(token=st.uuids(), made_for=purposes, read_as=purposes)
@relaxed
def test_an_address_is_good_for_its_own_purpose_only(vault: Vault, token: UUID, made_for: Purpose, read_as: Purpose) -> None:
    code = sign(vault, made_for, token).removeprefix(made_for)
    assert read(vault, read_as, read_as + code) == (token if read_as is made_for else None)


@given(token=st.uuids(), place=st.integers(0, 47), character=st.sampled_from(CHARACTERS))
@relaxed
def test_one_changed_character_makes_it_nobodys(vault: Vault, token: UUID, place: int, character: str) -> None:
    local = sign(vault, Purpose.REPLY, token)
    at = len(Purpose.REPLY) + place
    changed = local[:at] + character + local[at + 1 :]
    assert read(vault, Purpose.REPLY, changed) == (token if changed == local else None)


@given(text=st.text(max_size=300) | st.text(CHARACTERS, min_size=48, max_size=48).map("r+{}@example.org".format))
@relaxed
def test_nothing_else_names_an_attempt(vault: Vault, text: str) -> None:
    assert read(vault, Purpose.REPLY, text) is None


@pytest.mark.parametrize("around", ["x{}", "{}x", "x.{}", "{}-x"])
def test_a_code_within_a_longer_word_is_not_one(vault: Vault, around: str) -> None:
    local = sign(vault, Purpose.UNSUBSCRIBE, TOKEN)
    assert read(vault, Purpose.UNSUBSCRIBE, around.format(local)) is None


def test_a_letter_that_only_folds_to_ascii_is_no_letter_of_a_code(vault: Vault) -> None:
    local = next(local for n in range(1000) if "k" in (local := sign(vault, Purpose.REPLY, UUID(int=n))))
    assert read(vault, Purpose.REPLY, local.replace("k", "\u212a")) is None


def test_another_systems_address_is_not_ours(vault: Vault, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Vault(FileKeyRing.create(tmp_path_factory.mktemp("ring") / "ring.json"))
    assert read(vault, Purpose.REPLY, sign(other, Purpose.REPLY, TOKEN)) is None


def test_of_several_addresses_the_signed_one_counts(vault: Vault) -> None:
    forged = Purpose.REPLY + "a" * 48
    assert read(vault, Purpose.REPLY, f"{forged}@example.org, {sign(vault, Purpose.REPLY, TOKEN)}@example.org") == TOKEN
