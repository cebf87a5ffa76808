"""The periodic jobs: what, and how often. Each is run by one of all workers."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..services.deployment import Deployment
from ..services.erasure import scrub
from ..services.jobs import take
from ..services.retention import purge
from ..services.upkeep import sweep


@dataclass(frozen=True, kw_only=True)
class Job:
    """``run`` gets the time; it must bear to be run twice."""

    name: str
    every: timedelta
    run: Callable[[Deployment, datetime], object]


JOBS = (
    Job(name="sweep", every=timedelta(minutes=1), run=lambda deployment, now: sweep(deployment, now=now)),
    # Before the purge, which does it as well: whoever erased themselves was told that it is done.
    Job(name="scrub", every=timedelta(minutes=5), run=lambda deployment, now: scrub(deployment, now=now)),
    Job(name="purge", every=timedelta(hours=1), run=lambda deployment, now: purge(deployment, now=now)),
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
