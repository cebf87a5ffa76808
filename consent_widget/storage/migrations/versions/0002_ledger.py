"""The ledger: what was announced and who did what, appended and never changed.

What keeps it append-only are the triggers of storage.ledger. `storage.schema`
sets them anew after every upgrade, so that no later migration loses them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "cw_ledger",
        sa.Column("index", _ID, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("body_sha256", sa.String(64), nullable=False),
        sa.Column("root", sa.String(64), nullable=False),
        sa.Column("peaks", sa.Text, nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("signature", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("index", name="pk_cw_ledger"),
    )
    op.create_index("ix_cw_ledger_kind", "cw_ledger", ["kind", "index"])
