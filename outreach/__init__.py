"""Tell people whose data was exposed that it happened, in their language, and know who has really been told."""

__version__ = "0.1.0"
