"""Several connections at once: as many mails on their way as there are lines, and each answer comes back."""

from threading import Event

import pytest

from consent_widget.core.reply import Outcome, Reply, Stage
from consent_widget.mail.lines import Lines

TAKEN = Reply(outcome=Outcome.ACCEPTED, code="2.0.0", text="", stage=Stage.DOT, number=250)


class Slow:
    """A transport that waits at ``gate`` and raises for a recipient that is told to."""

    def __init__(self, gate: Event, *, fails: str = "") -> None:
        self.gate, self.fails = gate, fails
        self.sent: list[str] = []
        self.is_closed = False

    def send(self, message: bytes, *, sender: str, recipient: str) -> Reply:
        self.gate.wait(10)
        if recipient == self.fails:
            raise ZeroDivisionError
        self.sent.append(recipient)
        return TAKEN

    def close(self) -> None:
        self.is_closed = True


def test_each_line_takes_one_mail_and_the_answer_names_it() -> None:
    gate = Event()
    transports = [Slow(gate), Slow(gate)]
    lines: Lines[int] = Lines(transports)
    assert (lines.count, lines.idle, lines.are_quiet, lines.have_answers) == (2, 2, True, False)

    lines.hand_over(1, b"", sender="a", recipient="one")
    lines.hand_over(2, b"", sender="a", recipient="two")
    assert (lines.idle, lines.are_quiet) == (0, False)
    gate.set()
    found: dict[int, Reply] = {}
    while not lines.are_quiet:
        found |= dict(lines.answers())

    assert found == {1: TAKEN, 2: TAKEN}
    assert sorted(transports[0].sent + transports[1].sent) == ["one", "two"]
    assert len(transports[0].sent) == 1
    lines.close()
    assert all(one.is_closed for one in transports)


def test_what_a_transport_raises_is_raised_where_the_answer_is_awaited() -> None:
    gate = Event()
    gate.set()
    transport = Slow(gate, fails="bad")
    lines: Lines[int] = Lines([transport])
    lines.hand_over(1, b"", sender="a", recipient="bad")

    with pytest.raises(ZeroDivisionError):
        lines.answers()

    lines.hand_over(2, b"", sender="a", recipient="good")
    assert lines.answers() == [(2, TAKEN)]
    lines.close()


def test_closing_waits_for_what_is_on_its_way() -> None:
    gate = Event()
    transport = Slow(gate)
    lines: Lines[int] = Lines([transport])
    lines.hand_over(1, b"", sender="a", recipient="one")
    gate.set()

    lines.close()

    assert transport.sent == ["one"]
    assert transport.is_closed
