"""Where providers call us. Each call is believed only by its signature, kept, and answered after the commit."""

from flask import Flask

from outreach.web.webhooks import postgrid, sendgrid, twilio


def add_webhooks(app: Flask) -> None:
    """Open the doors. One whose provider has no key or password in the settings takes every call for forged."""
    for provider in (twilio, sendgrid, postgrid):
        app.register_blueprint(provider.pages)
