"""Indexes for lists that grow with the years: the audit log, replies, letters that came back, and who has been told.

Revision: 0007, after 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("audit_entry_action_idx", "audit_entry", ["action", "seq"], unique=False)
    op.create_index(
        "audit_entry_actor_idx", "audit_entry", ["actor_id", "seq"], unique=False, postgresql_where="actor_id is not null"
    )
    op.create_index("reply_received_idx", "reply", ["received_at", "id"], unique=False)
    op.create_index("outcome_told_idx", "outcome", ["campaign_id", "person_id"], unique=False, postgresql_where="state = 'told'")
    op.create_index("letter_returned_idx", "letter", ["state_at"], unique=False, postgresql_where="state = 'returned'")


def downgrade() -> None:
    op.drop_index("letter_returned_idx", table_name="letter", postgresql_where="state = 'returned'")
    op.drop_index("outcome_told_idx", table_name="outcome", postgresql_where="state = 'told'")
    op.drop_index("reply_received_idx", table_name="reply")
    op.drop_index("audit_entry_actor_idx", table_name="audit_entry", postgresql_where="actor_id is not null")
    op.drop_index("audit_entry_action_idx", table_name="audit_entry")
