"""Who sends a notice now, how often it was tried, and what took it.

What is pending and waits for no history is ready since it was written; what was sent left by the outbox, which keeps.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """From the schema before to this one; run by Alembic."""
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.add_column(sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("next_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("tries", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("doubtful", sa.Boolean(), nullable=True))
        batch_op.add_column(sa.Column("recalled", sa.Boolean(), nullable=True))
        batch_op.add_column(sa.Column("last_code", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("sent_by", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("reason", sa.String(), nullable=True))
    connection = op.get_bind()
    ready = "coalesce(not_before, changed_at)"
    waits = "state = 'pending' AND batch IS NULL AND run IS NOT NULL"
    connection.execute(sa.text(f"UPDATE notices SET ready_at = {ready}, next_at = {ready} WHERE {waits}"))
    # The release before reached nobody: what it sent, it kept, so nothing that waits may have arrived.
    connection.execute(sa.text("UPDATE notices SET sent_by = 'outbox' WHERE state = 'sent'"))
    connection.execute(
        sa.text(
            "UPDATE notices SET tries = CASE state WHEN 'sent' THEN 1 ELSE 0 END, doubtful = false, recalled = false"
        )
    )
    op.create_index("notices_due", "notices", ["state", "next_at"])
