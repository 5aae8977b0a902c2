"""When a provider last answered about an attempt, beside when it was last asked: a look that saw nothing is made again.

Revision: 0006, after 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempt", sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("update attempt set seen_at = checked_at where state in ('accepted', 'sent') and checked_at is not null")


def downgrade() -> None:
    op.drop_column("attempt", "seen_at")
