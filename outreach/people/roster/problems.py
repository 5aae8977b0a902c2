"""What can be wrong with a roster, in words that say how to mend it.

Texts are templates so that the panel can show them in its own language: translate `Problem.template` (or
`RosterError.template`), then format it with `details`. Details hold limits, column names and row numbers and never
the content of a cell, so a problem may be stored and logged in the clear.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


def N_(text: str) -> str:  # noqa: N802  # the name by which Babel's extractor knows deferred texts
    return text


class FileFault(StrEnum):
    """Why a whole file is refused."""

    EMPTY = "empty"
    NO_ROWS = "no_rows"
    NO_HEADER = "no_header"
    WRONG_KIND = "wrong_kind"
    PROTECTED = "protected"
    DAMAGED = "damaged"
    NO_SUCH_SHEET = "no_such_sheet"
    NO_VALUES = "no_values"
    BINARY = "binary"
    UNKNOWN_ENCODING = "unknown_encoding"
    MIXED_ENCODING = "mixed_encoding"
    QUOTE_NOT_CLOSED = "quote_not_closed"
    FILE_TOO_LARGE = "file_too_large"
    TOO_MANY_ROWS = "too_many_rows"
    TOO_MANY_COLUMNS = "too_many_columns"
    ROW_TOO_LONG = "row_too_long"
    UNPACKS_TOO_LARGE = "unpacks_too_large"
    PACKED_TOO_TIGHTLY = "packed_too_tightly"


class Fault(StrEnum):
    """Why one row, or one cell of it, is refused or remarked on."""

    # The shape of the row.
    TOO_FEW_CELLS = "too_few_cells"
    TOO_MANY_CELLS = "too_many_cells"
    BROKEN_QUOTES = "broken_quotes"
    CELL_TOO_LONG = "cell_too_long"
    CONTROL_CHARACTERS = "control_characters"
    DAMAGED_CHARACTERS = "damaged_characters"
    SPREADSHEET_ERROR = "spreadsheet_error"
    DIGITS_LOST = "digits_lost"
    # Who it is.
    NAME_MISSING = "name_missing"
    NAME_TOO_LONG = "name_too_long"
    NAME_WITHOUT_LETTERS = "name_without_letters"
    IDENTITY_MISSING = "identity_missing"
    A_NUMBER_MISSING = "a_number_missing"
    A_NUMBER_LENGTH = "a_number_length"
    A_NUMBER_UNREADABLE = "a_number_unreadable"
    A_NUMBER_PLACEHOLDER = "a_number_placeholder"
    BIRTH_DATE_MISSING = "birth_date_missing"
    # Dates.
    DATE_UNREADABLE = "date_unreadable"
    DATE_IMPOSSIBLE = "date_impossible"
    DATE_ORDER_NEEDED = "date_order_needed"
    DATE_AGAINST_ORDER = "date_against_order"
    DATE_CENTURY = "date_century"
    DATE_CALENDAR = "date_calendar"
    DATE_IN_FUTURE = "date_in_future"
    DATE_TOO_OLD = "date_too_old"
    DATE_NOT_EXACT = "date_not_exact"
    DATE_FIRST_OF_JANUARY = "date_first_of_january"
    DATE_FROM_SERIAL = "date_from_serial"
    PRECISION_UNKNOWN = "precision_unknown"
    # How to reach them.
    PHONE_UNREADABLE = "phone_unreadable"
    PHONE_INVALID = "phone_invalid"
    PHONE_EXTENSION = "phone_extension"
    EMAIL_INVALID = "email_invalid"
    ADDRESS_INCOMPLETE = "address_incomplete"
    ADDRESS_WITHOUT_UNIT = "address_without_unit"
    ADDRESS_NO_HOME = "address_no_home"
    CONTACT_DENIED = "contact_denied"
    NO_CONTACT = "no_contact"
    # Words of a fixed list.
    COUNTRY_UNKNOWN = "country_unknown"
    LANGUAGE_UNKNOWN = "language_unknown"
    LANGUAGE_MISSING = "language_missing"
    CUSTODY_UNKNOWN = "custody_unknown"
    CUSTODY_MISSING = "custody_missing"
    CUSTODY_DATES = "custody_dates"
    POSTURE_UNKNOWN = "posture_unknown"
    ROLE_UNKNOWN = "role_unknown"
    SAFETY_UNKNOWN = "safety_unknown"
    YES_OR_NO = "yes_or_no"
    # Who represents them. In a roster these never keep a person out: the attorney is left out, and staff are told.
    ATTORNEY_NAME_MISSING = "attorney_name_missing"
    EOIR_ID_UNREADABLE = "eoir_id_unreadable"
    BAR_NUMBER_UNREADABLE = "bar_number_unreadable"
    BAR_STATE_UNKNOWN = "bar_state_unknown"
    BAR_STATE_MISSING = "bar_state_missing"
    APPEARANCE_UNREADABLE = "appearance_unreadable"
    APPEARANCE_MISSING = "appearance_missing"
    APPEARANCE_NONE = "appearance_none"
    ATTORNEYS_OF_TWO = "attorneys_of_two"
    ATTORNEY_DIFFERS = "attorney_differs"
    ATTORNEY_ANOTHER = "attorney_another"
    ATTORNEY_ENDED = "attorney_ended"
    # What the records say that are here already.
    A_NUMBER_OF_ANOTHER = "a_number_of_another"
    A_NUMBERS_OF_TWO = "a_numbers_of_two"
    BIRTH_DATE_DIFFERS = "birth_date_differs"
    LANGUAGE_DIFFERS = "language_differs"
    ROW_TWICE = "row_twice"


class FileRemark(StrEnum):
    """What somebody should know about a file that was read all the same."""

    READ_AS_WINDOWS_1252 = "read_as_windows_1252"
    OTHER_SHEETS = "other_sheets"
    HIDDEN_SHEETS = "hidden_sheets"
    HIDDEN_COLUMNS = "hidden_columns"
    HIDDEN_ROWS = "hidden_rows"
    FORMULAS = "formulas"
    HEADERS_NOT_KNOWN = "headers_not_known"


FILE_TEXTS: dict[FileFault, str] = {
    FileFault.EMPTY: N_("This file is empty. Choose the file again, or export it again."),
    FileFault.NO_ROWS: N_("This file has column names in row {row} and no people under them."),
    FileFault.NO_HEADER: N_(
        "No row of column names was found in the first {rows} rows. Add one row of names, such as “A-Number”, "
        "“Name” and “Date of birth”, above the people."
    ),
    FileFault.WRONG_KIND: N_(
        "This is {kind}, and not a roster that can be read. Open it in a spreadsheet program and save it as "
        "Excel workbook (.xlsx) or as CSV UTF-8 (.csv)."
    ),
    FileFault.PROTECTED: N_(
        "This workbook is protected by a password or is an Excel file of the old kind (.xls). Open it, remove the "
        "password, and save it as Excel workbook (.xlsx)."
    ),
    FileFault.DAMAGED: N_(
        "This workbook is damaged and cannot be read. Open it in a spreadsheet program and save it again as Excel workbook (.xlsx)."
    ),
    FileFault.NO_SUCH_SHEET: N_("This workbook has no sheet of that name. Its sheets are: {sheets}."),
    FileFault.NO_VALUES: N_(
        "The formulas of this workbook were saved without their results. Open it in a spreadsheet program and save it again."
    ),
    FileFault.BINARY: N_(
        "This is not a text file: there are characters in it that no text has (first in row {row}). Save the roster "
        "as Excel workbook (.xlsx) or as CSV UTF-8 (.csv)."
    ),
    FileFault.UNKNOWN_ENCODING: N_(
        "The characters of this file cannot be read as UTF-8, UTF-16 or Windows-1252. Save it again as CSV UTF-8."
    ),
    FileFault.MIXED_ENCODING: N_(
        "Part of this file is UTF-8 and part is not (first in line {row}), so some names would be spoilt. Mend that "
        "line, or export the file again as CSV UTF-8."
    ),
    FileFault.QUOTE_NOT_CLOSED: N_(
        "A quotation mark opened in row {row} is never closed, so the rows after it cannot be told apart. Close or "
        "remove it, and upload the file again."
    ),
    FileFault.FILE_TOO_LARGE: N_("This file has {size} bytes; at most {limit} can be read. Split it and import each part."),
    FileFault.TOO_MANY_ROWS: N_("This file has more than {limit} rows. Split it and import each part."),
    FileFault.TOO_MANY_COLUMNS: N_(
        "Row {row} has more than {limit} columns. Remove the columns that are not needed, or check that the "
        "rows of the file end where they should."
    ),
    FileFault.ROW_TOO_LONG: N_(
        "Row {row} has more than {limit} characters. Most often a quotation mark was opened there and never closed. "
        "Mend that row, and upload the file again."
    ),
    FileFault.UNPACKS_TOO_LARGE: N_(
        "This workbook unpacks to {size} bytes; at most {limit} can be read. Remove other sheets and unused rows, or "
        "split it and import each part."
    ),
    FileFault.PACKED_TOO_TIGHTLY: N_(
        "This workbook unpacks to more than {limit} times its size, as no roster does. Copy the people into a new "
        "workbook and save that."
    ),
}

TEXTS: dict[Fault | FileRemark, str] = {
    Fault.TOO_FEW_CELLS: N_("This row has {found} cells and the row of column names has {expected}. Fill in the missing ones."),
    Fault.TOO_MANY_CELLS: N_(
        "This row has {found} cells and the row of column names has {expected}. Put quotation marks around the cell "
        "that has a comma in it, or remove the extra cells."
    ),
    Fault.BROKEN_QUOTES: N_(
        "The quotation marks in this row do not match, so its cells cannot be told apart. Write a quotation mark "
        "inside a cell twice, or remove it."
    ),
    Fault.CELL_TOO_LONG: N_("“{column}” has {found} characters; at most {limit} are kept. Shorten it."),
    Fault.CONTROL_CHARACTERS: N_("“{column}” has invisible control characters in it. Type the text again."),
    Fault.DAMAGED_CHARACTERS: N_(
        "“{column}” has characters that were lost in an earlier export (shown as �). Type the text again from the record."
    ),
    Fault.SPREADSHEET_ERROR: N_("“{column}” holds an error of the spreadsheet, such as #REF!. Put the value there."),
    Fault.DIGITS_LOST: N_(
        "“{column}” was rounded by a spreadsheet program, so digits are lost. Set the column to “Text”, fill it in "
        "again from the record, and export again."
    ),
    Fault.NAME_MISSING: N_("There is no name. Fill in the full name, or the given and family names."),
    Fault.NAME_TOO_LONG: N_(
        "“{column}” has {found} characters; a name has at most {limit}. Check that it holds one person's name."
    ),
    Fault.NAME_WITHOUT_LETTERS: N_("“{column}” has no letters in it. Check that it holds a name."),
    Fault.IDENTITY_MISSING: N_(
        "There is neither an A-number nor a date of birth, so this person could never be told apart from another of "
        "the same name. Fill in one of them."
    ),
    Fault.A_NUMBER_MISSING: N_("There is no A-number, so this person cannot be matched with another list later."),
    Fault.A_NUMBER_LENGTH: N_("“{column}” has {found} digits; an A-number has 7 to 9. Correct it from the record."),
    Fault.A_NUMBER_UNREADABLE: N_("“{column}” is not an A-number. Write it like A012-345-678."),
    Fault.A_NUMBER_PLACEHOLDER: N_("“{column}” has only zeros. Fill in the A-number, or leave the cell empty."),
    Fault.BIRTH_DATE_MISSING: N_("There is no date of birth, so the A-number cannot be checked against a second fact."),
    Fault.DATE_UNREADABLE: N_("“{column}” is not a date. Write it as year-month-day, like 1990-04-03."),
    Fault.DATE_IMPOSSIBLE: N_("“{column}” is a day that does not exist. Correct it from the record."),
    Fault.DATE_ORDER_NEEDED: N_(
        "“{column}” can be read as day/month or as month/day. Say which one this column uses; it is not guessed."
    ),
    Fault.DATE_AGAINST_ORDER: N_(
        "“{column}” does not fit the order chosen for this column. Correct it, or choose the other order."
    ),
    Fault.DATE_CENTURY: N_("“{column}” has a year of two digits that fits two centuries. Write the year with four digits."),
    Fault.DATE_CALENDAR: N_(
        "“{column}” has a year of another calendar. Write the date of the civil (Gregorian) calendar, like 1990-04-03."
    ),
    Fault.DATE_IN_FUTURE: N_("“{column}” lies in the future. Correct it from the record."),
    Fault.DATE_TOO_OLD: N_("“{column}” is more than {limit} years ago. Correct it from the record."),
    Fault.DATE_NOT_EXACT: N_("“{column}” has no exact day. Write it as year-month-day, like 2022-11-28."),
    Fault.DATE_FIRST_OF_JANUARY: N_("“{column}” is a 1 January, which is often recorded when only the year is known."),
    Fault.DATE_FROM_SERIAL: N_("“{column}” was a spreadsheet's day number and was read as a date. Check the first rows."),
    Fault.PRECISION_UNKNOWN: N_("“{column}” must be day, month, year or estimated, or empty."),
    Fault.PHONE_UNREADABLE: N_("“{column}” is not a phone number. Write it with its area code, like (202) 555-0123."),
    Fault.PHONE_INVALID: N_(
        "“{column}” is not a number that exists. Check its digits; for a number outside the United States, start with "
        "+ and the country's code."
    ),
    Fault.PHONE_EXTENSION: N_("“{column}” has an extension, to which no text message can be sent."),
    Fault.EMAIL_INVALID: N_("“{column}” is not an e-mail address. Write it like name@example.org."),
    Fault.ADDRESS_INCOMPLETE: N_("The address is incomplete: a letter needs street, city, state and ZIP code."),
    Fault.ADDRESS_WITHOUT_UNIT: N_("The address is of a house with many apartments, and lacks the number of theirs."),
    Fault.ADDRESS_NO_HOME: N_("The address is a restaurant, a station, an office or another place where nobody lives."),
    Fault.CONTACT_DENIED: N_("“{column}” belongs to a foreign government. It is kept, and nothing is ever sent there."),
    Fault.NO_CONTACT: N_("There is no phone, e-mail or address for somebody who is not in custody."),
    Fault.COUNTRY_UNKNOWN: N_("“{column}” is not a country we know. It is kept as written."),
    Fault.LANGUAGE_UNKNOWN: N_("“{column}” is not a language we know. Choose one of the list, or ask an administrator to add it."),
    Fault.LANGUAGE_MISSING: N_("There is no language, so no text can be chosen for this person yet."),
    Fault.CUSTODY_UNKNOWN: N_(
        "“{column}” is not a kind of custody we know. Write detained, in transit, released, removed, other agency, "
        "deceased or unknown."
    ),
    Fault.CUSTODY_MISSING: N_("Nothing says whether this person is in custody."),
    Fault.CUSTODY_DATES: N_(
        "“{column}” says one thing, and a later date in this row says another. Correct whichever is out of date."
    ),
    Fault.POSTURE_UNKNOWN: N_("“{column}” is not a stage of a case we know. Write in proceedings, final order or unknown."),
    Fault.ROLE_UNKNOWN: N_(
        "“{column}” does not say whose contact this is. Write own, family, friend, shelter, sponsor or attorney."
    ),
    Fault.SAFETY_UNKNOWN: N_("“{column}” does not say whether this contact is safe. Write yes, no, never or unknown."),
    Fault.YES_OR_NO: N_("“{column}” must be yes or no, or empty."),
    Fault.A_NUMBER_OF_ANOTHER: N_(
        "This A-number belongs to a record with another name and another date of birth. Check the A-number; if it is right, "
        "correct the name or the date of birth in this row."
    ),
    Fault.A_NUMBERS_OF_TWO: N_(
        "The A-numbers in this row belong to two people. Keep only the numbers of the person this row is about."
    ),
    Fault.BIRTH_DATE_DIFFERS: N_("The date of birth is not the one in this person's record, which was kept. Check which is right."),
    Fault.LANGUAGE_DIFFERS: N_("The language is not the one in this person's record, which was kept. Ask which they understand."),
    Fault.ROW_TWICE: N_(
        "This row is in the file twice and has no A-number, so it was taken for two people. If they are one, remove one row."
    ),
    Fault.ATTORNEY_NAME_MISSING: N_("There is no name of the attorney. Write it as it stands on the form of appearance."),
    Fault.EOIR_ID_UNREADABLE: N_("“{column}” is not an EOIR ID. Write it like AB123456."),
    Fault.BAR_NUMBER_UNREADABLE: N_("“{column}” is not a bar number. Write it with its digits, as the state's bar lists it."),
    Fault.BAR_STATE_UNKNOWN: N_("“{column}” is not a state. Write its two letters, like CA."),
    Fault.BAR_STATE_MISSING: N_("A bar number needs the state that gave it. Write its two letters, like CA."),
    Fault.APPEARANCE_UNREADABLE: N_("“{column}” is neither yes, no, nor the date on which the form was filed."),
    Fault.APPEARANCE_MISSING: N_(
        "Nothing says by which form the attorney appears, so G-28 was entered. Whoever verifies it should look at the form."
    ),
    Fault.APPEARANCE_NONE: N_("An attorney is named, and no form of appearance is filed. The attorney was not entered."),
    Fault.ATTORNEYS_OF_TWO: N_(
        "The attorney's name and numbers are those of different attorneys on record. None was entered: enter the right one by hand."
    ),
    Fault.ATTORNEY_DIFFERS: N_(
        "The attorney's name, number, e-mail address or day of filing is not the one on record, which was kept. Check that it "
        "is the same attorney."
    ),
    Fault.ATTORNEY_ANOTHER: N_(
        "Another attorney is on record for this person already. Both stay: end the earlier appearance if it has ended."
    ),
    Fault.ATTORNEY_ENDED: N_(
        "This attorney's appearance has ended on record, so it was not entered again. If there is a new one, enter it by hand."
    ),
    FileRemark.READ_AS_WINDOWS_1252: N_(
        "This file is not UTF-8 and was read as Windows-1252. Check the accents in the first rows."
    ),
    FileRemark.OTHER_SHEETS: N_("Only the sheet “{sheet}” is read. Other sheets with content: {sheets}."),
    FileRemark.HIDDEN_SHEETS: N_("This workbook has hidden sheets: {sheets}. Do they hold data that should not travel?"),
    FileRemark.HIDDEN_COLUMNS: N_("The sheet has hidden columns: {columns}. They are read like the others."),
    FileRemark.HIDDEN_ROWS: N_("The sheet has {found} hidden or filtered rows. They are read like the others."),
    FileRemark.FORMULAS: N_("The sheet has formulas. The results saved with it are read."),
    FileRemark.HEADERS_NOT_KNOWN: N_("None of the column names is known. Say by hand what each column means."),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend or to know. `column` is the header as written in the file, or "" for the row or file itself."""

    code: Fault | FileRemark
    column: str = ""
    details: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def template(self) -> str:
        """The English text with its {placeholders}; also the message id of its translations."""
        return TEXTS[self.code]

    @property
    def message(self) -> str:
        """What is wrong and how to mend it, in English."""
        return self.template.format(column=self.column, **self.details)

    def as_json(self) -> dict[str, object]:
        """Plain values to store with a row in quarantine: {"column", "code", "message", "details"}."""
        return {"column": self.column, "code": self.code.value, "message": self.message, "details": dict(self.details)}


class RosterError(Exception):
    """The file cannot be read as a roster. Its text says why and how to mend it; nothing of it should be kept."""

    def __init__(self, code: FileFault, **details: str | int) -> None:
        self.code = code
        self.details = details
        super().__init__(self.message)

    @property
    def template(self) -> str:
        """The English text with its {placeholders}; also the message id of its translations."""
        return FILE_TEXTS[self.code]

    @property
    def message(self) -> str:
        """What is wrong and how to mend it, in English."""
        return self.template.format(**self.details)

    @property
    def row(self) -> int | None:
        """The spreadsheet row at which reading stopped, where one is to blame."""
        row = self.details.get("row")
        return row if isinstance(row, int) else None


class BadValueError(Exception):
    """One cell cannot be read. `parse_row` makes it a `Problem` of that column; the cell's content is never in it."""

    def __init__(self, code: Fault, **details: str | int) -> None:
        self.code = code
        self.details = details
        super().__init__(str(code))
