"""Staff: who may work on notices, and in which role."""

from dataclasses import dataclass

#: author drafts; approver approves and announces; officer answers for personal data; auditor reads.
ROLES = frozenset({"author", "approver", "officer", "auditor"})

#: Who has a shell on the host; the ledger knows no more of them than that.
COMMAND_LINE = "command line"

#: Stands in the ledger for what the software did by itself.
SYSTEM = "system"


@dataclass(frozen=True)
class Staff:
    """One member of staff as the host knows them; ``id`` is stable, ``roles`` out of :data:`ROLES`."""

    id: str
    name: str
    roles: frozenset[str]
    email: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "roles", frozenset(self.roles))
        unknown = self.roles - ROLES
        if unknown:
            raise ValueError(f"unknown role {sorted(unknown)[0]!r}; known are {', '.join(sorted(ROLES))}")
