"""What each column of a roster means: recognised by its header, corrected by staff, remembered for the next file."""

import hashlib
import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache, lru_cache
from pathlib import Path

from outreach.people.roster.fields import DATE_FIELDS, NEXT, Field

_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_FILE = Path(__file__).with_name("headers.toml")
_NOISE = frozenset(
    {
        "required",
        "requerido",
        "optional",
        "opcional",
        "dd",
        "mm",
        "yyyy",
        "yy",
        "aaaa",
        "iso",
        "format",
        "the",
        "of",
        "person",
        "s",
    }
)
_PART = re.compile(r"(.+?) ?([23])(?: (.+))?")


class DateOrder(StrEnum):
    """How a column writes dates whose parts are all numbers. Only a person may decide it: 03/04/1990 is two days."""

    DMY = "dmy"
    MDY = "mdy"
    YMD = "ymd"
    UNKNOWN = "unknown"


class Confidence(StrEnum):
    """How a column got its meaning. `likely` ones should be looked at before the import."""

    EXACT = "exact"
    LIKELY = "likely"
    CHOSEN = "chosen"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Column:
    """One column, by its place in the file. `field` is None while nobody knows its meaning: it is not imported then."""

    index: int
    header: str
    field: Field | None
    confidence: Confidence
    date_order: DateOrder = DateOrder.UNKNOWN


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """What every column of one layout means. At most one column has a given field (but for IGNORED)."""

    columns: tuple[Column, ...]

    @property
    def headers(self) -> tuple[str, ...]:
        return tuple(column.header for column in self.columns)

    @property
    def fields(self) -> dict[Field, Column]:
        """The columns that are imported, by field."""
        return {column.field: column for column in self.columns if column.field is not None and column.field is not Field.IGNORED}

    @property
    def unmapped(self) -> tuple[Column, ...]:
        """Columns whose meaning is not known; staff should choose one, or leave them out knowingly."""
        return tuple(column for column in self.columns if column.field is None)

    @property
    def date_columns(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.field in DATE_FIELDS)

    @property
    def missing(self) -> tuple[tuple[Field, ...], ...]:
        """What every roster needs and this one lacks; of each group, one field is enough. Empty means importable."""
        names = (Field.FULL_NAME, Field.FAMILY_NAME, Field.GIVEN_NAME, Field.NATIVE_NAME)
        identity = (Field.A_NUMBER, Field.BIRTH_DATE)
        return tuple(group for group in (names, identity) if not set(group) & self.fields.keys())

    @property
    def advisable(self) -> tuple[Field, ...]:
        """Fields this roster lacks without which people can be imported, and not matched or told."""
        wanted = (Field.A_NUMBER, Field.BIRTH_DATE, Field.LANGUAGE, Field.CUSTODY)
        return tuple(field for field in wanted if field not in self.fields)

    def choose(self, index: int, field: Field | None) -> "ColumnMapping":
        """Give a column another meaning. A column that had it loses it, so that no fact comes from two columns."""
        return ColumnMapping(
            tuple(
                replace(column, field=field, confidence=Confidence.CHOSEN)
                if column.index == index
                else replace(column, field=None, confidence=Confidence.NONE)
                if field not in (None, Field.IGNORED) and column.field is field
                else column
                for column in self.columns
            )
        )

    def for_headers(self, headers: Sequence[str]) -> "ColumnMapping":
        """A remembered mapping for a file of the same fingerprint, whose headers may differ in case and signs."""
        if len(headers) != len(self.columns):
            raise ValueError("The mapping is for a file with other columns.")
        return ColumnMapping(tuple(replace(column, header=header) for column, header in zip(self.columns, headers, strict=True)))

    def order_dates(self, orders: Mapping[int, DateOrder]) -> "ColumnMapping":
        """Say how date columns are written, by column index."""
        return ColumnMapping(
            tuple(replace(column, date_order=orders.get(column.index, column.date_order)) for column in self.columns)
        )

    def as_json(self) -> dict[str, object]:
        """Plain values to store: {"columns": [{"header", "field", "confidence", "date_order"}, ...]}, in file order."""
        return {
            "columns": [
                {
                    "header": column.header,
                    "field": column.field.value if column.field else None,
                    "confidence": column.confidence.value,
                    "date_order": column.date_order.value,
                }
                for column in self.columns
            ]
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, object]) -> "ColumnMapping":
        """The reverse of `as_json`. Raises ValueError when it is not one, or gives two columns the same field."""
        listed = stored.get("columns")
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            raise ValueError("This is not a mapping of columns.")
        columns = tuple(
            Column(
                index=index,
                header=str(one.get("header") or ""),
                field=Field(one["field"]) if one.get("field") else None,
                confidence=Confidence(one.get("confidence") or Confidence.CHOSEN),
                date_order=DateOrder(one.get("date_order") or DateOrder.UNKNOWN),
            )
            for index, one in enumerate(listed)
        )
        used = [column.field for column in columns if column.field not in (None, Field.IGNORED)]
        if len(used) != len(set(used)):
            raise ValueError("Two columns have the same meaning.")
        return cls(columns)


@lru_cache(maxsize=4096)
def plain(header: str) -> str:
    """A header without case, accents and signs: `Fecha_de  Nacimiento*` becomes `fecha de nacimiento`."""
    letters = unicodedata.normalize("NFKD", _CAMEL.sub(" ", header[:200]))
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(_WORD.findall(bare.casefold()))


def fingerprint(headers: Sequence[str]) -> str:
    """The key of a remembered mapping: the same for all files of one layout, whatever their headers' case and signs."""
    return hashlib.sha256("\x1f".join(plain(header) for header in headers).encode()).hexdigest()


@cache
def _names() -> dict[str, Field]:
    """Every exact name of a column."""
    table = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {name: Field(field) for field, names in table["exact"].items() for name in names}


@cache
def _rules() -> tuple[tuple[frozenset[str], Field], ...]:
    """Sets of words that make a meaning likely, in the order in which they decide."""
    table = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return tuple((frozenset(rule["words"].split()), Field(rule["field"])) for rule in table["likely"])


def field_of(header: str) -> tuple[Field | None, Confidence]:
    """What a header means by itself."""
    name = plain(header)
    names = _names()
    field = names.get(name) or names.get(_without_noise(name)) or names.get(name.replace(" ", ""))
    if field is not None:
        return field, Confidence.EXACT
    if numbered := _PART.fullmatch(name):
        base, number, rest = numbered.groups()
        field = names.get(f"{base} {rest}" if rest else base)
        for _ in range(int(number) - 1):
            field = NEXT.get(field) if field is not None else None
        if field is not None:
            return field, Confidence.EXACT
    return _likely(set(name.split()))


def _without_noise(name: str) -> str:
    """Drop a format or hint that people write after a name: `dob (mm dd yyyy)`, `phone required`."""
    noise = {
        "required",
        "requerido",
        "optional",
        "opcional",
        "dd",
        "mm",
        "yyyy",
        "yy",
        "aaaa",
        "iso",
        "format",
        "the",
        "of",
        "person",
        "s",
    }
    return " ".join(word for word in name.split() if word not in noise)


def _likely(words: set[str]) -> tuple[Field | None, Confidence]:
    # A long header is a title or a note ("List of persons by A number ..."), and no name of a column.
    if len(words) <= 6:
        for needed, field in _rules():
            if needed <= words:
                return field, Confidence.LIKELY
    return None, Confidence.NONE


def count_known(headers: Sequence[str]) -> int:
    """How many of these cells are names of columns: what tells the header row from titles and people."""
    return sum(1 for header in headers if header and len(header) <= 60 and field_of(header)[1] is not Confidence.NONE)


def recognise(headers: Sequence[str]) -> ColumnMapping:
    """Give every column its most probable meaning.

    Exact names come before likely ones, whatever their order in the file. A repeated column becomes the next of its
    kind (a second "Phone" is phone_2); where there is no next, it stays without a meaning.
    """
    found = [field_of(header) for header in headers]
    taken: dict[Field, int] = {}
    for wanted in (Confidence.EXACT, Confidence.LIKELY):
        for index, (field, confidence) in enumerate(found):
            if confidence is not wanted or field is None:
                continue
            free: Field | None = field
            while free is not None and free in taken:
                free = NEXT.get(free)
            if free is not None:
                taken[free] = index
    by_index = {index: field for field, index in taken.items()}
    by_index |= _second_look(headers, taken)
    return ColumnMapping(
        tuple(
            Column(
                index=index,
                header=header,
                field=by_index.get(index),
                confidence=found[index][1] if by_index.get(index) is not None else Confidence.NONE,
            )
            for index, header in enumerate(headers)
        )
    )


def _second_look(headers: Sequence[str], taken: Mapping[Field, int]) -> dict[int, Field]:
    """Names that mean something else beside certain other columns."""
    changed: dict[int, Field] = {}
    # Spanish "Nombre" alone is the whole name; beside "Apellido" it is the given name.
    if Field.GIVEN_NAME in taken and Field.FAMILY_NAME not in taken and Field.FULL_NAME not in taken:
        at = taken[Field.GIVEN_NAME]
        if plain(headers[at]) in {"nombre", "nombres"}:
            changed[at] = Field.FULL_NAME
    # "Address" beside "City" is the street; alone it is everything.
    if Field.ADDRESS in taken and Field.ADDRESS_LINE_1 not in taken and {Field.CITY, Field.POSTAL_CODE} & taken.keys():
        changed[taken[Field.ADDRESS]] = Field.ADDRESS_LINE_1
    # "Estado" is a state beside a city or postal code, and the custody where there are neither.
    if Field.STATE in taken and Field.CUSTODY not in taken and not {Field.CITY, Field.POSTAL_CODE} & taken.keys():
        at = taken[Field.STATE]
        if plain(headers[at]) == "estado":
            changed[at] = Field.CUSTODY
    return changed
