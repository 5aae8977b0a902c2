"""The sandbox carrier: a program of its own that speaks Twilio's protocol and sends no real text to anybody.

It knows nothing of this project's database, settings or web panel. Whatever is proven against it is proven through
the same HTTP requests, callbacks and signatures that Twilio uses, and its books are kept apart from ours.
"""
