"""A mail as the bytes that go over the wire: RFC 5322 and MIME, all of it in ASCII.

The headers are put together here and not by the standard library's policy, which folds what is longer than a line into encoded
words: measured on 3.11, that makes an unsubscribe link of ours useless.
"""

import base64
import re
from datetime import UTC, datetime
from email.header import Header
from email.utils import format_datetime
from uuid import UUID

from outreach.providers.contract import Mail, Mailbox

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_BARE = re.compile(r"[A-Za-z0-9 !#$%&'*+/=?^_`{|}~-]+")


class BadHeader(ValueError):
    """A header would hold a line break or another control character: somebody's text would become headers of ours."""


def message_id(bounce: str) -> str:
    """The Message-ID of a mail whose envelope sender is `bounce`. It is signed thereby, and known without any books."""
    return f"<{bounce}>"


def compose(mail: Mail, *, sender: Mailbox, sender_name: str, bounce: str, at: datetime | None = None) -> bytes:
    """The whole message, with CRLF line ends. Only the mailbox may be beyond ASCII (RFC 6531). Raises BadHeader.

    It has one recipient and neither Cc nor Bcc, since nothing here could write them.
    """
    headers = {
        "From": f"{_phrase(sender_name)} <{sender.address}>",
        "To": f"<{mail.to.address}>",
        "Subject": _encoded("Subject", mail.subject),
        "Date": format_datetime(at or datetime.now(UTC)),
        "Message-ID": message_id(bounce),
        "Reply-To": f"<{mail.reply_to.address}>",
        # No machine should answer a machine: https://www.rfc-editor.org/rfc/rfc3834#section-5
        "Auto-Submitted": "auto-generated",
        # https://www.rfc-editor.org/rfc/rfc8058
        "List-Unsubscribe": f"<{mail.unsubscribe_url}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "Content-Language": mail.language,
        "MIME-Version": "1.0",
    }
    boundary = _boundary(mail.token)
    lines = [f"{name}: {_checked(name, value)}" for name, value in headers.items()]
    lines += [f'Content-Type: multipart/alternative; boundary="{boundary}"', ""]
    for subtype, content in (("plain", mail.text), ("html", mail.html)):
        lines += [
            f"--{boundary}",
            f"Content-Type: text/{subtype}; charset=utf-8",
            "Content-Transfer-Encoding: base64",
            "",
            _base64(content),
        ]
    lines += [f"--{boundary}--", ""]
    return "\r\n".join(lines).encode()


def _boundary(token: UUID) -> str:
    """A line that base64 cannot contain, so that no text can end its part early."""
    return f"=_{token.hex}"


def _base64(text: str) -> str:
    crlf = "\r\n".join(text.splitlines()) + "\r\n"
    return base64.encodebytes(crlf.encode()).decode().rstrip("\n").replace("\n", "\r\n")


def _checked(name: str, value: str) -> str:
    if _CONTROL.search(value.replace("\r\n ", " ")):
        raise BadHeader(name)
    return value


def _encoded(name: str, text: str) -> str:
    if text.isascii() or _CONTROL.search(text):
        return text
    return Header(text, "utf-8", header_name=name).encode(linesep="\r\n")


def _phrase(name: str) -> str:
    """A display name: as it is, quoted, or encoded (RFC 5322 §3.2.5, RFC 2047 §5)."""
    if not name.isascii():
        return _encoded("From", name)
    return name if _BARE.fullmatch(name) else '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
