"""The least that an answer to a callback can cost: read the form, one INSERT, one COMMIT. For gunicorn, as the system's own app."""

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

import psycopg

INSERT = "insert into floor_event (provider_id, status, received_at) values (%s, %s, now())"

_local = threading.local()


def app(environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
    form = dict(parse_qsl(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode()))
    if not hasattr(_local, "connection"):
        _local.connection = psycopg.connect(os.environ["DATABASE_URL"].replace("+psycopg", ""))
    _local.connection.execute(INSERT, [form["MessageSid"], form["MessageStatus"]])
    _local.connection.commit()
    start_response("204 No Content", [])
    return []
