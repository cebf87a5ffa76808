"""UN: Vietnamese in any spelling of its code points, and characters that nobody sees."""

import json
import unicodedata
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from consent_widget.core.draft import MAX_SUMMARY, MAX_TITLE
from consent_widget.core.language import LANGUAGES
from consent_widget.services.draft import load_draft
from tests.attacks import newsroom, staff
from tests.attacks.cases import Case, attack
from tests.attacks.conftest import MakeTarget
from tests.attacks.newsroom import (
    ADMIN,
    NEW,
    created,
    draft,
    make_newsroom,
    page_of,
    publish,
    send,
    signed_in,
    step,
)
from tests.attacks.subscribers import SUBSCRIBE, make_readers
from tests.attacks.target import Target
from tests.factories import Clock

_VOWELS = "aăâeêioôơuưy"
_TONES = "\u0300\u0301\u0303\u0309\u0323"

#: The 67 accented letters of Vietnamese, in both cases.
_LOWER = sorted(
    {unicodedata.normalize("NFC", vowel + tone) for vowel in _VOWELS for tone in _TONES} | set("ăâđêôơư")
)
LETTERS = "".join(_LOWER) + "".join(_LOWER).upper()


@pytest.fixture
def staffed(make_target: MakeTarget, database_url: str, clock: Clock) -> Target:
    """A site with staff who sign in at the host, on each kind of database."""
    return make_newsroom(make_target, database_url, clock=clock)


@attack("UN-001")
def test_composed_and_decomposed_text_is_one(case: Case, staffed: Target) -> None:
    """Saved again in the other form nothing changed; the bytes are NFC, the comparison is empty."""
    composed, decomposed = (
        unicodedata.normalize(form, f"## {case.payloads[0]} {{#muc}}") for form in ("NFC", "NFD")
    )
    assert composed != decomposed
    version_id = draft(staffed, title_vi=decomposed[3:20], text=decomposed)
    stored = load_draft(staffed.deployment, version_id)
    assert stored.texts["vi"] == f"{composed}\n"
    step(staffed, "author", "save", version_id, **newsroom.written(composed, title_vi=stored.titles["vi"]))
    assert load_draft(staffed.deployment, version_id).content_hashes == stored.content_hashes
    step(staffed, "author", "submit", version_id)
    step(staffed, "approver", "approve", version_id)
    step(staffed, "approver", "announce", version_id)
    publish(staffed, text=decomposed)
    reader = staffed.browser()
    changes = reader.get("/privacy/en/versions/3/changes").text
    assert "<ins" not in changes.split("<main", 1)[-1].split("consent-widget-diff", 1)[-1]
    assert reader.get("/privacy/vi/versions/2.md").data == reader.get("/privacy/vi/versions/3.md").data


@attack("UN-003")
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_every_letter_survives_every_form(case: Case, form: str, staffed: Target) -> None:
    """All 134 letters, from the editor into every page, file and export: the same code points."""
    assert len(LETTERS) == 134
    assert unicodedata.normalize("NFC", LETTERS) == LETTERS
    sent = unicodedata.normalize(form, LETTERS)  # type: ignore[arg-type]  # one of the two
    fields = {f"{name}_{one}": sent for name in ("title", "summary") for one in LANGUAGES}
    version_id = draft(staffed, text=f"## {sent} {{#muc}}\n\n{sent}", **fields)
    step(staffed, "author", "submit", version_id)
    step(staffed, "approver", "return", version_id, reason=sent)
    step(staffed, "author", "submit", version_id)
    step(staffed, "approver", "approve", version_id)
    step(staffed, "approver", "announce", version_id)
    staffed.deployment.schedule.forget()

    for where, text in _everywhere(staffed, version_id):
        assert LETTERS in text, where
        assert "\ufffd" not in text, where


def _everywhere(target: Target, version_id: int) -> Iterator[tuple[str, str]]:
    reader, auditor = target.browser(), signed_in(target, "auditor")
    for path in newsroom.public_pages(2):
        if path == "/privacy/preferences":
            continue
        answer = reader.get(path)
        if answer.is_json:
            yield path, json.dumps(answer.json, ensure_ascii=False)
        else:
            # A calendar folds its lines (RFC 5545 section 3.1), in bytes.
            yield path, answer.data.replace(b"\r\n ", b"").decode("utf-8", "strict")
    for path in (f"{ADMIN}/", page_of(version_id), f"{page_of(version_id)}/preview/vi", f"{ADMIN}/audit",
                 f"{ADMIN}/audit?format=csv", f"{ADMIN}/audit?format=json"):  # fmt: skip
        yield path, auditor.get(path).data.decode("utf-8", "strict")


@attack("UN-005", "UN-006", "UN-007")
def test_address_of_a_subscriber(
    case: Case, make_target: MakeTarget, database_url: str, clock: Clock
) -> None:
    """Refused, or a mailbox of its own: none takes over the one that it looks or folds like."""
    readers = make_readers(make_target, database_url, clock=clock)
    plain = [readers.confirmed(f"{local}@good.example") for local in ("a", "d", "i", "ss")]
    taken = set(readers.box.relay.taken)

    for payload in case.payloads:
        email = payload if "@" in payload else f"{payload}@good.example"
        answers = [readers.sign_up(email), readers.send(SUBSCRIBE, json={"email": email, "lang": "en"})]
        assert len({answer.status_code for answer in answers}) == 1
        assert answers[0].status_code in (202, 400)
        readers.box.collect()

    assert [readers.find(one.address or "") for one in plain] == plain
    for address in set(readers.box.relay.taken) - taken:
        assert address.isascii()
        assert address.rpartition("@")[2].startswith("xn--")
        assert len(readers.box.mails(address)) == 1


@attack("UN-006")
def test_spellings_of_one_international_domain(
    case: Case, make_target: MakeTarget, sqlite_url: str, clock: Clock
) -> None:
    """Composed, decomposed, in capitals and as it goes over the wire: one subscription, one letter."""
    readers = make_readers(make_target, sqlite_url, clock=clock)
    domain = "ví-dụ.vn"
    for spelled in (domain, unicodedata.normalize("NFD", domain), domain.upper(), "xn--v-d-rma6749a.vn"):
        assert readers.sign_up(f"a@{spelled}").status_code == 202

    assert readers.box.collect() == ["a@xn--v-d-rma6749a.vn"]
    assert readers.target.stored()["cw_subscription"] == 1


@attack("UN-005", "UN-007")
def test_look_alike_of_an_account(case: Case, make_target: MakeTarget, sqlite_url: str, clock: Clock) -> None:
    """The right password with an address that only looks or folds alike signs nobody in."""
    target = make_target(sqlite_url, clock=clock, has_accounts=True)
    plain = {"Đ": "d", "ı": "i", "İ": "i", "ß": "ss", "Ⱥ": "a"}
    for payload in case.payloads:
        real = f"{plain[payload]}@example.com" if payload in plain else "a@good.example"
        if not staff_exists(target, real):
            staff.hire(target, real)
        alike = f"{payload}@example.com" if payload in plain else payload
        browser = staff.browser_at(target)
        answer = staff.sign_in(browser, email=alike)
        assert answer.status_code == 400
        assert not staff.is_signed_in(browser)
        clock.tick(hours=1)


def staff_exists(target: Target, email: str) -> bool:
    assert target.accounts is not None
    with target.app.app_context():
        return email in {one.email for one in target.accounts.staff_directory()}


@attack("UN-008")
def test_characters_that_nobody_sees(case: Case, staffed: Target) -> None:
    """NUL is refused and nothing typed is lost; what is kept is UTF-8 and shown to whoever reads the draft."""
    author = signed_in(staffed, "author")
    for payload in case.payloads:
        fields = newsroom.written(f"Trước {payload} sau", summary_vi=f"Tóm {payload} tắt", summary_en="S")
        answer = send(author, "save", fields=fields)
        if "\0" in payload:
            assert answer.status_code == 400
            assert "Trước" in answer.text
            assert "sau" in answer.text
            continue
        version_id = created(answer)
        stored = load_draft(staffed.deployment, version_id)
        assert stored.texts["vi"].encode()
        if not payload.isascii():
            code = f"U+{ord(payload):04X}"
            assert code in author.get(page_of(version_id)).text
            assert code in author.get(f"{page_of(version_id)}/preview/vi").text
        step(staffed, "author", "submit", version_id)
        step(staffed, "approver", "approve", version_id)
        step(staffed, "approver", "announce", version_id)
        number = newsroom.numbers(staffed)[0]
        for path in newsroom.public_pages(number):
            reply = staffed.browser().get(path)
            assert reply.status_code == 200, path
            reply.data.decode("utf-8", "strict")


@attack("UN-008")
def test_bytes_that_are_no_text(case: Case, staffed: Target) -> None:
    """Lone surrogates and other ill-formed UTF-8, percent-encoded and raw, in every field: refused, never stored."""
    author = signed_in(staffed, "author")
    token = newsroom.token_of(author)
    before = staffed.stored()
    for raw in (b"a\xed\xa0\x80b", b"\xff\xfe", b"\xc0\x80", b"\xf4\x90\x80\x80"):
        for name in ("text_vi", "title_en", "summary_vi", "reason", "effective_at", "change_class", "ask_again",
                     "new", "revision", "action", "csrf_token"):  # fmt: skip
            known = newsroom.written() | {"action": "save", "csrf_token": token}
            body = "&".join(f"{key}={quote(str(value))}" for key, value in known.items() if key != name)
            for value in (quote(raw).encode(), raw):
                answer, program = (
                    author.post(
                        NEW,
                        data=body.encode() + b"&" + name.encode() + b"=" + value,
                        content_type="application/x-www-form-urlencoded",
                        headers={"Accept": accept},
                    )
                    for accept in ("text/html", "application/json")
                )
                page = answer.data.decode("utf-8", "strict")
                if name == "csrf_token" and value != raw:
                    assert (answer.status_code, program.status_code) == (403, 403)
                    continue
                assert (answer.status_code, program.status_code) == (400, 400), f"{name} {raw!r}"
                assert "characters that are no text" in page
                error = (program.json or {})["error"]
                assert (error["code"], error["field"]) == ("not_text", name)
                if value != raw and name != "title_en":
                    assert "Notice en" in page
    assert staffed.stored() == before


@attack("UN-008")
def test_bytes_that_are_no_text_as_scripts_send_them(case: Case, staffed: Target) -> None:
    """The editor's script sends a form in parts: refused too, and a NUL in any field is at least answered."""
    author = signed_in(staffed, "author")
    token = newsroom.token_of(author)
    before = staffed.stored()
    parts = newsroom.written() | {"action": "save", "csrf_token": token}
    body = b"".join(
        f'--line\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in parts.items()
    ).replace(b"A change.", b"a\xed\xa0\x80b")

    answer = author.post(
        NEW,
        data=body + b"--line--\r\n",
        content_type="multipart/form-data; boundary=line",
        headers={"Accept": "application/json"},
    )

    assert (answer.status_code, (answer.json or {})["error"]["code"]) == (400, "not_text")
    assert staffed.stored() == before
    for name in (
        "reason",
        "effective_at",
        "change_class",
        "ask_again",
        "new",
        "revision",
        "action",
        "csrf_token",
    ):
        sent = send(author, "save", fields=newsroom.written(**{name: "a\0b"}))
        assert sent.status_code in (303, 400, 403), name
    staffed.everything_stored().encode("utf-8", "strict")


@attack("UN-010")
def test_length_is_counted_alike(case: Case, staffed: Target) -> None:
    """In letters after composing, in the form and for a program; nothing is cut."""
    author = signed_in(staffed, "author")
    for name, limit in (("title_vi", MAX_TITLE), ("summary_vi", MAX_SUMMARY)):
        for unit in ("ế", "😀"):
            for form in ("NFC", "NFD"):
                for extra in (0, 1):
                    value = unicodedata.normalize(form, unit * (limit + extra))
                    for accept in ("text/html", "application/json"):
                        fields = newsroom.written(**{name: value})
                        answer = send(author, "save", fields=fields, headers={"Accept": accept})
                        assert (answer.status_code == 400) == bool(extra), f"{name} {unit} {form} {accept}"
                        if not extra:
                            stored = load_draft(staffed.deployment, created(answer))
                            kept = {**{f"title_{k}": v for k, v in stored.titles.items()},
                                    **{f"summary_{k}": v for k, v in stored.summaries.items()}}  # fmt: skip
                            assert kept[name] == unit * limit
    page = author.get(NEW).text
    assert "maxlength" not in page or f'maxlength="{MAX_TITLE}"' not in page


@attack("UN-010")
def test_text_of_two_megabytes(case: Case, staffed: Target) -> None:
    """Refused with a message, and whole in the form that comes back; what no notice can be is not even read."""
    author = signed_in(staffed, "author")
    text = "Điều khoản dài. " * 125_000
    assert len(text) == 2_000_000
    before = staffed.stored()

    answer = send(author, "save", fields=newsroom.written(text_vi=text))
    program = send(
        author, "save", fields=newsroom.written(text_vi=text), headers={"Accept": "application/json"}
    )
    too_much = send(author, "save", fields=newsroom.written(text_vi=text * 12))

    assert answer.status_code == 400
    assert "too long" in answer.text
    assert text.strip() in answer.text
    assert (program.json or {})["error"]["code"] == "too_long"
    assert (program.json or {})["error"]["field"] == "text_vi"
    assert too_much.status_code == 413
    assert staffed.stored() == before
