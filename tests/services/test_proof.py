"""A proof is checked by anybody who has the key, whatever happened to the subscriber since."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consent_widget.core.delivery import State as Row
from consent_widget.core.errors import Forbidden, InputError, UnknownSubscription
from consent_widget.core.ledger_key import LogKey
from consent_widget.core.links import Links
from consent_widget.core.proof import seal_proof
from consent_widget.core.pseudonym import Pseudonyms
from consent_widget.core.signing import fingerprint
from consent_widget.services.deployment import Deployment
from consent_widget.services.erasure import erase
from consent_widget.services.ledger import newest_head, public_keys, read_lines
from consent_widget.services.proof import make_named_proof, make_proof, verify_proof, write_proof
from consent_widget.storage.audit import read_acts
from tests.admin.newsroom import STAFF, Newsroom
from tests.admin.post_office import ADDRESS, campaign_of, report, settle, subscribe
from tests.factories import KEY, NOW, Clock, close

NEW_KEY = "another key for tests alone, forty-two byte"


def make_room(url: str, folder: Path, clock: Clock) -> Newsroom:
    """A newsroom whose only subscriber was told of version 2."""
    made = Newsroom(url, folder, clock)
    subscribe(made.deployment)
    campaign_of(made, made.announced())
    settle(made.deployment, 1, Row.ACCEPTED, code="2.1.5", at=NOW)
    return made


@pytest.fixture
def room(prepared_url: str, clock: Clock, tmp_path: Path) -> Iterator[Newsroom]:
    """On SQLite: a document is a document."""
    made = make_room(prepared_url, tmp_path, clock)
    yield made
    close(made.app)


@pytest.fixture
def stored_room(in_force_url: str, clock: Clock, tmp_path: Path) -> Iterator[Newsroom]:
    """On each kind of database, for what is read out of it."""
    made = make_room(in_force_url, tmp_path, clock)
    yield made
    close(made.app)


def proof(room: Newsroom, deployment: Deployment | None = None) -> bytes:
    made = make_proof(deployment or room.deployment, 1, staff=STAFF["hoa"], now=NOW)
    return write_proof(made)


def log(deployment: Deployment) -> list[bytes]:
    return list(read_lines(deployment.database, newest_head(deployment, now=NOW)))


def rotated(deployment: Deployment) -> Deployment:
    """The same site under a new key, the old one retained."""
    keys = [NEW_KEY, KEY]
    return replace(
        deployment,
        log_keys=tuple(LogKey.derived(key) for key in keys),
        links=Links(keys),
        pseudonyms=Pseudonyms(keys),
        fingerprints=tuple(fingerprint(key) for key in keys),
    )


def test_what_a_proof_says(stored_room: Newsroom) -> None:
    body: dict[str, Any] = json.loads(proof(stored_room))["proof"]
    draft = stored_room.load(2)

    assert body["issuer"]["name"] == "HTEK"
    assert body["subscriber"]["address"] is None
    assert body["subscriber"]["address_hash"] == stored_room.deployment.pseudonyms.of(ADDRESS)
    (told,) = body["told"]
    assert (told["version"], told["kind"]) == (2, "change")
    assert told["content_hashes"] == dict(draft.content_hashes)
    assert told["mail"] | {"message_id": ""} == {
        "message_id": "",
        "language": "vi",
        "state": "accepted",
        "accepted_at": "2026-12-01T02:00:00.000Z",
        "settled_at": "2026-12-01T02:00:00.000Z",
        "answer": "2.1.5",
        "attempts": 1,
        "late": False,
        "came_back": [],
    }
    entry = json.loads(log(stored_room.deployment)[told["announced"]["index"]])
    assert (entry["body"]["event"], entry["body"]["number"]) == ("announced", 2)
    assert told["announced"] == {name: entry[name] for name in told["announced"]}


def test_the_same_proof_twice_but_for_its_time(room: Newsroom) -> None:
    assert proof(room) == proof(room)


def test_a_proof_is_checked_without_the_database(room: Newsroom) -> None:
    document, keys = proof(room), public_keys(room.deployment)
    room.deployment.database.engine.dispose()
    blind = replace(room.deployment, database=None)  # type: ignore[arg-type]  # it must not be asked

    report = verify_proof(blind, document, trusted=keys)

    assert (report.problem, report.notes) == ("", ())
    assert report.body is not None
    assert report.body["told"][0]["version"] == 2


def test_white_space_and_order_do_not_matter(room: Newsroom) -> None:
    document = json.loads(proof(room))

    for written in (json.dumps(document), json.dumps(dict(reversed(document.items())), indent=7)):
        assert verify_proof(room.deployment, written.encode()).problem == ""


def _altered(document: dict[str, Any], path: str, value: object) -> bytes:
    place = document
    *steps, last = path.split(".")
    for step in steps:
        place = place[int(step)] if step.isdecimal() else place[step]  # type: ignore[index]
    assert place[last] != value
    place[last] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "path, value",
    [
        ("proof.issued_at", "2027-01-01T00:00:00.000Z"),
        ("proof.issuer.name", "Somebody else"),
        ("proof.subscriber.address", "somebody@example.vn"),
        ("proof.subscriber.address_hash", "0" * 64),
        ("proof.told.0.version", 3),
        ("proof.told.0.content_hashes.vi", "0" * 64),
        ("proof.told.0.effective_at", "2030-01-01T00:00:00+00:00"),
        ("proof.told.0.announced.index", 0),
        ("proof.told.0.announced.root", "0" * 64),
        ("proof.told.0.mail.state", "failed"),
        ("proof.told.0.mail.accepted_at", "2026-11-01T02:00:00.000Z"),
        ("proof.told.0.mail.late", True),
        ("proof.told", []),
        ("proof.format", "consent-widget notification proof 2"),
        ("signature", "0" * 128),
        ("signature", "no hexadecimal"),
        ("key", "0" * 64),
        ("proof", None),
    ],
)
def test_whatever_is_altered_is_refused(room: Newsroom, path: str, value: object) -> None:
    report = verify_proof(room.deployment, _altered(json.loads(proof(room)), path, value))

    assert report.problem
    assert report.body is None


@pytest.mark.parametrize(
    "document",
    [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"proof":{},"key":"","signature":"","more":1}',
     b'{"proof":{"a":1.5},"key":"","signature":""}'],
)  # fmt: skip
def test_what_is_no_proof_is_refused(room: Newsroom, document: bytes) -> None:
    assert verify_proof(room.deployment, document).problem == "it is no proof"


def test_a_name_that_stands_twice_is_refused(room: Newsroom) -> None:
    """Readers differ in which of the two they take."""
    document = proof(room).replace(b'"signature":', b'"key": "x",\n"signature":', 1)

    assert verify_proof(room.deployment, document).problem == "it is no proof"


def test_the_proof_of_another_site_is_refused(room: Newsroom) -> None:
    body = {name: one for name, one in json.loads(proof(room))["proof"].items() if name != "format"}
    forged = write_proof(seal_proof(body, LogKey.derived("another site's key")))

    assert "none of those you trust" in verify_proof(room.deployment, forged).problem


def test_a_proof_agrees_with_the_published_log(room: Newsroom) -> None:
    document, lines = proof(room), log(room.deployment)

    assert verify_proof(room.deployment, document, log=lines).problem == ""
    assert "the log is not good" in verify_proof(room.deployment, document, log=lines[:-2]).problem


def test_what_the_log_does_not_announce_is_named(room: Newsroom) -> None:
    """Signed by us, and yet not what was announced: the log is the other witness."""
    for path, value in (
        ("told.0.content_hashes.vi", "0" * 64),
        ("told.0.version", 3),
        ("told.0.effective_at", "2030-01-01T00:00:00+00:00"),
    ):
        body = json.loads(_altered(json.loads(proof(room))["proof"], path, value))
        del body["format"]
        document = write_proof(seal_proof(body, room.deployment.log_keys[0]))
        assert verify_proof(room.deployment, document).problem == ""
        assert (
            "does not announce" in verify_proof(room.deployment, document, log=log(room.deployment)).problem
        )


def test_a_proof_outlives_the_address(stored_room: Newsroom) -> None:
    """By the keyed hash of an address that somebody presents, before and after."""
    before = proof(stored_room)
    with stored_room.deployment.database.writing() as connection:
        erase(stored_room.deployment, connection, 1, now=NOW)
    after = proof(stored_room)

    for document in (before, after):
        assert verify_proof(stored_room.deployment, document, address=ADDRESS).problem == ""
        assert verify_proof(stored_room.deployment, document, address="NGUYEN.Lan@example.vn").problem == ""
        assert (
            "not the proof of this address"
            in verify_proof(stored_room.deployment, document, address="nguyen.lan@example.com").problem
        )
    assert ADDRESS.encode() not in before + after
    assert json.loads(after)["proof"]["told"] == json.loads(before)["proof"]["told"]


def test_a_named_proof_of_an_erased_address(stored_room: Newsroom) -> None:
    with stored_room.deployment.database.writing() as connection:
        erase(stored_room.deployment, connection, 1, now=NOW)

    def named(presented: str) -> bytes:
        made = make_named_proof(stored_room.deployment, 1, presented=presented, staff=STAFF["oanh"], now=NOW)
        return write_proof(made)

    for wrong, code in (("other@example.vn", "other_address"), ("", "email"), ("nguyen", "email")):
        with pytest.raises(InputError) as caught:
            named(wrong)
        assert caught.value.code == code
    document = named("Nguyen.Lan@example.vn")
    report = verify_proof(stored_room.deployment, document)
    assert report.body is not None
    assert report.body["subscriber"]["address"] == "Nguyen.Lan@example.vn"
    with stored_room.deployment.database.reading() as connection:
        acts = [dict(act.body) for act in read_acts(connection, limit=2)]
    assert acts[0] == {"action": "prove", "staff": "oanh", "subscription": 1}


def test_after_a_rotation_old_and_new_proofs_hold(stored_room: Newsroom) -> None:
    old, later = proof(stored_room), rotated(stored_room.deployment)
    new = proof(stored_room, later)

    assert json.loads(new)["key"] != json.loads(old)["key"]
    for document in (old, new):
        assert verify_proof(later, document, address=ADDRESS).problem == ""
    only_new = verify_proof(later, new, trusted=[later.log_keys[0].public])
    assert only_new.problem == ""
    assert "signed by an earlier key" in only_new.notes[0]
    assert "none of those you trust" in verify_proof(later, old, trusted=[later.log_keys[0].public]).problem


def test_a_mail_that_came_back_is_told(stored_room: Newsroom) -> None:
    report(stored_room.deployment, None, delivery_id=1, subscription_id=1, kind="soft", code="4.2.2")
    report(stored_room.deployment, "other", delivery_id=99, subscription_id=1)

    body = json.loads(proof(stored_room))["proof"]

    assert body["told"][0]["mail"]["came_back"] == [
        {"at": "2026-12-01T02:00:00.000Z", "kind": "soft", "code": "4.2.2"}
    ]


@pytest.mark.parametrize("state", [Row.PENDING, Row.SENDING, Row.UNKNOWN, Row.FAILED, Row.CANCELLED])
def test_nothing_is_called_accepted_that_was_not(room: Newsroom, state: Row) -> None:
    settle(room.deployment, 1, state, code="", at=NOW)

    mail = json.loads(proof(room))["proof"]["told"][0]["mail"]

    assert (mail["state"], mail["accepted_at"]) == (state.value, None)
    assert (mail["settled_at"] is None) == (state in (Row.PENDING, Row.SENDING))


def test_a_subscriber_who_was_told_nothing(room: Newsroom) -> None:
    other = subscribe(room.deployment, "b@example.vn")

    made = make_proof(room.deployment, other, staff=STAFF["hoa"], now=NOW)

    assert verify_proof(room.deployment, write_proof(made)).problem == ""
    assert made["proof"]["told"] == []  # type: ignore[index]


@pytest.mark.parametrize("user", ["lan", "guest"])
def test_who_may_not_prove(room: Newsroom, user: str) -> None:
    with pytest.raises(Forbidden):
        make_proof(room.deployment, 1, staff=STAFF[user], now=NOW)
    with pytest.raises(Forbidden):
        make_named_proof(room.deployment, 1, presented="", staff=STAFF["hoa"], now=NOW)


@pytest.mark.parametrize("subscription", [0, 99, 2**70])
def test_nobody_to_prove(stored_room: Newsroom, subscription: int) -> None:
    with pytest.raises(UnknownSubscription):
        make_proof(stored_room.deployment, subscription, staff=STAFF["hoa"], now=NOW)
