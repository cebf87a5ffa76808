"""Workers are killed at random moments (KL-001): nothing is lost, nothing is sent twice, every number is true."""

from pathlib import Path

import pytest

from tests.tasks.crew import mail_server, post, reckon
from tests.volume import volume

WORKERS = 3
CONNECTIONS = 2
READERS = volume(300, 2000)
KILLS = volume(8, 30)


@pytest.mark.parametrize("seed", range(volume(1, 3)))
def test_killed_workers_lose_nothing_and_send_nothing_twice(
    database_url: str, tmp_path: Path, seed: int
) -> None:
    """The server notes a mail, waits, and only then says 250: a worker killed meanwhile never hears it."""
    with (
        mail_server(tmp_path, "sink", "--delay", "0.01") as (mail_url, journal),
        post(tmp_path, database_url, mail_url=mail_url, journal=journal, readers=READERS) as site,
    ):
        site.crew.start(WORKERS)
        killed = site.kill_at_random(KILLS, rows=READERS, seed=seed, seconds=volume(60, 300))
        site.until(site.is_done, seconds=60)
        site.crew.end()

        found = reckon(site)

    assert found.is_flawless, found
    assert killed == KILLS
    assert found.unknown <= KILLS * WORKERS
    assert len({mail.message_id for mail in journal.read()}) == len(journal.read())
