"""One row of a roster to typed values, or to everything that is wrong with it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from outreach.people import denied
from outreach.people.addresses import address as postal
from outreach.people.addresses.address import Address
from outreach.people.addresses.comparing import House, compared
from outreach.people.addresses.zones import zones_of_lines
from outreach.people.contact import AddressGrade, ContactKind, ContactRole, Safety
from outreach.people.custody import Custody
from outreach.people.person import NameKind, Posture, Precision
from outreach.people.roster import phones, values, words
from outreach.people.roster.columns import ColumnMapping, DateOrder
from outreach.people.roster.counsel import Counsel, counsel
from outreach.people.roster.dates import DateOrderTally, RosterDate, parse_date
from outreach.people.roster.fields import Field
from outreach.people.roster.problems import BadValueError, Fault, Problem
from outreach.people.roster.reading import RosterRow


@dataclass(frozen=True, slots=True)
class ParseOptions:
    """`today` bounds every date; `region` is the country of phone numbers without a country's code."""

    today: date
    region: str = "US"
    cell_characters: int = 2_000


@dataclass(frozen=True, slots=True)
class Name:
    """A name as recorded, and the parts that the roster itself gave. Parts are never cut out of a whole by guessing."""

    kind: NameKind
    whole: str
    given: str | None = None
    family: str | None = None
    second_family: str | None = None


@dataclass(frozen=True, slots=True)
class CustodyFact:
    state: Custody
    effective_on: date | None
    facility_code: str | None = None
    facility_name: str | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """`value` is E.164, a lower-case e-mail address, or the lines of an address. `time_zones` are all it may be in.

    Of an address, `grade` is by its own text, `house` what it is compared by (`addresses.comparing`). `denied`: never to be used.
    """

    kind: ContactKind
    value: str
    role: ContactRole
    safety: Safety
    confirmed_on: date | None
    country: str | None = None
    time_zones: tuple[str, ...] = ()
    grade: AddressGrade | None = None
    house: House | None = None
    denied: bool = False


@dataclass(frozen=True, slots=True)
class ParsedRow:
    """A row that can go in. `names[0]` is the recorded one; `custody` is oldest first and its last fact is the present.

    `nationality` and `birth_country` are as recorded, their codes ISO 3166 or None; `remarks` stop nothing.
    """

    number: int
    names: tuple[Name, ...]
    a_numbers: tuple[str, ...]
    birth_date: date | None
    birth_precision: Precision | None
    nationality: str | None
    nationality_code: str | None
    birth_country: str | None
    birth_country_code: str | None
    language: str | None
    second_language: str | None
    reads: bool | None
    interpreter: bool | None
    posture: Posture
    protected: bool
    custody: tuple[CustodyFact, ...]
    contacts: tuple[Contact, ...]
    exposed_on: date | None
    remarks: tuple[Problem, ...]
    counsel: Counsel | None = None


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row for the quarantine, with everything that is wrong with it at once."""

    number: int
    cells: tuple[str, ...]
    problems: tuple[Problem, ...]


T = TypeVar("T")
RowParser = Callable[[RosterRow], ParsedRow | BadRow]


def row_parser(mapping: ColumnMapping, options: ParseOptions) -> RowParser:
    """The parser for all rows of one file. Raises ValueError when the mapping lacks a name, or any identity."""
    if mapping.missing:
        raise ValueError("The mapping has no column for: " + "; ".join(" or ".join(group) for group in mapping.missing))
    columns = tuple((field, column.index) for field, column in mapping.fields.items())
    headers = {field: column.header for field, column in mapping.fields.items()}
    orders = {field: column.date_order for field, column in mapping.fields.items()}

    def parse(row: RosterRow) -> ParsedRow | BadRow:
        if row.problem is not None:
            return BadRow(row.number, row.cells, (row.problem,))
        cells = {field: row.cells[at] for field, at in columns if row.cells[at]}
        work = _Work(cells, headers, orders, options)
        return _parse(row.number, work) or BadRow(row.number, row.cells, tuple(work.problems))

    return parse


def parse_row(row: RosterRow, mapping: ColumnMapping, options: ParseOptions) -> ParsedRow | BadRow:
    """One row by itself, such as one corrected on the screen; `row_parser` is quicker for many."""
    return row_parser(mapping, options)(row)


def survey_dates(rows: Iterable[RosterRow], mapping: ColumnMapping) -> dict[int, DateOrderTally]:
    """What the dates of each date column say about its order, by column index: what the dry run shows and asks."""
    columns = [column for column in mapping.date_columns if column.field in mapping.fields]
    tallies = {column.index: DateOrderTally() for column in columns}
    for row in rows:
        if row.problem is None:
            for column in columns:
                tallies[column.index].add(row.cells[column.index])
    return tallies


class _Work:
    """The cells of one row by field while they are read, and what was found wrong."""

    __slots__ = ("cells", "headers", "options", "orders", "problems", "remarks")

    def __init__(
        self, cells: dict[Field, str], headers: dict[Field, str], orders: dict[Field, DateOrder], options: ParseOptions
    ) -> None:
        self.cells = cells
        self.headers = headers
        self.orders = orders
        self.options = options
        self.problems: list[Problem] = []
        self.remarks: list[Problem] = []
        limit = options.cell_characters
        for field, cell in cells.items():
            if len(cell) > limit:
                self.problem(field, Fault.CELL_TOO_LONG, found=len(cell), limit=limit)

    def problem(self, field: Field | None, code: Fault, **details: str | int) -> None:
        self.problems.append(Problem(code, self.headers.get(field, "") if field else "", details))

    def remark(self, field: Field | None, code: Fault) -> None:
        self.remarks.append(Problem(code, self.headers.get(field, "") if field else ""))

    def read(self, field: Field, parse: Callable[[str], T]) -> T | None:
        """The value of a cell, or None when it is blank or wrong (which is then among the problems)."""
        cell = self.cells.get(field)
        if cell is None or cell.isspace():
            return None
        try:
            return parse(cell)
        except BadValueError as error:
            self.problem(field, error.code, **error.details)
            return None

    def text(self, field: Field) -> str:
        return self.read(field, values.clean) or "" if field in self.cells else ""

    def when(self, field: Field) -> RosterDate | None:
        if field not in self.cells:
            return None
        order = self.orders[field]
        today = self.options.today
        found = self.read(field, lambda cell: parse_date(cell, order=order, today=today))
        if found is not None and found.remark is not None:
            self.remark(field, found.remark)
        return found

    def day(self, field: Field) -> date | None:
        """A date that is of no use unless it is exact."""
        found = self.when(field)
        if found is None:
            return None
        if found.precision is not Precision.DAY:
            self.problem(field, Fault.DATE_NOT_EXACT)
        return found.value


def _parse(number: int, work: _Work) -> ParsedRow | None:
    """The typed row, or None when `work.problems` says why not."""
    names = _names(work)
    a_numbers = _a_numbers(work)
    birth = _birth_date(work)
    if not work.problems and not a_numbers:
        if birth is None:
            work.problem(None, Fault.IDENTITY_MISSING)
        work.remark(None, Fault.A_NUMBER_MISSING)
    if birth is None:
        work.remark(None, Fault.BIRTH_DATE_MISSING)
    nationality, nationality_code = _country(work, Field.NATIONALITY)
    birth_country, birth_country_code = _country(work, Field.BIRTH_COUNTRY)
    language = work.read(Field.LANGUAGE, words.language_code)
    if language is None:
        work.remark(None, Fault.LANGUAGE_MISSING)
    second_language = work.read(Field.SECOND_LANGUAGE, words.language_code)
    custody = _custody(work)
    contacts = _contacts(work)
    if not contacts and custody and custody[-1].state is Custody.RELEASED:
        work.remark(None, Fault.NO_CONTACT)
    reads = work.read(Field.READS, values.parse_yes_or_no)
    interpreter = work.read(Field.INTERPRETER, values.parse_yes_or_no)
    posture = work.read(Field.POSTURE, words.parse_posture) or Posture.UNKNOWN
    protected = work.read(Field.PROTECTED, values.parse_yes_or_no) or False
    exposed_on = work.day(Field.EXPOSED_ON)
    represented_by = counsel(work, today=work.options.today)
    if work.problems:
        return None
    return ParsedRow(
        number=number,
        names=names,
        a_numbers=a_numbers,
        birth_date=birth.value if birth else None,
        birth_precision=birth.precision if birth else None,
        nationality=nationality,
        nationality_code=nationality_code,
        birth_country=birth_country,
        birth_country_code=birth_country_code,
        language=language,
        second_language=second_language if second_language != language else None,
        reads=reads,
        interpreter=interpreter,
        posture=posture,
        protected=protected,
        custody=custody,
        contacts=contacts,
        exposed_on=exposed_on,
        remarks=tuple(work.remarks),
        counsel=represented_by,
    )


def _names(work: _Work) -> tuple[Name, ...]:
    whole = work.read(Field.FULL_NAME, values.parse_name)
    given = work.read(Field.GIVEN_NAME, values.parse_name)
    middle = work.read(Field.MIDDLE_NAME, values.parse_name)
    family = work.read(Field.FAMILY_NAME, values.parse_name)
    second = work.read(Field.SECOND_FAMILY_NAME, values.parse_name)
    suffix = work.read(Field.NAME_SUFFIX, values.parse_name)
    native = work.read(Field.NATIVE_NAME, values.parse_name)
    given = " ".join(part for part in (given, middle) if part) or None
    if whole is None:
        whole = " ".join(part for part in (given, family, second, suffix) if part) or None
    elif given is None and family is None and whole.count(",") == 1:
        # "FAMILY NAMES, Given Names" is how agencies write whole names; the comma says where they part.
        before, after = (part.strip() for part in whole.split(","))
        family, given = before or None, after or None
    if whole is None and native is None:
        if not work.problems:
            work.problem(None, Fault.NAME_MISSING)
        return ()
    recorded = Name(NameKind.RECORDED, whole or native or "", given, family, second)
    if native is None or native == recorded.whole:
        return (recorded,)
    return (recorded, Name(NameKind.NATIVE, native))


def _a_numbers(work: _Work) -> tuple[str, ...]:
    found = (
        work.read(field, values.parse_a_numbers)
        for field in (Field.A_NUMBER, Field.A_NUMBER_2, Field.A_NUMBER_3)
        if field in work.cells
    )
    return tuple(dict.fromkeys(number for numbers in found if numbers for number in numbers))


def _birth_date(work: _Work) -> RosterDate | None:
    birth = work.when(Field.BIRTH_DATE)
    precision = work.read(Field.BIRTH_PRECISION, words.parse_precision)
    if birth is None:
        return None
    if precision is not None and birth.precision is Precision.DAY:
        birth = RosterDate(birth.value, precision)
    if birth.precision is Precision.DAY and (birth.value.month, birth.value.day) == (1, 1):
        work.remark(Field.BIRTH_DATE, Fault.DATE_FIRST_OF_JANUARY)
    return birth


def _country(work: _Work, field: Field) -> tuple[str | None, str | None]:
    text = work.text(field)
    if not text:
        return None, None
    code = words.country_code(text)
    if code is None:
        work.remark(field, Fault.COUNTRY_UNKNOWN)
    return text, code


def _custody(work: _Work) -> tuple[CustodyFact, ...]:
    """What the row says of custody, oldest first. The word decides; dates alone say it where there is no word."""
    code = work.text(Field.FACILITY_CODE) or None
    name = work.text(Field.FACILITY_NAME) or None
    since = work.day(Field.CUSTODY_SINCE)
    dates = {
        Custody.DETAINED: work.day(Field.BOOKED_IN_ON),
        Custody.RELEASED: work.day(Field.RELEASED_ON),
        Custody.REMOVED: work.day(Field.REMOVED_ON),
    }
    dated = sorted((day, state) for state, day in dates.items() if day is not None)
    state = work.read(Field.CUSTODY, words.parse_custody)
    if state is None:
        state = dated[-1][1] if dated else Custody.DETAINED if code or name else None
    if state is None:
        work.remark(None, Fault.CUSTODY_MISSING)
        return ()
    present_on = since or dates.get(state)
    # A release without a date, after a booking with one, is no contradiction; "detained" after a release is.
    no_later_than = present_on or (date.min if state is Custody.DETAINED else date.max)
    if any(day > no_later_than for day, was in dated if was is not state):
        work.problem(Field.CUSTODY, Fault.CUSTODY_DATES)
    in_facility = state in {Custody.DETAINED, Custody.IN_TRANSIT, Custody.OTHER_AGENCY}
    present = CustodyFact(state, present_on, code if in_facility else None, name if in_facility else None)
    if present_on is None:
        # What is undated could not be told from the past, so the past is left out.
        return (present,)
    past = (
        CustodyFact(was, day, *((code, name) if was is Custody.DETAINED and not in_facility else (None, None)))
        for day, was in dated
        if was is not state and day <= present_on
    )
    return (*past, present)


_PHONES = (
    (Field.PHONE, Field.PHONE_ROLE, Field.PHONE_SAFETY, Field.PHONE_CONFIRMED_ON),
    (Field.PHONE_2, Field.PHONE_2_ROLE, Field.PHONE_2_SAFETY, Field.PHONE_2_CONFIRMED_ON),
    (Field.PHONE_3, Field.PHONE_3_ROLE, Field.PHONE_3_SAFETY, Field.PHONE_3_CONFIRMED_ON),
)


def _contacts(work: _Work) -> tuple[Contact, ...]:
    """Every phone, e-mail and postal address of the row, each once. What is said of a column counts for all in it."""
    contacts: list[Contact] = []
    region = work.options.region
    for field, role_field, safety_field, confirmed_field in _PHONES:
        if field in work.cells:
            numbers = work.read(field, lambda cell: phones.parse_phones(cell, region=region)) or ()
            about = _about(work, role_field, safety_field, confirmed_field)
            for phone in numbers:
                contacts.append(Contact(ContactKind.PHONE, phone.e164, *about, phone.country, phone.time_zones))
                if phone.extension:
                    work.remark(field, Fault.PHONE_EXTENSION)
    for field in (Field.EMAIL, Field.EMAIL_2):
        if field in work.cells:
            about = _about(work, Field.EMAIL_ROLE, Field.EMAIL_SAFETY, Field.EMAIL_CONFIRMED_ON)
            for value in work.read(field, values.parse_emails) or ():
                foreign = denied.is_foreign_mailbox(value)
                if foreign:
                    work.remark(field, Fault.CONTACT_DENIED)
                contacts.append(Contact(ContactKind.EMAIL, value, *about, denied=foreign))
    address = _address(work)
    if address is not None:
        contacts.append(_post(work, address))
    once: dict[tuple[ContactKind, str], Contact] = {}
    for contact in contacts:
        once.setdefault((contact.kind, contact.value), contact)
    return tuple(once.values())


def _about(work: _Work, role: Field, safety: Field, confirmed: Field) -> tuple[ContactRole, Safety, date | None]:
    whose = work.read(role, words.parse_role) if role in work.cells else None
    safe = work.read(safety, words.parse_safety) if safety in work.cells else None
    return whose or ContactRole.OTHER, safe or Safety.UNKNOWN, work.day(confirmed)


_REMARKS = {
    AddressGrade.BLANK: Fault.ADDRESS_INCOMPLETE,
    AddressGrade.INCOMPLETE: Fault.ADDRESS_INCOMPLETE,
    AddressGrade.NO_UNIT: Fault.ADDRESS_WITHOUT_UNIT,
    AddressGrade.NOT_RESIDENTIAL: Fault.ADDRESS_NO_HOME,
    AddressGrade.DENIED: Fault.CONTACT_DENIED,
}


def _post(work: _Work, address: Address) -> Contact:
    role, safety, confirmed_on = _about(work, Field.ADDRESS_ROLE, Field.ADDRESS_SAFETY, Field.ADDRESS_CONFIRMED_ON)
    if role is ContactRole.OTHER and address.shelter:
        role = ContactRole.SHELTER
    grade = address.grade
    if grade in _REMARKS:
        work.remark(Field.ADDRESS_LINE_1 if Field.ADDRESS_LINE_1 in work.headers else Field.ADDRESS, _REMARKS[grade])
    return Contact(
        ContactKind.POST, address.lines, role, safety, confirmed_on, country=address.country, grade=grade,
        time_zones=zones_of_lines(address.lines, address.country), house=compared(address.lines, address.country),
        denied=grade is AddressGrade.DENIED,
    )  # fmt: skip


def _address(work: _Work) -> Address | None:
    care_of = work.text(Field.CARE_OF)
    country = work.text(Field.COUNTRY)
    first, second = work.text(Field.ADDRESS_LINE_1), work.text(Field.ADDRESS_LINE_2)
    city, state, postal_code = work.text(Field.CITY), work.text(Field.STATE), work.text(Field.POSTAL_CODE)
    whole = work.cells.get(Field.ADDRESS, "").strip()
    if whole:
        # The line ends of this cell part its lines, so it is cleaned line by line.
        lines = work.read(Field.ADDRESS, lambda cell: "\n".join(values.clean(line) for line in cell.splitlines())) or ""
        rest = " ".join(part for part in (city, state, postal_code) if part)
        return postal.from_text(care_of, f"{lines}\n{rest}" if rest else lines, country)
    if not any((first, second, city, postal_code)):
        return None
    return postal.from_parts(
        care_of=care_of, first=first, second=second, city=city, state=state, postal_code=postal_code, country=country
    )
