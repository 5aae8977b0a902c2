"""SendGrid's Inbound Parse: an answer by e-mail, handed to us as a form.

Source: https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/setting-up-the-inbound-parse-webhook
"""

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from outreach.providers import inbound_mail
from outreach.providers.contract import Attachment, Forged, InboundMail, Malformed

LARGEST_FORM = 40 * 1024 * 1024  # SendGrid takes mails up to 30 MB, attachments and all.
LONGEST_HEADERS = 200_000


def read_form(body: bytes, content_type: str) -> tuple[dict[str, bytes], dict[str, Attachment]]:
    """The fields and files of a multipart form. Fields stay bytes: each may be in a charset of its own. Raises Malformed."""
    kind, options = parse_options_header(content_type)
    boundary = options.get("boundary", "")
    if kind != "multipart/form-data" or not boundary.isascii() or not boundary:
        raise Malformed("the body is not a multipart form")
    form: dict[str, bytes] = {}
    files: dict[str, Attachment] = {}
    try:
        decoder = MultipartDecoder(boundary.encode(), max_form_memory_size=LARGEST_FORM, max_parts=100)
        decoder.receive_data(body)
        decoder.receive_data(None)
        part: Field | File | None = None
        content = bytearray()
        while not isinstance(event := decoder.next_event(), Epilogue):
            if isinstance(event, NeedData):
                raise Malformed("the form ends in the middle")
            if isinstance(event, Field | File):
                part, content = event, bytearray()
            elif isinstance(event, Data) and part is not None:
                content += event.data
                if event.more_data:
                    continue
                if isinstance(part, File):
                    files[part.name] = Attachment(part.filename, part.headers.get("Content-Type", ""), bytes(content))
                else:
                    form[part.name] = bytes(content)
    except ValueError:
        raise Malformed("the form cannot be read") from None
    return form, files


def verify(password: str, authorization: str | None) -> None:
    """Raises Forged unless the password is ours. Without one, everything is forged."""
    scheme, _, credentials = (authorization or "").partition(" ")
    try:
        given = base64.b64decode(credentials.strip(), validate=True).partition(b":")[2]
    except ValueError:
        raise Forged from None
    if not password or scheme.casefold() != "basic" or not hmac.compare_digest(given, password.encode()):
        raise Forged


def read(form: Mapping[str, bytes], files: Mapping[str, Attachment], read_address: Callable[[str], UUID | None]) -> InboundMail:
    """Raises Malformed for a form with no mail in it."""
    envelope = _json(form, "envelope")
    sender = envelope.get("from")
    envelope_sender = sender if isinstance(sender, str) else None
    token = _token(envelope.get("to"), read_address)
    if "email" in form:  # `send_raw`: the mail as it came
        return inbound_mail.from_mime(form["email"], token=token, envelope_sender=envelope_sender)
    if not form.keys() & {"headers", "text", "html", "subject"}:
        raise Malformed("the form holds no mail")
    charsets = _json(form, "charsets")
    text, html, subject, from_ = (_text(form, name, charsets) for name in ("text", "html", "subject", "from"))
    headers = inbound_mail.headers_of(_text(form, "headers", charsets)[:LONGEST_HEADERS])
    for name, value in (("Subject", subject), ("From", from_)):
        if value and name not in headers:
            headers[name] = " ".join(value.split())
    attachments = [file for name, file in sorted(files.items()) if name.startswith("attachment")]
    return inbound_mail.compose(
        headers, text=text, html=html, attachments=attachments, token=token, envelope_sender=envelope_sender
    )


def _token(to: object, read_address: Callable[[str], UUID | None]) -> UUID | None:
    """Of the addresses the mail was really delivered to, never of those its headers claim."""
    addresses = [address for address in to if isinstance(address, str)] if isinstance(to, list) else []
    return next((token for address in addresses[:50] if (token := read_address(address)) is not None), None)


def _json(form: Mapping[str, bytes], name: str) -> dict[str, Any]:
    try:
        value = json.loads(form.get(name, b"{}"))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _text(form: Mapping[str, bytes], name: str, charsets: Mapping[str, Any]) -> str:
    charset = charsets.get(name)
    return inbound_mail.decode(form.get(name, b""), charset if isinstance(charset, str) else None)
