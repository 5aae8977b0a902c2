"""The facts that a roster's columns can hold. The names by which rosters call them are data: `headers.toml`."""

from enum import StrEnum


class Field(StrEnum):
    """One fact about a person. A roster may have up to three A-numbers and phones per row."""

    A_NUMBER = "a_number"
    A_NUMBER_2 = "a_number_2"
    A_NUMBER_3 = "a_number_3"
    FULL_NAME = "full_name"
    GIVEN_NAME = "given_name"
    MIDDLE_NAME = "middle_name"
    FAMILY_NAME = "family_name"
    SECOND_FAMILY_NAME = "second_family_name"
    NAME_SUFFIX = "name_suffix"
    NATIVE_NAME = "native_name"
    BIRTH_DATE = "birth_date"
    BIRTH_PRECISION = "birth_precision"
    NATIONALITY = "nationality"
    BIRTH_COUNTRY = "birth_country"
    CUSTODY = "custody"
    CUSTODY_SINCE = "custody_since"
    BOOKED_IN_ON = "booked_in_on"
    RELEASED_ON = "released_on"
    REMOVED_ON = "removed_on"
    FACILITY_CODE = "facility_code"
    FACILITY_NAME = "facility_name"
    LANGUAGE = "language"
    SECOND_LANGUAGE = "second_language"
    READS = "reads"
    INTERPRETER = "interpreter"
    POSTURE = "posture"
    PROTECTED = "protected"
    PHONE = "phone"
    PHONE_ROLE = "phone_role"
    PHONE_SAFETY = "phone_safety"
    PHONE_CONFIRMED_ON = "phone_confirmed_on"
    PHONE_2 = "phone_2"
    PHONE_2_ROLE = "phone_2_role"
    PHONE_2_SAFETY = "phone_2_safety"
    PHONE_2_CONFIRMED_ON = "phone_2_confirmed_on"
    PHONE_3 = "phone_3"
    PHONE_3_ROLE = "phone_3_role"
    PHONE_3_SAFETY = "phone_3_safety"
    PHONE_3_CONFIRMED_ON = "phone_3_confirmed_on"
    EMAIL = "email"
    EMAIL_ROLE = "email_role"
    EMAIL_SAFETY = "email_safety"
    EMAIL_CONFIRMED_ON = "email_confirmed_on"
    EMAIL_2 = "email_2"
    CARE_OF = "care_of"
    ADDRESS = "address"
    ADDRESS_LINE_1 = "address_line_1"
    ADDRESS_LINE_2 = "address_line_2"
    CITY = "city"
    STATE = "state"
    POSTAL_CODE = "postal_code"
    COUNTRY = "country"
    ADDRESS_ROLE = "address_role"
    ADDRESS_SAFETY = "address_safety"
    ADDRESS_CONFIRMED_ON = "address_confirmed_on"
    EXPOSED_ON = "exposed_on"
    # The attorney who represents the person.
    ATTORNEY_NAME = "attorney_name"
    ATTORNEY_PHONE = "attorney_phone"
    ATTORNEY_EMAIL = "attorney_email"
    ATTORNEY_FIRM = "attorney_firm"
    ATTORNEY_ADDRESS = "attorney_address"
    ATTORNEY_EOIR_ID = "attorney_eoir_id"
    ATTORNEY_BAR_STATE = "attorney_bar_state"
    ATTORNEY_BAR_NUMBER = "attorney_bar_number"
    ATTORNEY_G28 = "attorney_g28"  # yes, no, or the day on which the form was filed
    ATTORNEY_EOIR28 = "attorney_eoir28"
    # A column that staff chose to leave out.
    IGNORED = "ignored"


ATTORNEY_FIELDS = frozenset(field for field in Field if field.startswith("attorney_"))
DATE_FIELDS = frozenset(
    {
        Field.BIRTH_DATE,
        Field.CUSTODY_SINCE,
        Field.BOOKED_IN_ON,
        Field.RELEASED_ON,
        Field.REMOVED_ON,
        Field.PHONE_CONFIRMED_ON,
        Field.PHONE_2_CONFIRMED_ON,
        Field.PHONE_3_CONFIRMED_ON,
        Field.EMAIL_CONFIRMED_ON,
        Field.ADDRESS_CONFIRMED_ON,
        Field.EXPOSED_ON,
        Field.ATTORNEY_G28,
        Field.ATTORNEY_EOIR28,
    }
)
# When a file has the same column twice, the second one is taken as the next of these.
NEXT = {
    Field.A_NUMBER: Field.A_NUMBER_2,
    Field.A_NUMBER_2: Field.A_NUMBER_3,
    Field.PHONE: Field.PHONE_2,
    Field.PHONE_2: Field.PHONE_3,
    Field.PHONE_ROLE: Field.PHONE_2_ROLE,
    Field.PHONE_2_ROLE: Field.PHONE_3_ROLE,
    Field.PHONE_SAFETY: Field.PHONE_2_SAFETY,
    Field.PHONE_2_SAFETY: Field.PHONE_3_SAFETY,
    Field.PHONE_CONFIRMED_ON: Field.PHONE_2_CONFIRMED_ON,
    Field.PHONE_2_CONFIRMED_ON: Field.PHONE_3_CONFIRMED_ON,
    Field.EMAIL: Field.EMAIL_2,
    Field.ADDRESS_LINE_1: Field.ADDRESS_LINE_2,
    Field.LANGUAGE: Field.SECOND_LANGUAGE,
    Field.FAMILY_NAME: Field.SECOND_FAMILY_NAME,
}
