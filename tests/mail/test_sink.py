"""The servers of the tests as processes of their own: what they noted outlives them."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from consent_widget.core.reply import Outcome
from consent_widget.mail.url import open_transport
from tests.mail.conftest import MESSAGE, RECIPIENT, SENDER
from tests.mail.journal import Journal

ROOT = Path(__file__).parents[2]


@contextmanager
def process(module: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as running:
        assert running.stdout is not None
        try:
            yield running, int(running.stdout.readline())
        finally:
            running.terminate()


@pytest.mark.parametrize("module", ["tests.mail.sink", "tests.mail.scripted"])
@pytest.mark.parametrize("last", [signal.SIGTERM, signal.SIGKILL])
def test_a_process_notes_each_mail_before_it_answers(
    tmp_path: Path, module: str, last: signal.Signals
) -> None:
    journal, mails = tmp_path / "journal.jsonl", tmp_path / "mails"
    with process(module, "--journal", str(journal), "--mails", str(mails)) as (running, port):
        transport = open_transport(f"smtp://127.0.0.1:{port}")()
        assert transport.send(MESSAGE, sender=SENDER, recipient=RECIPIENT).outcome is Outcome.ACCEPTED
        running.send_signal(last)
        assert running.wait(10) == (-last if last is signal.SIGKILL else 0)
        transport.close()

    (mail,) = Journal(journal, mails).read()
    assert (mail.recipients, mail.sender, mail.raw) == ((RECIPIENT,), SENDER, MESSAGE)


def test_faults_come_as_often_as_asked_and_the_same_each_time(tmp_path: Path) -> None:
    outcomes = []
    for run in range(2):
        journal = tmp_path / f"{run}.jsonl"
        faults = ("--fault", "rcpt:450 4.2.1 Busy:0.3", "--fault", "dot:drop:0.1", "--seed", "7")
        with process("tests.mail.scripted", "--journal", str(journal), *faults) as (_, port):
            transport = open_transport(f"smtp://127.0.0.1:{port}")()
            recipients = [f"reader{number}@good.example" for number in range(100)]
            replies = [transport.send(MESSAGE, sender=SENDER, recipient=one) for one in recipients]
            transport.close()
        outcomes.append([reply.outcome for reply in replies])
        # What was dropped after the dot was taken all the same.
        taken = outcomes[-1].count(Outcome.ACCEPTED) + outcomes[-1].count(Outcome.UNKNOWN)
        assert len(Journal(journal).read()) == taken

    assert outcomes[0] == outcomes[1]
    assert 15 <= outcomes[0].count(Outcome.TEMPORARY) <= 45
    assert 1 <= outcomes[0].count(Outcome.UNKNOWN) <= 20
