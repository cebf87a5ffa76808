"""DS, PI, RC: floods at the sign-up, what its answers tell, and many clicks at the same instant."""

import math
import threading
import time
from collections.abc import Sequence
from functools import partial

import pytest
from sqlalchemy import select
from werkzeug.middleware.proxy_fix import ProxyFix

from consent_widget.core.campaign import State as Campaign
from consent_widget.core.links import MANAGE, UNSUBSCRIBE
from consent_widget.services.suppression import suppress
from consent_widget.storage.database import metadata
from tests.attacks.cases import Case, attack
from tests.attacks.conftest import MakeTarget
from tests.attacks.subscribers import ONE_CLICK, SUBSCRIBE, Readers, make_readers
from tests.attacks.target import at_once
from tests.attacks.wire import served
from tests.factories import Clock
from tests.mailroom import Mailroom, Relay
from tests.volume import volume


@pytest.fixture
def readers(make_target: MakeTarget, database_url: str, clock: Clock) -> Readers:
    return make_readers(make_target, database_url, clock=clock)


@pytest.fixture
def quick(make_target: MakeTarget, sqlite_url: str, clock: Clock) -> Readers:
    """On one kind of database, where it is not the subject."""
    return make_readers(make_target, sqlite_url, clock=clock)


#: How one mailbox may be spelled, as far as some servers go.
SPELLED = (
    "victim@good.example",
    "VICTIM@good.example",
    "victim+{}@good.example",
    "vic.tim@good.example",
    "v.i.c.t.i.m+{}@Good.Example",
)


@attack("DS-001")
@pytest.mark.parametrize("networks", [1, 500])
def test_mail_bombing(case: Case, networks: int, quick: Readers) -> None:
    """However it is spelled and from wherever it is asked: three letters a day."""
    answers = set()
    for turn in range(volume(40, 5000)):
        spelled = SPELLED[turn % len(SPELLED)].format(turn)
        answer = quick.sign_up(spelled, network=f"10.1.{turn % networks >> 8}.{turn % networks & 255}")
        said = answer.data.replace(spelled.encode(), b"(typed)")
        answers.add((answer.status_code, said if answer.status_code == 202 else b""))
        quick.box.collect()

    assert len(quick.box.relay.taken) == 3
    assert {status for status, _ in answers} <= {202, 429}
    assert len([1 for status, _ in answers if status == 202]) == 1


@attack("DS-001")
def test_mail_bombing_of_a_subscriber(case: Case, quick: Readers, clock: Clock) -> None:
    quick.confirmed("victim@good.example")
    clock.tick(days=2)
    before = len(quick.box.relay.taken)

    for turn in range(volume(20, 1000)):
        assert quick.sign_up(SPELLED[turn % 2]).status_code == 202
        quick.box.collect()

    assert len(quick.box.relay.taken) - before == 1
    assert quick.state("victim@good.example") == "confirmed"


@attack("DS-007")
@pytest.mark.parametrize("lang, words", [("vi", "Có quá nhiều yêu cầu"), ("en", "Too many requests")])
def test_answer_to_too_many(case: Case, lang: str, words: str, quick: Readers, clock: Clock) -> None:
    """On each address that has a limit; everything else goes on, and the limit ends."""
    one = quick.confirmed()
    waiting = quick.asked("waiting@good.example")
    clock.tick(days=4)
    for number in range(20):
        assert quick.sign_up(f"reader{number}@good.example", network="192.0.2.1").status_code == 202
    limited: list[tuple[str, dict[str, str]]] = [
        (f"{SUBSCRIBE}?lang={lang}", {"email": "more@good.example", "lang": lang}),
        (f"{waiting}?lang={lang}", {"action": "again"}),
        (
            f"{quick.manage_link(one)}?lang={lang}",
            {"action": "save", "email": "new@good.example", "lang": lang},
        ),
    ]

    for path, data in limited:
        answer = quick.send(path, data, network="192.0.2.1")
        assert answer.status_code == 429, path
        assert 0 < int(answer.headers["Retry-After"]) <= 3600
        assert words in answer.text

    page = quick.send(limited[0][0], limited[0][1], network="192.0.2.1")
    assert 'data-consent-widget="banner"' in page.text
    chosen = quick.send("/privacy/preferences", {"action": "reject_all"}, network="192.0.2.1")
    assert chosen.status_code == 303
    assert quick.send(quick.unsubscribe_link(one), ONE_CLICK, network="192.0.2.1").status_code == 200
    clock.tick(hours=1)
    assert quick.send(*limited[0], network="192.0.2.1").status_code == 202


@attack("DS-007")
def test_own_proxy_is_not_locked_out(
    case: Case, make_target: MakeTarget, sqlite_url: str, clock: Clock
) -> None:
    """Behind it everybody has an address of their own; what else a client claims counts for nothing."""
    readers = make_readers(make_target, sqlite_url, clock=clock)
    app = readers.target.app
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1)  # type: ignore[method-assign]

    def ask(client: str, number: int) -> int:
        headers = {"X-Forwarded-For": f"203.0.113.{number % 250}, {client}"}
        return readers.sign_up(
            f"reader{number}@good.example", network="10.0.0.1", headers=headers
        ).status_code

    assert [ask("198.51.100.1", number) for number in range(25)] == [202] * 20 + [429] * 5
    assert ask("198.51.100.2", 99) == 202


@attack("DS-008")
@pytest.mark.parametrize("page", ["subscribe", "confirm/token", "subscription/token", "unsubscribe/token"])
def test_bodies_that_do_not_fit(case: Case, page: str, quick: Readers) -> None:
    """Refused by what they announce, or where the limit is reached; the worker is free again at once."""
    before = quick.target.stored()
    head = "POST /privacy/{} HTTP/1.1\r\nHost: {}\r\nContent-Type: {}\r\nConnection: close\r\n{}\r\n\r\n"
    form, parts = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"
    chunked = "Transfer-Encoding: chunked"
    fields = b"a=1&" * 100_000
    open_part = b'--x\r\nContent-Disposition: form-data; name="email"\r\n\r\n' + b"a" * 10_000
    with served(quick.target.app) as wire:
        for kind, more, body in (
            (form, "Content-Length: 1073741824", b"a"),
            (parts, "Content-Length: 1073741824", b"a"),
            ("application/json", "Content-Length: 1073741824", b"{"),
            (form, f"Content-Length: {len(fields)}", fields),
            (
                form,
                chunked,
                b"1000\r\n" + b"a" * 0x1000 + b"\r\n" + (b"1000\r\n" + b"a" * 0x1000 + b"\r\n") * 10,
            ),
            (parts, f"Content-Length: {len(open_part)}", open_part),
            (parts, chunked, b"2713\r\n" + open_part[:0x2713].ljust(0x2713, b"a") + b"\r\n0\r\n\r\n"),
        ):
            started = time.monotonic()
            answer = wire.send(head.format(page, wire.host.decode(), kind, more).encode() + body)
            # A server that answers before it has read everything may be heard or not.
            assert answer.status in (0, 400, 404, 413), (kind, more)
            assert time.monotonic() - started < 8

    assert quick.target.stored() == before


@attack("PI-010")
def test_sign_up_does_not_tell_who_is_subscribed(case: Case, readers: Readers, clock: Clock) -> None:
    """Same status, same words, and times that no test of ranks tells apart."""
    each = volume(12, 500)
    kinds = ("new", "pending", "confirmed", "left", "stopped")
    prepare(readers, clock, each)
    answers = set()
    chances: dict[str, float] = {}

    for attempt in range(2):
        seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
        for turn in range(each):
            for kind in kinds[turn % 5 :] + kinds[: turn % 5]:
                name = f"{kind}{turn}" if kind != "new" else f"new{attempt}.{turn}"
                started = time.perf_counter()
                answer = readers.sign_up(f"{name}@good.example")
                seconds[kind].append(time.perf_counter() - started)
                # What was typed is shown, and nothing else differs.
                assert int(answer.headers.pop("Content-Length")) == len(answer.data)
                said = answer.data.replace(f"{name}@good.example".encode(), b"(typed)")
                answers.add((answer.status_code, said, str(answer.headers)))
        chances = {kind: same_chance(seconds["new"], seconds[kind]) for kind in kinds[1:]}
        if min(chances.values()) > 0.01:
            break
    else:
        # Of four comparisons by chance one in twenty-five would fail: twice in a row is no chance.
        pytest.fail(f"the time tells who is subscribed: {chances}")

    assert len(answers) == 1
    assert next(iter(answers))[0] == 202


def prepare(readers: Readers, clock: Clock, each: int) -> None:
    deployment = readers.target.deployment
    for turn in range(each):
        readers.sign_up(f"pending{turn}@good.example")
        readers.confirmed(f"confirmed{turn}@good.example")
        left = readers.confirmed(f"left{turn}@good.example")
        readers.send(readers.unsubscribe_link(left), ONE_CLICK)
        stopped = readers.confirmed(f"stopped{turn}@good.example")
        with deployment.database.writing() as connection:
            suppress(deployment, connection, stopped.id, reason="staff", now=clock.now)
    clock.tick(days=2)


def same_chance(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """How likely two samples of one source differ as much (Mann and Whitney's U, two-sided, by the normal curve)."""
    ranked = sorted([(one, 0) for one in ours] + [(one, 1) for one in theirs])
    ranks = sum(at for at, (_, whose) in enumerate(ranked, start=1) if whose == 0)
    n, m = len(ours), len(theirs)
    u = ranks - n * (n + 1) / 2
    deviation = math.sqrt(n * m * (n + m + 1) / 12)
    return math.erfc(abs(u - n * m / 2) / deviation / math.sqrt(2))


def test_the_test_of_ranks_tells_samples_apart() -> None:
    assert same_chance([1.0, 4.0, 5.0, 8.0] * 20, [2.0, 3.0, 6.0, 7.0] * 20) > 0.9
    assert same_chance([float(one) for one in range(60)], [one + 15.0 for one in range(60)]) < 0.01


#: Of the two hundred rounds; two workers on one database, as in a real deployment.
ROUNDS = volume(3, 200)
CLICKS = 50


@pytest.fixture
def workers(make_target: MakeTarget, database_url: str, clock: Clock) -> list[Readers]:
    return [make_readers(make_target, database_url, clock=clock) for _ in range(2)]


@attack("RC-005")
def test_confirm_clicked_many_times_at_once(case: Case, workers: list[Readers]) -> None:
    ours = workers[0]
    for turn in range(ROUNDS):
        email = f"reader{turn}@good.example"
        path = ours.asked(email)

        answers = at_once(*[partial(workers[at % 2].send, path) for at in range(CLICKS)])

        assert {answer.status_code for answer in answers} == {200}
        assert len([1 for answer in answers if "You are subscribed" in answer.text]) == 1
        assert ours.state(email) == "confirmed"

    assert ours.target.stored()["cw_subscription"] == ROUNDS
    assert ours.box.collect() == []


@attack("RC-006")
def test_confirm_against_unsubscribe(case: Case, workers: list[Readers]) -> None:
    """Whoever unsubscribes has left, whichever of the two was first."""
    ours, theirs = workers
    for turn in range(ROUNDS * 4):
        email = f"reader{turn}@good.example"
        path = ours.asked(email)
        one = ours.find(email)
        assert one is not None
        leave = ours.unsubscribe_link(one)

        confirmed, left = at_once(partial(ours.send, path), partial(theirs.send, leave, ONE_CLICK))

        assert confirmed.status_code in (200, 410)
        assert left.status_code == 200
        assert ours.state(email) == "unsubscribed"
        assert ours.send(path).status_code in (200, 410)
        assert ours.state(email) == "unsubscribed"

    assert ours.box.collect() == []


@attack("RC-007")
def test_one_new_address_many_times_at_once(case: Case, workers: list[Readers]) -> None:
    ours = workers[0]
    for turn in range(ROUNDS):
        email = f"reader{turn}@good.example"
        clicks = [
            partial(workers[at % 2].sign_up, email, network=f"10.{turn}.9.{at}") for at in range(CLICKS)
        ]

        answers = at_once(*clicks)

        assert {answer.status_code for answer in answers} == {202}
        assert ours.state(email) == "pending"
        assert 1 <= len(ours.box.collect()) <= 3
        assert ours.send(ours.box.link(email, "confirm")).status_code == 200

    assert ours.target.stored()["cw_subscription"] == ROUNDS


@attack("RC-008", "RC-009")
@pytest.mark.parametrize("connections", [1, 4])
def test_leaving_and_erasing_during_a_campaign(case: Case, connections: int, mailroom: Mailroom) -> None:
    """By the pages, while mails go out: nothing is begun for who got an answer, and of the erased nothing is left."""
    everybody = mailroom.subscribe(volume(120, 5000))
    leaving = everybody[:: 5 if case.id == "RC-008" else 7]
    mailroom.announce()
    client = mailroom.app.test_client(use_cookies=False)
    lock, answered, begun_after = threading.Lock(), set[str](), list[str]()
    rest = iter(reversed(leaving))

    def leave(email: str) -> None:
        (number,) = mailroom.ids([email])
        purpose = UNSUBSCRIBE if case.id == "RC-008" else MANAGE
        token = mailroom.deployment.links.seal(purpose, number, f"salt of {email}"[:32])
        page = "unsubscribe" if case.id == "RC-008" else "subscription"
        answer = client.post(f"/privacy/{page}/{token}", data=ONE_CLICK | {"action": "erase"})
        assert answer.status_code == 200

    def before(recipient: str) -> None:
        with lock:
            if recipient in answered:
                begun_after.append(recipient)
            email = next(rest, None)
            if email is not None and email != recipient and email not in relay.taken:
                leave(email)
                answered.add(email)

    relay = Relay(before=before)
    mailroom.deliver(relay, connections=connections)

    # What was fenced at the instant of the answer may still be on its way: at most one mail a connection.
    assert len(begun_after) <= (0 if connections == 1 else connections)
    assert len(answered) > len(leaving) // 3
    assert sorted(relay.taken) == sorted(set(everybody) - answered | set(begun_after))
    assert mailroom.campaign().state is Campaign.DONE
    if case.id == "RC-009":
        with mailroom.deployment.database.reading() as connection:
            kept = "".join(
                str(row) for table in metadata.sorted_tables for row in connection.execute(select(table))
            )
        assert not [email for email in answered if f"'{email}'" in kept]
