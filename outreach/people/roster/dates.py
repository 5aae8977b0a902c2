"""Dates as people write them. What two people would read differently is never guessed.

03/04/1990 is in April or in March, so a column with such dates needs a `DateOrder` that a person chose; the other rows
of the file only suggest one.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from outreach.people.person import Precision
from outreach.people.roster.columns import DateOrder
from outreach.people.roster.problems import BadValueError, Fault
from outreach.people.roster.values import clean, western_digits

OLDEST_YEARS = 120

_MONTH_NAMES = (
    ("january", "jan", "enero", "ene"),
    ("february", "feb", "febrero"),
    ("march", "mar", "marzo"),
    ("april", "apr", "abril", "abr"),
    ("may", "mayo"),
    ("june", "jun", "junio"),
    ("july", "jul", "julio"),
    ("august", "aug", "agosto", "ago"),
    ("september", "sep", "sept", "septiembre", "setiembre", "set"),
    ("october", "oct", "octubre"),
    ("november", "nov", "noviembre"),
    ("december", "dec", "diciembre", "dic"),
)
_MONTHS = {name: number for number, names in enumerate(_MONTH_NAMES, 1) for name in names}
_YEAR_FIRST = re.compile(
    r"(?P<year>\d{4})(?P<sign>[-/. ])\s?(?P<month>\d{1,2})(?P=sign)\s?(?P<day>\d{1,2})\.?"
    r"(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
)
_CHINESE = re.compile(r"(\d{4})年(?:(\d{1,2})月(?:(\d{1,2})日?)?)?")
_COMPACT = re.compile(r"((?:19|20)\d{2})(\d{2})(\d{2})")
_YEAR_LAST = re.compile(
    r"(\d{1,2})\s*[/. -]\s*(\d{1,2})\s*[/. -]\s*(\d{4}|\d{2})\.?(?: \d{1,2}:\d{2}(?::\d{2})?(?: ?[AaPp]\.?[Mm]\.?)?)?"
)
_YEAR = re.compile(r"(\d{4})")
_YEAR_MONTH = re.compile(r"(\d{4})[-/.](\d{1,2})|(\d{1,2})[/.-](\d{4})")
_SERIAL = re.compile(r"(\d{4,5})(?:\.\d+)?")
_ABOUT = re.compile(
    r"^(?:about|abt|approx(?:imately)?|around|circa|ca?|est(?:imated)?|alrededor de|aprox(?:imadamente)?|hacia|~)"
    r"[.:]?\s*(?=\S)"
    r"|\s*(?:\((?:est(?:imated)?|approx|aprox|estimad[ao])\.?\)|[?~]|est\.?)$",
    re.IGNORECASE,
)
_UNKNOWN_PART = re.compile(r"(?:\b(?:00|xx|\?\?)[-/. ]+){1,2}(\d{4})|(\d{4})(?:[-/. ]+(?:00|xx|\?\?)){1,2}", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")
_FIRST_SERIAL, _LAST_SERIAL = 3_000, 80_000
_SERIAL_START = date(1899, 12, 30)


@dataclass(frozen=True, slots=True)
class RosterDate:
    """A date with how exact it is; 01 stands where the month or the day is not known. `remark` is for staff to know."""

    value: date
    precision: Precision = Precision.DAY
    remark: Fault | None = None


def parse_date(text: str, *, order: DateOrder, today: date) -> RosterDate:
    """A date that has been: of birth, of detention, of a confirmation.

    A date of numbers with the year last needs `order`, unless day and month are equal: 25/12/1990 fits one order only,
    and yet says nothing of the 03/04/1990 in the next row of the same column. Raises BadValueError.
    """
    plain = western_digits(clean(text))
    if parts := _YEAR_FIRST.fullmatch(plain):
        return _year_first(parts, today)
    estimated = False
    while about := _ABOUT.search(plain):
        estimated = True
        plain = (plain[: about.start()] + plain[about.end() :]).strip()
    found = _numbers(plain, order, today) or _words(plain, today)
    if found is None:
        raise BadValueError(Fault.DATE_UNREADABLE)
    return RosterDate(found.value, Precision.ESTIMATED, found.remark) if estimated else found


def _year_first(parts: re.Match[str], today: date) -> RosterDate:
    """Year, month and day; `00` is how some systems write a month or day that is not known."""
    year, month, day = (int(parts[name]) for name in ("year", "month", "day"))
    return _partial(year, month, day if month else 0, today=today)


def _numbers(text: str, order: DateOrder, today: date) -> RosterDate | None:
    if parts := _YEAR_FIRST.fullmatch(text):
        return _year_first(parts, today)
    if (parts := _YEAR_LAST.fullmatch(text)) and (int(parts[1]) or int(parts[2])):
        return RosterDate(_ordered(parts[1], parts[2], parts[3], order, today))
    if parts := _COMPACT.fullmatch(text):
        return _partial(int(parts[1]), int(parts[2]), int(parts[3]), today=today)
    return _in_part(text, today) or _serial(text, today)


def _in_part(text: str, today: date) -> RosterDate | None:
    """A year, a year and a month, or a date whose other parts are written as unknown."""
    if parts := _CHINESE.fullmatch(text):
        return _partial(*(int(part or 0) for part in parts.groups()), today=today)
    if parts := _UNKNOWN_PART.fullmatch(text):
        return _partial(int(parts[1] or parts[2]), 0, 0, today=today)
    if _YEAR.fullmatch(text) and 1300 <= int(text) <= 2600:
        return _partial(int(text), 0, 0, today=today)
    if parts := _YEAR_MONTH.fullmatch(text):
        first, last = int(parts[1] or parts[3]), int(parts[2] or parts[4])
        return _partial(max(first, last), min(first, last), 0, today=today)
    return None


def _serial(text: str, today: date) -> RosterDate | None:
    """The number of days by which a spreadsheet program counts, when a column lost its date format."""
    parts = _SERIAL.fullmatch(text)
    if parts is None or not _FIRST_SERIAL <= int(parts[1]) <= _LAST_SERIAL:
        return None
    value = _SERIAL_START + timedelta(days=int(parts[1]))
    return RosterDate(_checked(value.year, value.month, value.day, today), remark=Fault.DATE_FROM_SERIAL)


def _words(text: str, today: date) -> RosterDate | None:
    """`3 April 1990`, `Apr. 3, 1990`, `3 de abril de 1990`, `03-ABR-90`, `April 1990`."""
    month = 0
    for word in _WORD.findall(text.casefold()):
        if word in _MONTHS and not month:
            month = _MONTHS[word]
        elif word not in {"de", "del", "of", "st", "nd", "rd", "th", "the"}:
            return None
    numbers = re.findall(r"\d+", text)
    if not month or re.search(r"[^\w\s.,/'-]", text) or not 1 <= len(numbers) <= 2:
        return None
    years = [number for number in numbers if len(number) == 4]
    if len(numbers) == 1:
        return _partial(int(years[0]), month, 0, today=today) if years else None
    if len(years) == 1:
        day = numbers[0] if numbers[1] == years[0] else numbers[1]
        year = int(years[0])
    elif len(numbers[0]) <= 2 and len(numbers[1]) == 2:
        day, year = numbers[0], _century(int(numbers[1]), month, int(numbers[0]), today)
    else:
        return None
    return RosterDate(_checked(year, month, int(day), today)) if len(day) <= 2 else None


def _ordered(first: str, second: str, last: str, order: DateOrder, today: date) -> date:
    one, two = int(first), int(second)
    if one > 12 and two > 12:
        if len(last) == 2 and order is DateOrder.YMD:
            return _checked(_century(one, two, int(last), today), two, int(last), today)
        raise BadValueError(Fault.DATE_IMPOSSIBLE)
    match order:
        case DateOrder.DMY:
            day, month = one, two
        case DateOrder.MDY:
            day, month = two, one
        case DateOrder.YMD:
            if len(last) == 4:
                raise BadValueError(Fault.DATE_AGAINST_ORDER)
            return _checked(_century(one, two, int(last), today), two, int(last), today)
        case _:
            if one != two:
                raise BadValueError(Fault.DATE_ORDER_NEEDED)
            day = month = one
    if month > 12:
        raise BadValueError(Fault.DATE_AGAINST_ORDER)
    year = int(last) if len(last) == 4 else _century(int(last), month, day, today)
    return _checked(year, month, day, today)


def _century(short: int, month: int, day: int, today: date) -> int:
    """The one year that ends so and gives a date of the last 120 years. Raises BadValueError when there are two."""
    possible = [
        year
        for year in (1900 + short, 2000 + short)
        if today.year - OLDEST_YEARS < year <= today.year and (year, month, day) <= (today.year, today.month, today.day)
    ]
    if len(possible) != 1:
        raise BadValueError(Fault.DATE_CENTURY)
    return possible[0]


def _partial(year: int, month: int, day: int, *, today: date) -> RosterDate:
    precision = Precision.DAY if day else Precision.MONTH if month else Precision.YEAR
    return RosterDate(_checked(year, month or 1, day or 1, today), precision)


def _checked(year: int, month: int, day: int, today: date) -> date:
    # Solar Hijri and Islamic years are around 1400, Buddhist ones around 2540. Whoever knows the person converts them.
    if 1300 <= year <= 1480 or 2400 <= year <= 2620:
        raise BadValueError(Fault.DATE_CALENDAR)
    try:
        value = date(year, month, day)
    except ValueError:
        raise BadValueError(Fault.DATE_IMPOSSIBLE) from None
    if value > today:
        raise BadValueError(Fault.DATE_IN_FUTURE)
    if value.year < today.year - OLDEST_YEARS:
        raise BadValueError(Fault.DATE_TOO_OLD, limit=OLDEST_YEARS)
    return value


@dataclass(slots=True)
class DateOrderTally:
    """What one column's dates say about their order, counted row by row.

    `day_first` and `month_first` fit one order only; `either` fits both; `plain` (ISO, month names, true dates of a
    workbook) needs none.
    """

    day_first: int = 0
    month_first: int = 0
    either: int = 0
    plain: int = 0

    def add(self, text: str) -> None:
        if not text:
            return
        parts = _YEAR_LAST.fullmatch(western_digits(text.strip()))
        if parts is None:
            self.plain += 1
            return
        one, two = int(parts.group(1)), int(parts.group(2))
        if one > 12 >= two:
            self.day_first += 1
        elif two > 12 >= one:
            self.month_first += 1
        elif one != two:
            self.either += 1

    @property
    def needed(self) -> bool:
        """Whether somebody must say the order before these rows can be read."""
        return bool(self.day_first or self.month_first or self.either)

    @property
    def contradictory(self) -> bool:
        """Some rows can only be day/month and others only month/day: whichever is chosen, some are quarantined."""
        return bool(self.day_first and self.month_first)

    @property
    def perhaps_swapped(self) -> bool:
        """True dates beside day/month texts: a program set to month/day turned the dates it could, and wrongly.

        Seen in workbooks where 25/12/1990 stayed a text while 03/04/1990 became 4 March.
        """
        return bool(self.plain and (self.day_first or self.month_first) and not self.either)

    @property
    def suggestion(self) -> DateOrder:
        """The order most of the telling rows have; never applied without somebody choosing it."""
        if self.day_first == self.month_first:
            return DateOrder.UNKNOWN
        return DateOrder.DMY if self.day_first > self.month_first else DateOrder.MDY
