"""Who worked on a version, its revision, and the text a translation was made from."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_COLUMNS: tuple[tuple[str, sa.types.TypeEngine[Any]], ...] = (
    ("new_kinds", sa.JSON()),
    ("edited_by", sa.String(255)),
    ("edited_at", _TIME),
    ("submitted_by", sa.String(255)),
    ("submitted_at", _TIME),
    ("approved_by", sa.String(255)),
    ("approved_at", _TIME),
    ("approved_hash", sa.String(64)),
    ("announced_by", sa.String(255)),
    ("withdrawn_by", sa.String(255)),
    ("withdrawn_at", _TIME),
    ("comment", sa.Text()),
    ("reason", sa.Text()),
    ("overrides", sa.JSON()),
    ("withdrawal_reason", sa.Text()),
)


def upgrade() -> None:
    # One by one: a batch would copy the table, and SQLite refuses to drop the one that texts point to.
    op.add_column("cw_notice_version", sa.Column("revision", sa.Integer, nullable=False, server_default="1"))
    for name, kind in _COLUMNS:
        op.add_column("cw_notice_version", sa.Column(name, kind))
    op.add_column("cw_notice_text", sa.Column("source_hash", sa.String(64)))
    # What was imported together was translated from its neighbour.
    op.execute(
        "UPDATE cw_notice_text SET source_hash = (SELECT source.content_hash FROM cw_notice_text AS source"
        " WHERE source.version_id = cw_notice_text.version_id AND source.language = 'vi')"
        " WHERE language <> 'vi'"
    )
