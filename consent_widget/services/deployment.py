"""Everything a use case of one app needs, made once at start-up."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ..config import Settings
from ..core.category import Register
from ..core.signing import ChoiceSigner
from ..storage.database import Database
from .schedule import ScheduleCache


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One app's settings, register, keys and database; ``clock`` gives aware times."""

    settings: Settings
    register: Register
    database: Database
    signer: ChoiceSigner
    fingerprints: tuple[str, ...]
    schedule: ScheduleCache
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
