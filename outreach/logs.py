"""Logging: one JSON object a line, with ids, counts and codes; never a name, a number or a text.

What libraries log is reduced to where it came from: their messages may hold what they were working on.
"""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog

NOISY = ("twilio", "sendgrid", "python_http_client", "urllib3", "aiohttp", "rq", "alembic", "sqlalchemy")
OURS = "outreach"


def start() -> None:
    """Set up logging for this process. Safe to repeat."""
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_messages,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Bare())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)


def where(error: BaseException) -> list[str]:
    """The lines an exception passed through, as file:line, without values or its message."""
    return [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)][-8:]


def _without_messages(_logger: object, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Exceptions by type and place only: their messages may hold a number or a name."""
    error = entry.pop("exc_info", None)
    if isinstance(error, BaseException):
        entry.update(error=type(error).__name__, where=where(error))
    return entry


class _Bare(logging.Formatter):
    """A library's record as its logger, level and place. Its text is dropped."""

    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None
        kind = f', "error": "{type(error).__name__}"' if error else ""
        place = f"{record.filename}:{record.lineno}"
        return f'{{"event": "{record.name}", "level": "{record.levelname.lower()}", "where": "{place}"{kind}}}'
