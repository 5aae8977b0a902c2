"""`python -m outreach sandbox`: the sandbox carrier in the foreground."""

import asyncio
from pathlib import Path

import click
from aiohttp.web import GracefulExit

from outreach.sandbox.config import Config, ConfigError, from_environment, numbers
from outreach.sandbox.server import serve


@click.command("sandbox")
@click.option("--port", type=int, help="Where it listens. [SANDBOX_PORT, default 8025]")
@click.option("--host", help="The address it listens on. [SANDBOX_HOST, default 127.0.0.1]")
@click.option("--books", type=click.Path(path_type=Path, dir_okay=False), help="Its books. [SANDBOX_BOOKS]")
@click.option("--account-sid", help="The account our side signs in with. [TWILIO_ACCOUNT_SID]")
@click.option("--numbers", type=numbers, help="The account's senders, with commas; none: any. [SANDBOX_NUMBERS]")
@click.option("--inbound-url", help="Where answers of phones go; a path is meant on the base. [SANDBOX_INBOUND_URL]")
@click.option("--public-webhook-base", "public_base", help="Our public address. [SANDBOX_PUBLIC_WEBHOOK_BASE]")
@click.option(
    "--local-webhook-base",
    "local_base",
    help="Where webhooks for the public address are really sent; the signature keeps the public one. [SANDBOX_LOCAL_WEBHOOK_BASE]",
)
@click.option("--status-delay-ms", type=int, help="Between two statuses. [SANDBOX_STATUS_DELAY_MS, default 100]")
@click.option("--reply-delay-ms", type=int, help="Before scripted answers. [SANDBOX_REPLY_DELAY_MS, default 400]")
@click.option("--callback-pool", type=int, help="Callbacks in flight at once. [SANDBOX_CALLBACK_POOL, default 20]")
@click.option("--callback-retries", type=int, help="Tries after the first. [SANDBOX_CALLBACK_RETRIES, default 3]")
@click.option("--opt-out-replies/--no-opt-out-replies", default=None, help="Twilio's own texts. [SANDBOX_OPT_OUT_REPLIES]")
@click.option("--population/--no-population", default=None, help="People who fail and answer. [SANDBOX_POPULATION]")
@click.option("--mail-events-url", help="Where events about mails go; a path is meant on the base. [SANDBOX_MAIL_EVENTS_URL]")
@click.option("--inbound-mail-url", help="Where answers by e-mail go, likewise. [SANDBOX_INBOUND_MAIL_URL]")
@click.option("--raw-inbound/--parsed-inbound", default=None, help="Answers by e-mail as MIME, or parsed. [SANDBOX_RAW_INBOUND]")
@click.option("--post-webhook-url", help="Where events about letters go; a path is meant on the base. [SANDBOX_POST_WEBHOOK_URL]")
@click.option("--post-webhook-format", help="json, or jwt as PostGrid's default is. [SANDBOX_POST_WEBHOOK_FORMAT, default json]")
@click.option("--letter-delay-ms", type=int, help="Between two statuses of a letter. [SANDBOX_LETTER_DELAY_MS, default 2000]")
@click.option("--seed", type=int, help="Decides faults and the population. [SANDBOX_SEED, default 1]")
def command(**options: object) -> None:
    """Run the sandbox carrier: it speaks Twilio's protocol and sends no real text.

    Two secrets come from the environment only: TWILIO_AUTH_TOKEN, with which our side signs in and callbacks are
    signed, and SANDBOX_CONTROL_TOKEN for the control interface; without the latter one is made up and shown to nobody.
    """
    try:
        given = {name: value for name, value in options.items() if value is not None}
        defaults: dict[str, object] = {"port": 8025, "auth_token": "", "books": Path("var/sandbox.sqlite")}
        config = Config(**(defaults | from_environment() | given))  # type: ignore[arg-type]  # Checked by click and OPTIONS.
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Sandbox carrier on http://{config.host}:{config.port}/ . No real text leaves this machine.")
    try:
        asyncio.run(serve(config))
    except OSError as error:
        raise click.ClickException(
            f"The sandbox cannot listen on {config.host}:{config.port} ({error.strerror or 'address in use'})."
            " Choose another port with --port or SANDBOX_PORT, or stop what uses this one."
        ) from error
    except (KeyboardInterrupt, GracefulExit):
        click.echo("Sandbox stopped.")
