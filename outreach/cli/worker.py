"""`python -m outreach worker`: one RQ worker. `worker.py` at the top of the project is the same."""

import click

from outreach import logs


@click.command()
def command() -> None:
    """Run one worker until it is told to stop. It finishes the job it has in hand first."""
    main()


def main() -> None:
    """Forks for each job. Everything heavy is imported before the fork, and nothing is connected that the forks would share."""
    from redis import Redis
    from rq import Worker
    from rq.serializers import JSONSerializer
    from sqlalchemy.orm import configure_mappers

    from outreach import jobs

    logs.start()
    chosen = jobs.machine().settings
    configure_mappers()
    worker = Worker(
        [jobs.QUEUE],
        connection=Redis.from_url(chosen.redis_url),
        serializer=JSONSerializer,
        job_class=jobs.AllowedJob,
        exception_handlers=[jobs.report_failure],
        disable_default_exception_handler=True,
        log_job_description=False,
        worker_ttl=60,  # seconds: a connection that hangs is given up after 55 of them, not after RQ's own seven minutes
    )
    worker.work(logging_level="WARNING")
