"""The incarnation: which life of the database this is.

A database that was restored or taken over by a replica has forgotten what was sent since. Then the engine starts frozen, until the
providers' books have been read and what they hold is on record again.
"""

from datetime import datetime

from sqlalchemy import BigInteger, SmallInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from outreach.db import Base


class Incarnation(Base):
    """One row (`id` 1): the life that was last reconciled.

    `deployment` is what the settings called it; `cluster` and `timeline` are PostgreSQL's own, which change when a dump is loaded
    into another server, and when a replica is promoted or a backup recovered.
    """

    __tablename__ = "incarnation"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    deployment: Mapped[str] = mapped_column(Text)
    cluster: Mapped[int] = mapped_column(BigInteger)
    timeline: Mapped[int] = mapped_column(BigInteger)
    reconciled_at: Mapped[datetime]
    frozen_at: Mapped[datetime | None]  # since when it is known that this is another life
