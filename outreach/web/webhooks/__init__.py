"""Where providers call us. Each call is believed only by its signature, kept, and answered after the commit."""

from flask import Flask

from outreach.web.webhooks import twilio


def add_webhooks(app: Flask) -> None:
    """Open the doors for the providers that the settings name."""
    app.register_blueprint(twilio.pages)
