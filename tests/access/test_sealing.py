"""Sealed fields: opened only where they were written, by whom they were written for, and never after an erasure."""

import json
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from outreach.access import sealing
from outreach.access.sealing import DataKey, FileKeyRing, KeyRingMissing, Sealed, StoredKey, Vault
from tests.factories import make_person

ROW = UUID(int=1)


@pytest.fixture(scope="module")
def key(vault: Vault) -> DataKey:
    return vault.new_key(uuid4()).key


@given(clear=st.text(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_was_sealed_opens_as_it_was(key: DataKey, clear: str) -> None:
    blob = key.seal("person.name", ROW, clear)
    assert key.open("person.name", ROW, blob) == clear
    assert blob != key.seal("person.name", ROW, clear)  # equal values do not look equal


@pytest.mark.parametrize(
    ("context", "row"),
    [("person.nationality", ROW), ("person.nam", ROW), ("person.name", UUID(int=2)), ("", ROW), ("person_name", ROW)],
)
def test_a_field_that_was_moved_does_not_open(key: DataKey, context: str, row: UUID) -> None:
    with pytest.raises(Sealed):
        key.open(context, row, key.seal("person.name", ROW, "Sample PERSON"))


def test_context_and_row_cannot_trade_bytes(key: DataKey) -> None:
    """They are authenticated one after the other: no boundary between them may be shifted."""
    blob = key.seal("person.name", ROW, "x")
    longer = "person.name" + ROW.bytes[:1].decode("latin-1")
    with pytest.raises(Sealed):
        key.open(longer, UUID(bytes=ROW.bytes[1:] + b"\0"), blob)


def test_a_flip_of_any_bit_is_seen(key: DataKey) -> None:
    blob = key.seal("person.name", ROW, "Sample PERSON")
    for place in range(8 * len(blob)):
        altered = bytearray(blob)
        altered[place // 8] ^= 1 << place % 8
        with pytest.raises(Sealed):
            key.open("person.name", ROW, bytes(altered))


@pytest.mark.parametrize("blob", [b"", b"\x01", b"\x01" + bytes(12), bytes(28), b"\x01" + bytes(27), b"Sample PERSON"])
def test_what_is_no_sealed_field_does_not_open(key: DataKey, blob: bytes) -> None:
    with pytest.raises(Sealed):
        key.open("person.name", ROW, blob)


def test_another_persons_key_opens_nothing(vault: Vault, key: DataKey) -> None:
    with pytest.raises(Sealed):
        vault.new_key(uuid4()).key.open("person.name", ROW, key.seal("person.name", ROW, "Sample PERSON"))


def test_a_wrapped_key_given_to_somebody_else_does_not_unwrap(vault: Vault) -> None:
    subject = uuid4()
    new = vault.new_key(subject)
    vault.open_key(subject, new.version, new.wrapped)
    for other, version, wrapped in ((uuid4(), new.version, new.wrapped), (subject, 2, new.wrapped), (subject, 1, b"short")):
        with pytest.raises(Sealed):
            vault.open_key(other, version, wrapped)


def test_an_erased_person_is_sealed_for_good_and_nobody_else_is(session: Session) -> None:
    gone, stays = make_person(session), make_person(session)
    sealing.erase(session, gone.id)
    sealing.erase(session, gone.id)
    with pytest.raises(Sealed, match="erased"):
        sealing.key_for(session, gone.id)
    assert sealing.keys_for(session, [gone.id, stays.id]).keys() == {stays.id}
    assert stays.nationality_sealed is not None
    assert sealing.key_for(session, stays.id).open("person.nationality", stays.id, stays.nationality_sealed) == "Utopia"


def test_nothing_identifying_stands_in_the_table_in_clear(session: Session) -> None:
    person = make_person(session, name="Sample PERSON", a_number="A012345678")
    for table in ("person", "person_name", "a_number"):
        shown = str(session.execute(sa.text(f"select t::text from {table} t")).all())
        for clear in ("Sample", "Utopia", "012345678", b"Sample PERSON".hex(), b"Utopia".hex()):
            assert clear not in shown
    assert session.get(StoredKey, person.id) is not None


def test_an_index_finds_equal_values_of_one_field_only(vault: Vault) -> None:
    number = "+12025550100"
    assert vault.blind_index("phone", number) == vault.blind_index("phone", number)
    assert vault.blind_index("phone", number) != vault.blind_index("phone", "+12025550101")
    assert vault.blind_index("phone", number) != vault.blind_index("email", number)


def test_an_index_cannot_be_computed_without_the_ring(tmp_path: Path, vault: Vault) -> None:
    other = Vault(FileKeyRing.create(tmp_path / "other.json"))
    assert other.blind_index("phone", "+12025550100") != vault.blind_index("phone", "+12025550100")


def test_a_ring_that_is_not_there_says_where_it_should_be_and_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(KeyRingMissing, match=r"keys new"):
        FileKeyRing(tmp_path / "ring.json")


def test_a_ring_is_closed_to_others_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "ring.json"
    FileKeyRing.create(path)
    assert path.stat().st_mode & 0o077 == 0
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        FileKeyRing.create(path)
    assert path.read_bytes() == before


def test_a_newer_wrapping_key_still_opens_what_an_older_one_wrapped(tmp_path: Path) -> None:
    path, subject = tmp_path / "ring.json", uuid4()
    old = Vault(FileKeyRing.create(path)).new_key(subject)
    content = json.loads(path.read_text())
    FileKeyRing.create(tmp_path / "newer.json")
    newer = json.loads((tmp_path / "newer.json").read_text())
    content["wrapping"]["2"], content["current"] = newer["wrapping"]["1"], 2
    path.write_text(json.dumps(content))
    vault = Vault(FileKeyRing(path))
    blob = old.key.seal("person.name", ROW, "Sample PERSON")
    assert vault.open_key(subject, 1, old.wrapped).open("person.name", ROW, blob) == "Sample PERSON"
    assert vault.new_key(subject).version == 2


def test_lists_of_parts_do_not_collide() -> None:
    lists = (("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ("", "abc"), ("a", "b", "c"), ())
    assert len({sealing.digest(*parts) for parts in lists}) == len(lists)
