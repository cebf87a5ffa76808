"""Everything a use case of one app needs, made once at start-up."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ..config import Settings
from ..core.category import Register
from ..core.ledger_key import LogKey
from ..core.links import Links
from ..core.pseudonym import Pseudonyms
from ..core.signing import ChoiceSigner
from ..core.stamp import Stamps
from ..storage.database import Database
from .schedule import ScheduleCache


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One app's settings, register, keys and database; ``clock`` gives aware times.

    ``log_keys`` sign the ledger: the one of SECRET_KEY, then those of its fallbacks.
    ``stamps`` signs forms and links, ``links`` the links of mails, which never expire;
    ``pseudonyms`` hashes addresses. ``new_token`` gives 32 random bytes in base64 for an
    address. ``wake`` tells a worker that there is something to send; it never fails and
    never waits: what it may lose is found by the next sweep. ``alarm`` tells staff by mail,
    where there is a way to, that something wants them: a code (``campaign_paused``,
    ``not_told_yet``, ``not_told_in_time``, ``mail_refused``) and its details; it never fails.
    """

    settings: Settings
    register: Register
    database: Database
    signer: ChoiceSigner
    log_keys: tuple[LogKey, ...]
    stamps: Stamps
    links: Links
    pseudonyms: Pseudonyms
    fingerprints: tuple[str, ...]
    schedule: ScheduleCache
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    new_token: Callable[[], str]
    wake: Callable[[], None]
    alarm: Callable[[str, Mapping[str, object]], None]
