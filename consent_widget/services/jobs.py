"""Periodic jobs: each is run by one worker at a time, however many there are and wherever they run."""

from datetime import datetime, timedelta

from ..storage.job import take_job
from .deployment import Deployment


def take(deployment: Deployment, name: str, every: timedelta, now: datetime) -> bool:
    """Whether the caller is to run the job now: it is due, and no other worker was faster.

    Due is what was not taken for ``every``. Workers whose clocks differ by more than that
    each run it at their own pace, so a job must bear to be run twice.

    Raises:
        StoreUnavailable: nobody took it; ask again.
    """
    with deployment.database.writing() as connection:
        return take_job(connection, name, every=every, now=now)
