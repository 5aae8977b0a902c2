"""The message resource and its pages, as JSON of the shape Twilio gives.

https://www.twilio.com/docs/messaging/api/message-resource
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

from outreach.sandbox.books import Message
from outreach.sandbox.errors import DELIVERY

VERSION = "2010-04-01"


def date(seconds: float | None) -> str | None:
    """RFC 2822 in UTC, with +0000 as Twilio writes it."""
    return None if seconds is None else format_datetime(datetime.fromtimestamp(seconds, UTC))


def resource(account: str, message: Message) -> dict[str, Any]:
    uri = f"/{VERSION}/Accounts/{account}/Messages/{message.sid}"
    inbound = message.direction == "inbound"
    # The segments of a text from a Messaging Service are not known before a sender has been chosen.
    segments = "0" if message.service and message.from_ is None else str(message.segments)
    return {
        "account_sid": account,
        "api_version": VERSION,
        "body": message.body,
        "date_created": date(message.created),
        "date_sent": date(message.sent),
        "date_updated": date(message.updated),
        "direction": message.direction,
        "error_code": message.error,
        "error_message": DELIVERY.get(message.error, "Unknown error") if message.error else None,
        "from": message.from_,
        "messaging_service_sid": message.service,
        "num_media": "0",
        "num_segments": segments,
        "price": None,
        "price_unit": None if inbound else "USD",
        "sid": message.sid,
        "status": message.status,
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": message.to,
        "uri": f"{uri}.json",
    }


def page(account: str, messages: Sequence[Message], *, query: dict[str, str], size: int, number: int, more: bool) -> dict[str, Any]:
    """`query` holds the filters, which every address of a page repeats; `more` says whether an older text follows."""
    path = f"/{VERSION}/Accounts/{account}/Messages.json"

    def address(place: int, token: str) -> str:
        return f"{path}?{urlencode({**query, 'PageSize': size, 'Page': place, 'PageToken': token})}"

    return {
        "first_page_uri": f"{path}?{urlencode({**query, 'PageSize': size, 'Page': 0})}",
        "end": max(number * size + len(messages) - 1, 0),
        "previous_page_uri": address(number - 1, f"PB{messages[0].sid}") if number > 0 and messages else None,
        "messages": [resource(account, message) for message in messages],
        "uri": f"{path}?{urlencode({**query, 'PageSize': size, 'Page': number})}",
        "page_size": size,
        "start": number * size,
        "next_page_uri": address(number + 1, f"PA{messages[-1].sid}") if more else None,
        "page": number,
    }
