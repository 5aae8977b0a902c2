"""`python -m outreach ticker`: rings the doorbell for what PostgreSQL says is due. One is enough; two do no harm."""

import time

import click
import structlog

from outreach import logs

log = structlog.get_logger()


@click.command()
def command() -> None:
    """Ring for due work until told to stop."""
    from sqlalchemy.exc import OperationalError

    from outreach import jobs
    from outreach.delivery import heartbeat

    logs.start()
    machine = jobs.machine()
    chosen = machine.settings
    by = jobs.carriers(chosen)
    swept_at = 0.0
    while True:
        began = time.monotonic()
        try:
            with machine.sessions.begin() as session:
                heartbeat.beat(session, heartbeat.TICKER)
                wanted = jobs.due(session, by, chosen.carrier_day_zone)
        except OperationalError as error:
            log.error("ticker.database_unreachable", error=type(error).__name__)
            wanted = []
        if began - swept_at >= chosen.sweep_seconds:
            wanted.append(jobs.sweep_up)
            swept_at = began
        for job in wanted:
            jobs.ring(chosen, job)
        time.sleep(max(0.0, chosen.ticker_seconds - (time.monotonic() - began)))
