"""Twilio's error codes that the sandbox can answer with. https://www.twilio.com/docs/api/errors"""

import json

MORE_INFO = "https://www.twilio.com/docs/errors/{code}"

# Code -> HTTP status and the sentence Twilio sends with it.
REFUSALS: dict[int, tuple[int, str]] = {
    20001: (400, "Invalid parameter"),
    20003: (401, "Authenticate"),
    20009: (400, "Message body redaction is not possible while the message is not in a final state"),
    20404: (404, "The requested resource {path} was not found"),
    20429: (429, "Too Many Requests"),
    20500: (500, "An internal server error has occurred"),
    21211: (400, "The 'To' number {to} is not a valid phone number."),
    21212: (400, "The 'From' number {from_} is not a valid phone number, shortcode, or alphanumeric sender ID."),
    21217: (400, "Phone number does not appear to be valid"),
    21266: (400, "'To' and 'From' number cannot be the same: {to}"),
    21408: (400, "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: {to}."),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' phone number is required."),
    21604: (400, "A 'To' phone number is required."),
    21606: (400, "The From phone number {from_} is not a valid, SMS-capable inbound phone number or short code."),
    21609: (400, "The StatusCallback URL {callback} is not a valid URL."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21611: (429, "This 'From' number has exceeded the maximum number of queued messages"),
    21612: (400, "The 'To' phone number: {to}, is not currently reachable using the 'From' phone number."),
    21614: (400, "'To' number is not a valid mobile number"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit."),
    21635: (400, "'To' number cannot be a landline"),
    30409: (400, "This message cannot be canceled"),
    30002: (400, "Account suspended"),
    30032: (400, "Toll-free number has not been verified"),
    30034: (400, "US A2P 10DLC - Message from an Unregistered Number"),
    63038: (429, "Account exceeded the daily messages limit"),
}

# Codes that come with a final status of undelivered or failed.
DELIVERY: dict[int, str] = {
    30001: "Queue overflow",
    30002: "Account suspended",
    30003: "Unreachable destination handset",
    30004: "Message blocked",
    30005: "Unknown destination handset",
    30006: "Landline or unreachable carrier",
    30007: "Message filtered",
    30008: "Unknown error",
    30017: "Carrier network congestion",
    30022: "US A2P 10DLC - Rate Limits Exceeded",
    30032: "Toll-free number has not been verified",
    30034: "US A2P 10DLC - Message from an Unregistered Number",
    30036: "Validity period expired",
    21610: "Attempt to send to unsubscribed recipient",
}


class Refusal(Exception):
    """A request that Twilio would refuse, with the code it would give."""

    def __init__(self, code: int, *, http_status: int | None = None, **facts: str) -> None:
        status, sentence = REFUSALS.get(code, (400, DELIVERY.get(code, "The message could not be accepted")))
        self.code = code
        self.http_status = http_status or status
        # The facts come from the request and may hold braces of their own, so only known names are put in.
        for name, value in facts.items():
            sentence = sentence.replace("{" + name + "}", value)
        self.sentence = sentence
        super().__init__(f"{code}")

    def body(self) -> str:
        return json.dumps(
            {
                "code": self.code,
                "message": self.sentence,
                "more_info": MORE_INFO.format(code=self.code),
                "status": self.http_status,
            }
        )
