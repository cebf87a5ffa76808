"""TK: links of mails, cut, bent, aged, repeated and used for what they are not for."""

import secrets
import statistics
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta

import pytest

from consent_widget.core.links import MANAGE, UNDO, UNSUBSCRIBE, Links
from consent_widget.services import self_service
from consent_widget.services.subscription import make_link
from tests.attacks.cases import Case, attack
from tests.attacks.conftest import MakeTarget
from tests.attacks.newsroom import ADMIN, draft, make_newsroom, page_of, signed_in
from tests.attacks.subscribers import ONE_CLICK, READER, Readers, make_readers
from tests.attacks.target import KEY, NEWER_KEY, ask
from tests.factories import Clock
from tests.volume import volume

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.fixture
def readers(make_target: MakeTarget, database_url: str, clock: Clock) -> Readers:
    return make_readers(make_target, database_url, clock=clock)


def sealed(readers: Readers, purpose: str) -> str:
    one = readers.find()
    assert one is not None
    return readers.target.deployment.links.seal(purpose, one.id, one.salt)


def twins(token: str) -> list[str]:
    """Other last characters that lenient base64 reads as the same bytes."""
    raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    spelled = (token[:-1] + last for last in _ALPHABET)
    return [one for one in spelled if one != token and urlsafe_b64decode(one + "=" * (-len(one) % 4)) == raw]


@attack("TK-001")
@pytest.mark.parametrize("purpose", [UNSUBSCRIBE, MANAGE, UNDO])
def test_link_for_something_else_does_not_confirm(case: Case, purpose: str, readers: Readers) -> None:
    readers.asked()
    before = readers.find()

    for method in ("GET", "POST"):
        answer = readers.send(f"/privacy/confirm/{sealed(readers, purpose)}?lang=vi", method=method)
        assert answer.status_code == 404
        assert "Liên kết này không dùng được" in answer.text

    assert readers.find() == before


@attack("TK-001")
def test_confirm_link_opens_no_other_page(case: Case, readers: Readers) -> None:
    token = readers.asked().rpartition("/")[2]
    before = readers.find()

    for page in ("subscription", "unsubscribe"):
        for method in ("GET", "POST"):
            answer = readers.send(f"/privacy/{page}/{token}", ONE_CLICK | {"action": "erase"}, method=method)
            assert answer.status_code == 404

    assert readers.find() == before


@attack("TK-003")
def test_preview_key_is_no_sign_in(
    case: Case, make_target: MakeTarget, sqlite_url: str, clock: Clock
) -> None:
    target = make_newsroom(make_target, sqlite_url, clock=clock)
    version_id = draft(target)
    page = signed_in(target, "author").get(page_of(version_id)).text
    key = page.split("preview/vi?key=", 1)[1].split('"', 1)[0]
    before = target.stored()

    for path in (f"{ADMIN}/", page_of(version_id), f"{ADMIN}/audit", f"{ADMIN}/versions/new"):
        for method in ("GET", "POST"):
            refused = ask(target, "", path, method=method)
            for cookies, options in (
                (f"session={key}", {}),
                (f"__Host-consent_staff={key}", {}),
                ("", {"headers": {"Authorization": f"Bearer {key}", "X-Key": key}}),
                ("", {"query_string": {"key": key}}),
            ):
                answer = ask(target, cookies, path, method=method, **options)
                assert (answer.status_code, method) == (refused.status_code, method)
                assert answer.status_code in (303, 403, 405)

    assert target.stored() == before


@attack("TK-004")
def test_expired_confirm_link(case: Case, readers: Readers, clock: Clock) -> None:
    path = readers.asked()
    clock.tick(hours=72)

    for method in ("GET", "POST"):
        answer = readers.send(path, method=method)
        assert answer.status_code == 410
        assert 'value="again"' in answer.text

    assert readers.state() == "pending"


@attack("TK-006")
def test_unsubscribe_link_of_ten_years_ago(
    case: Case, make_target: MakeTarget, database_url: str, clock: Clock
) -> None:
    """Keys were changed since, and the old one is kept."""
    readers = make_readers(make_target, database_url, clock=clock)
    old = readers.unsubscribe_link(readers.confirmed())
    clock.tick(days=3652)
    later = make_readers(make_target, database_url, clock=clock, keys=[NEWER_KEY, "k" * 40, KEY])

    answer = later.send(old, ONE_CLICK)

    assert answer.status_code == 200
    assert later.state() == "unsubscribed"


@attack("TK-007")
@pytest.mark.parametrize("seconds", [1, 2, 60, 300])
def test_link_of_a_host_whose_clock_is_ahead(
    case: Case, seconds: int, readers: Readers, clock: Clock
) -> None:
    readers.sign_up()
    one = readers.find()
    assert one is not None
    token = secrets.token_urlsafe(32)
    with readers.target.deployment.database.writing() as connection:
        ahead = clock.now + timedelta(seconds=seconds)
        make_link(connection, subscription_id=one.id, purpose="confirm", token=token, now=ahead)

    assert readers.send(f"/privacy/confirm/{token}").status_code == 200
    assert readers.state() == "confirmed"


@attack("TK-008")
def test_used_confirm_link_again(case: Case, readers: Readers) -> None:
    path = readers.asked()
    assert readers.send(path).status_code == 200
    before, stored = readers.find(), readers.target.stored()

    for _ in range(20):
        answer = readers.send(path)
        assert answer.status_code == 200
        assert "This is confirmed already" in answer.text

    assert readers.find() == before
    assert readers.target.stored() == stored
    assert readers.box.collect() == []


@attack("TK-009")
def test_twin_of_a_used_link(case: Case, readers: Readers) -> None:
    path = readers.asked()
    readers.send(path)
    before, stored = readers.find(), readers.target.stored()
    page, _, token = path.rpartition("/")

    assert len(twins(token)) == 3
    for twin in twins(token):
        answer = readers.send(f"{page}/{twin}")
        assert answer.status_code == 200
        assert "This is confirmed already" in answer.text

    assert readers.find() == before
    assert readers.target.stored() == stored


@attack("TK-010")
def test_confirm_link_after_unsubscribing(case: Case, readers: Readers) -> None:
    one = readers.confirmed()
    path = readers.box.link(READER, "confirm")
    readers.send(readers.unsubscribe_link(one), ONE_CLICK)
    before = readers.find()

    for twin in (path, *(path.rpartition("/")[0] + "/" + other for other in twins(path.rpartition("/")[2]))):
        assert readers.send(twin).status_code == 200

    assert readers.find() == before
    assert readers.state() == "unsubscribed"


@attack("TK-011")
def test_confirm_link_of_an_erased_address(case: Case, readers: Readers, clock: Clock) -> None:
    path = readers.asked()
    one = readers.find()
    assert one is not None
    manage = readers.manage_link(one).rpartition("/")[2]
    assert self_service.forget(readers.target.deployment, manage, now=clock.now)

    for data in (None, {"action": "again"}):
        answer = readers.send(path, data)
        assert answer.status_code in (404, 410)

    assert readers.box.collect() == []
    assert READER not in readers.target.everything_stored()


@attack("TK-012")
def test_address_or_number_beside_the_link(case: Case, readers: Readers) -> None:
    """Nothing stands in a link beside its token, and nothing beside it is read."""
    victim = readers.confirmed("victim@good.example")
    path = readers.asked()
    bare = path.rpartition("/")[2]
    assert "good" not in path
    tampered = (
        f"{path}?email=victim@good.example&id={victim.id}&subscription={victim.id}",
        f"{path}/{victim.id}",
        f"/privacy/confirm/{victim.id}.{bare}",
    )

    for one in tampered:
        fields = {"email": "victim@good.example", "id": str(victim.id)}
        assert readers.send(one, fields).status_code in (200, 404)

    assert readers.find("victim@good.example") == victim
    assert readers.state() == "confirmed"


@attack("TK-012")
def test_number_changed_inside_the_link(case: Case, readers: Readers) -> None:
    victim = readers.confirmed("victim@good.example")
    own = readers.confirmed()
    head, _, signature = readers.unsubscribe_link(own).rpartition("/")[2].partition(".")
    inside = urlsafe_b64decode(head + "=" * (-len(head) % 4)).decode()
    assert inside.startswith(f"[{own.id},")
    for changed in (
        inside.replace(f"[{own.id},", f"[{victim.id},"),
        f'[{victim.id},"{victim.salt}"]',
        "[]",
        "{}",
    ):
        forged = urlsafe_b64encode(changed.encode()).decode().rstrip("=")
        answer = readers.send(f"/privacy/unsubscribe/{forged}.{signature}", ONE_CLICK)
        assert answer.status_code == 404

    assert readers.find("victim@good.example") == victim


@attack("TK-013")
def test_link_of_another_site(
    case: Case, make_target: MakeTarget, database_url: str, sqlite_url: str, clock: Clock, tmp_path: object
) -> None:
    """Even where both sites share their key."""
    other = make_readers(make_target, f"{sqlite_url}.other", clock=clock)
    theirs = other.confirmed()
    readers = make_readers(make_target, database_url, clock=clock)
    own = readers.confirmed()
    assert own.id == theirs.id
    before = readers.find()

    assert readers.send(other.unsubscribe_link(theirs), ONE_CLICK).status_code == 404
    assert readers.send(other.manage_link(theirs), {"action": "erase"}).status_code == 404
    assert readers.send(other.box.link(READER, "confirm")).status_code == 404

    assert readers.find() == before


@attack("TK-015")
def test_token_as_json(case: Case, readers: Readers) -> None:
    path = readers.asked()

    for payload in sorted(case.payloads, key=lambda one: "null" in one):
        for page in ("/privacy/confirm/", "/privacy/confirm/token", "/privacy/unsubscribe/token"):
            answer = readers.send(page, payload, content_type="application/json")
            assert 400 <= answer.status_code < 500
        answer = readers.send(path, payload.replace("token", "action"), content_type="application/json")
        # To leave the field out, or to send nothing in it, is to press the button.
        assert answer.status_code == (200 if "null" in payload else 400)
        assert readers.state() == ("confirmed" if "null" in payload else "pending")


@attack("TK-015")
def test_token_that_is_no_text(case: Case, readers: Readers) -> None:
    readers.asked()
    before = readers.find()

    for token in (
        "%ED%A0%80.a.b",
        "%00",
        "null",
        "5",
        "%5B%5D",
        "%7B%7D",
        "%FF%FE",
        "W10.x",
        "." * 300,
        "A" * 9000,
    ):
        for page in ("confirm", "unsubscribe", "subscription"):
            for method in ("GET", "POST"):
                answer = readers.send(f"/privacy/{page}/{token}", ONE_CLICK, method=method)
                assert answer.status_code == 404, token

    assert readers.find() == before


@attack("TK-016")
def test_links_signed_with_another_key_tell_nothing(
    case: Case, make_target: MakeTarget, sqlite_url: str, clock: Clock
) -> None:
    """Whoever has a number, and even its salt, learns from none of the answers whether there is such a row."""
    readers = make_readers(make_target, sqlite_url, clock=clock)
    known = [readers.confirmed(f"reader{number}@good.example") for number in range(3)]
    before = readers.target.stored()
    foreign = Links(["a key that is not the site's, of forty bytes"])
    answers: dict[str, set[tuple[int, int]]] = {"known": set(), "unknown": set()}
    seconds: dict[str, list[float]] = {"known": [], "unknown": []}

    for turn in range(volume(40, 1000)):
        one = known[turn % len(known)]
        for name, token in (
            ("known", foreign.seal(UNSUBSCRIBE, one.id, one.salt)),
            ("unknown", foreign.seal(UNSUBSCRIBE, 900_000 + turn, one.salt)),
        ):
            started = time.perf_counter()
            answer = readers.send(f"/privacy/unsubscribe/{token}", ONE_CLICK)
            seconds[name].append(time.perf_counter() - started)
            answers[name].add((answer.status_code, len(answer.data)))

    assert answers["known"] == answers["unknown"] == {(404, *[size for _, size in answers["known"]])}
    assert statistics.median(seconds["known"]) < 2 * statistics.median(seconds["unknown"])
    assert readers.target.stored() == before
