"""One line for each request: the route's template, never the address itself, its query or what was sent."""

import time

import structlog
from flask import Flask, Response, g, request

from outreach.web.panel import account_or_none

log = structlog.get_logger("outreach.web")


def log_requests(app: Flask) -> None:
    """Log method, route, status, milliseconds and account of every answer but those of static files."""

    @app.before_request
    def start() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def write(response: Response) -> Response:
        if request.endpoint != "static":
            found = account_or_none()
            log.info(
                "request",
                method=request.method,
                route=request.url_rule.rule if request.url_rule else None,
                status=response.status_code,
                milliseconds=round((time.perf_counter() - g.started) * 1000, 1) if "started" in g else None,
                account=str(found.id) if found else None,
            )
        return response
