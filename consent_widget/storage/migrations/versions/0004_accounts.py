"""Staff accounts for hosts without a sign-in of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "cw_staff_account",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("roles", sa.JSON, nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("password_until", _TIME),
        sa.Column("second_factor", sa.Text),
        sa.Column("second_factor_step", sa.BigInteger),
        sa.Column("lost_mark", sa.String(64)),
        sa.Column("lost_until", _TIME),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("closed_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_cw_staff_account"),
        sa.UniqueConstraint("email", name="uq_cw_staff_account_email"),
        sa.UniqueConstraint("lost_mark", name="uq_cw_staff_account_lost_mark"),
    )
    op.create_table(
        "cw_staff_session",
        sa.Column("mark", sa.String(64), nullable=False),
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("step", sa.String(16), nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("seen_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("mark", name="pk_cw_staff_session"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["cw_staff_account.id"], name="fk_cw_staff_session_account_id_cw_staff_account"
        ),
    )
    op.create_index("ix_cw_staff_session_account_id", "cw_staff_session", ["account_id"])
    op.create_table(
        "cw_staff_known",
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("mark", sa.String(64), nullable=False),
        sa.Column("seen_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "mark", name="pk_cw_staff_known"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["cw_staff_account.id"], name="fk_cw_staff_known_account_id_cw_staff_account"
        ),
    )
    op.create_table(
        "cw_staff_guess",
        sa.Column("mark", sa.String(64), nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("ends_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("mark", name="pk_cw_staff_guess"),
    )
