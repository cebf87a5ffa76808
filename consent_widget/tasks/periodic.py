"""The periodic jobs: what, and how often. Each is run by one of all workers."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..services.deployment import Deployment
from ..services.erasure import scrub
from ..services.jobs import take
from ..services.retention import purge
from ..services.upkeep import sweep

logger = logging.getLogger("consent_widget.worker")


@dataclass(frozen=True, kw_only=True)
class Job:
    """``run`` gets the time; it must bear to be run twice."""

    name: str
    every: timedelta
    run: Callable[[Deployment, datetime], object]


def _scrub(deployment: Deployment, now: datetime) -> None:
    left = scrub(deployment, now=now)
    if left is not None:
        logger.warning("The files of the database still hold what was erased: %s. It is tried again.", left)


JOBS = (
    Job(name="sweep", every=timedelta(minutes=1), run=lambda deployment, now: sweep(deployment, now=now)),
    Job(name="purge", every=timedelta(hours=1), run=lambda deployment, now: purge(deployment, now=now)),
    # The purge does it as well, but whoever erased themselves was told that it is done.
    Job(name="scrub", every=timedelta(minutes=15), run=_scrub),
)


def run_due(deployment: Deployment) -> None:
    """Run the jobs that are due and that no other worker has taken.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    for job in JOBS:
        now = deployment.clock()
        if take(deployment, job.name, job.every, now):
            job.run(deployment, now)
