"""A version is written: what is saved, what is refused, and that nothing typed is lost."""

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consent_widget.core.draft import Draft
from consent_widget.services.draft import list_drafts
from tests.admin.conftest import MakeNewsroom
from tests.admin.newsroom import ADMIN, EN, FORM, VI, Newsroom, error_of, post
from tests.factories import NOW

JSON = {"Accept": "application/json"}


def test_a_new_version_starts_from_the_text_in_force(newsroom: Newsroom) -> None:
    page = newsroom.browser("lan").get(f"{ADMIN}/versions/new").text

    assert (
        "luôn tôn trọng quyền riêng tư" in re.findall(r'<textarea id="text_vi".*?</textarea>', page, re.S)[0]
    )
    assert re.search(r'<textarea id="summary_vi"[^>]*>\s*</textarea>', page)


def test_the_editor_keeps_to_what_its_script_expects(newsroom: Newsroom) -> None:
    draft = newsroom.write()
    page = newsroom.browser("lan").get(f"{ADMIN}/versions/{draft.id}").text

    form = re.search(r"<form[^>]*data-editor[^>]*>", page)
    assert form
    assert f'action="{ADMIN}/versions/{draft.id}"' in form[0]
    assert " data-autosave " in form[0]
    assert 'data-label-bold="' in form[0]
    for name in ("text_vi", "text_en"):
        assert f'<div data-toolbar="{name}" hidden>' in page
        assert f'<textarea id="{name}" name="{name}"' in page
    assert re.search(r'<input type="hidden" name="revision" value="1">', page)
    assert re.search(r'data-autosave-status[^>]*data-saved="[^"]*\{time\}', page)
    assert re.search(r'<iframe data-preview name="cw-admin-preview-frame" sandbox=""', page)
    for language in ("vi", "en"):
        assert (
            f'formaction="{ADMIN}/versions/{draft.id}/preview/{language}" formtarget="cw-admin-preview-frame"'
            in page
        )
    assert set(re.findall(r'name="action" value="(\w+)"', page)) == {
        "save",
        "submit",
        "discard",
    }


def test_everything_typed_is_stored(stored_newsroom: Newsroom) -> None:
    browser = stored_newsroom.browser("lan")
    data = FORM | {
        "action": "save",
        "change_class": "material",
        "ask_again": ["analytics", "marketing"],
        "new": ["purpose", "country"],
    }

    answer = post(browser, "/versions/new", data)

    assert answer.status_code == 303
    assert re.fullmatch(rf"{ADMIN}/versions/\d+", answer.headers["Location"])
    draft = stored_newsroom.load(int(answer.headers["Location"].rpartition("/")[2]))
    assert draft.titles == {"vi": "Chính sách", "en": "Policy"}
    assert draft.texts == {"vi": VI, "en": EN}
    assert draft.summaries == {"vi": FORM["summary_vi"], "en": FORM["summary_en"]}
    assert draft.change_class == "material"
    assert draft.ask_again == {"analytics", "marketing"}
    assert draft.new == {"purpose", "country"}
    assert draft.effective_at == datetime(2027, 1, 15, 1, 0, tzinfo=UTC)
    assert (draft.state, draft.edited_by, draft.stale) == ("draft", "lan", False)
    page = browser.get(answer.headers["Location"]).text
    assert "Đã lưu." in page
    assert 'value="2027-01-15T08:00"' in page
    assert "Đã lưu." not in browser.get(answer.headers["Location"]).text


def test_a_new_version_is_submitted_at_once(stored_newsroom: Newsroom) -> None:
    answer = post(stored_newsroom.browser("lan"), "/versions/new", FORM | {"action": "submit"})

    assert answer.status_code == 303
    assert stored_newsroom.load(int(answer.headers["Location"].rpartition("/")[2])).state == "in_review"


def test_only_the_vietnamese_of_a_new_version_was_changed(newsroom: Newsroom) -> None:
    """The English that stands in the form is the one in force: it is not the translation of the new text."""
    page = newsroom.browser("lan").get(f"{ADMIN}/versions/new").text
    english = html.unescape(re.findall(r'<textarea id="text_en"[^>]*>\n(.*?)</textarea>', page, re.S)[0])
    data = FORM | {"action": "submit", "text_en": english}

    answer = post(newsroom.browser("lan"), "/versions/new", data)

    assert answer.status_code == 400
    assert "bản tiếng Anh" in error_of(answer, "text_en")
    (draft,) = [one for one in _drafts(newsroom) if one.number is None]
    assert draft.stale
    assert draft.texts["vi"] == VI

    done = post(newsroom.browser("lan"), f"/versions/{draft.id}", data | {"in_step": "1"})
    assert done.status_code == 303
    assert newsroom.load(draft.id).state == "in_review"


def _drafts(newsroom: Newsroom) -> list[Draft]:
    return list_drafts(newsroom.deployment)


def test_an_incomplete_version_is_saved_and_not_submitted(stored_newsroom: Newsroom) -> None:
    draft = stored_newsroom.write(summaries={"vi": "", "en": ""})

    answer = post(
        stored_newsroom.browser("lan"),
        f"/versions/{draft.id}",
        FORM | {"action": "submit", "summary_vi": "", "text_vi": "Mới"},
    )

    assert answer.status_code == 400
    assert error_of(answer, "summary_vi")
    after = stored_newsroom.load(draft.id)
    assert (after.state, after.texts["vi"]) == ("draft", "Mới\n")


def test_a_field_that_is_not_sent_stays_as_it_was(newsroom: Newsroom) -> None:
    draft = newsroom.write()

    answer = post(newsroom.browser("lan"), f"/versions/{draft.id}", {"action": "save", "title_vi": "Tên mới"})

    assert answer.status_code == 303
    after = newsroom.load(draft.id)
    assert after.titles == {"vi": "Tên mới", "en": "Policy"}
    assert (after.texts, after.change_class, after.effective_at) == (
        draft.texts,
        draft.change_class,
        draft.effective_at,
    )


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("NUL", {"text_vi": "a\0b"}, "text_vi"),
    ("too long a text", {"text_en": "x" * 2_000_000}, "text_en"),
    ("too long a title", {"title_vi": "x" * 201}, "title_vi"),
    ("too long a summary", {"summary_en": "x" * 2001}, "summary_en"),
    ("no class", {"change_class": "huge"}, "change_class"),
    ("no question", {"new": "planet"}, "new"),
    ("no category", {"ask_again": "necessary"}, "ask_again"),
    ("no date", {"effective_at": "tomorrow"}, "effective_at"),
    ("no such day", {"effective_at": "2027-02-30T08:00"}, "effective_at"),
    ("seconds", {"effective_at": "2027-02-03T08:00:59"}, "effective_at"),
    ("a zone", {"effective_at": "2027-02-03T08:00+09"}, "effective_at"),
    ("before time began", {"effective_at": "0001-01-01T00:00"}, "effective_at"),
    ("other digits", {"effective_at": "２０２７-02-03T08:00"}, "effective_at"),
]


@pytest.mark.parametrize("wrong, field", [pytest.param(w, f, id=name) for name, w, f in REFUSED])
@pytest.mark.parametrize("is_new", [True, False], ids=["new", "old"])
def test_what_cannot_be_stored_comes_back_as_it_was_typed(
    stored_newsroom: Newsroom, wrong: dict[str, Any], field: str, is_new: bool
) -> None:
    draft = stored_newsroom.write()
    before = stored_newsroom.stored()
    data = FORM | {"action": "save", "summary_vi": "Lời <b>đã gõ</b>"} | wrong

    answer = post(
        stored_newsroom.browser("lan"), "/versions/new" if is_new else f"/versions/{draft.id}", data
    )

    assert answer.status_code == 400
    assert error_of(answer, field)
    assert stored_newsroom.stored() == before
    typed = html.unescape(answer.text)
    if "summary_vi" not in wrong:
        assert "Lời &lt;b&gt;đã gõ&lt;/b&gt;" in answer.text
    for name, value in wrong.items():
        if name.startswith(("text", "title", "summary", "effective_at")):
            assert value in typed, name


@pytest.mark.parametrize(
    "wrong",
    [{"revision": ""}, {"revision": "x"}, {"revision": "9" * 30}, {"action": "explode"}, {"action": ""}],
)
def test_a_form_without_its_own_fields(newsroom: Newsroom, wrong: dict[str, str]) -> None:
    draft = newsroom.write()

    answer = post(newsroom.browser("lan"), f"/versions/{draft.id}", FORM | {"action": "save"} | wrong)

    assert answer.status_code == 400
    assert newsroom.load(draft.id) == draft


def test_text_in_parts_is_stored_composed(stored_newsroom: Newsroom) -> None:
    """NFD, as some keyboards send it, and Windows line ends become NFC and LF."""
    draft = stored_newsroom.write()
    nfd = "Chi\u0301nh sa\u0301ch\r\n\r\nHai"

    answer = post(
        stored_newsroom.browser("lan"), f"/versions/{draft.id}", FORM | {"action": "save", "text_vi": nfd}
    )

    assert answer.status_code == 303
    assert stored_newsroom.load(draft.id).texts["vi"] == "Chính sách\n\nHai\n"


@pytest.mark.parametrize("char", ["\u202e", "\u2066", "\ufffe", "\U000e0001", "\u200b"])
def test_hidden_characters_are_shown(stored_newsroom: Newsroom, char: str) -> None:
    draft = stored_newsroom.write(texts={"vi": f"Một{char}hai", "en": EN})

    browser = stored_newsroom.browser("lan")
    editor = browser.get(f"{ADMIN}/versions/{draft.id}").text
    preview = browser.get(f"{ADMIN}/versions/{draft.id}/preview/vi").text

    assert f"U+{ord(char):04X}" in editor
    assert f"U+{ord(char):04X}" in preview
    assert "U+" not in browser.get(f"{ADMIN}/versions/{draft.id}/preview/en").text.partition("<footer")[0]


# Two editors ---------------------------------------------------------------------


def test_two_editors_see_both_texts(stored_newsroom: Newsroom) -> None:
    draft = stored_newsroom.write()
    first, second = stored_newsroom.browser("lan"), stored_newsroom.browser("boss")
    assert (
        post(first, f"/versions/{draft.id}", FORM | {"action": "save", "text_vi": "Của Lan"}).status_code
        == 303
    )

    answer = post(
        second, f"/versions/{draft.id}", FORM | {"action": "save", "text_vi": "Của Boss", "revision": "1"}
    )

    assert answer.status_code == 409
    assert stored_newsroom.load(draft.id).texts["vi"] == "Của Lan\n"
    assert re.search(r'<textarea id="stored_text_vi"[^>]*readonly[^>]*>\nCủa Lan\n</textarea>', answer.text)
    assert re.search(r'<textarea id="typed_text_vi"[^>]*readonly[^>]*>\nCủa Boss</textarea>', answer.text)
    assert re.search(r'<textarea id="text_vi"[^>]*>\nCủa Boss</textarea>', answer.text)
    assert "data-unsaved" in answer.text

    again = FORM | {"action": "save", "text_vi": "Của cả hai", "revision": "2"}
    assert f'name="revision" value="{again["revision"]}"' in answer.text
    assert post(second, f"/versions/{draft.id}", again).status_code == 303
    assert stored_newsroom.load(draft.id).texts["vi"] == "Của cả hai\n"


def test_two_editors_see_every_field_in_which_they_differ(newsroom: Newsroom) -> None:
    draft = newsroom.write()
    form = FORM | {"action": "save", "effective_at": "2027-01-10T09:00"}
    post(newsroom.browser("lan"), f"/versions/{draft.id}", form | {"title_vi": "Của Lan"})
    mine = {
        "revision": 1,
        "title_vi": "Của Boss",
        "change_class": "material",
        "new": "data",
        "effective_at": "",
    }

    answer = post(newsroom.browser("boss"), f"/versions/{draft.id}?lang=en", form | mine)

    assert answer.status_code == 409
    shown = re.findall(r'<textarea id="(\w+)" rows="\d+" readonly[^>]*>\n([^<]*)</textarea>', answer.text)
    assert dict(shown) == {
        "stored_title_vi": "Của Lan",
        "typed_title_vi": "Của Boss",
        "stored_change_class": "Important",
        "typed_change_class": "Material",
        "stored_new": "",
        "typed_new": "A new kind of data",
        "stored_effective_at": "2027-01-10T09:00",
        "typed_effective_at": "",
    }


def test_every_missing_field_is_marked(newsroom: Newsroom) -> None:
    draft = newsroom.write()

    answer = post(
        newsroom.browser("lan"),
        f"/versions/{draft.id}?lang=en",
        FORM | {"action": "submit", "title_en": "", "summary_vi": " "},
    )

    assert error_of(answer, "title_en") == "Still missing: Title (English)."
    assert error_of(answer, "summary_vi") == "Still missing: What changes, in plain words (Vietnamese)."


def test_what_was_typed_into_a_frozen_version_is_still_shown(stored_newsroom: Newsroom) -> None:
    draft = stored_newsroom.announced()
    before = stored_newsroom.stored()

    browser = stored_newsroom.browser("lan")
    data = FORM | {
        "action": "save",
        "text_vi": "Quá muộn",
        "revision": draft.revision,
        "csrf_token": stored_newsroom.token(browser),
    }
    answer = browser.post(f"{ADMIN}/versions/{draft.id}", data=data)

    assert answer.status_code == 409
    assert re.search(r'<textarea id="typed_text_vi"[^>]*readonly[^>]*>\nQuá muộn</textarea>', answer.text)
    assert "Không sửa được phiên bản này nữa." in answer.text
    assert stored_newsroom.stored() == before


# Autosave ------------------------------------------------------------------------


def test_autosave_of_a_new_version_tells_its_address(stored_newsroom: Newsroom) -> None:
    data = FORM | {"action": "save", "autosave": "1", "summary_en": ""}

    answer = post(stored_newsroom.browser("lan"), "/versions/new", data, headers=JSON)

    assert answer.status_code == 201
    body = answer.get_json()
    draft = stored_newsroom.load(int(body["url"].rpartition("/")[2]))
    assert body == {
        "revision": draft.revision,
        "state": "draft",
        "saved_at": NOW.isoformat(timespec="seconds"),
        "stale": False,
        "missing": ["summary_en"],
        "url": f"{ADMIN}/versions/{draft.id}",
    }


def test_autosave_counts_the_revision_on(newsroom: Newsroom) -> None:
    draft = newsroom.write()
    browser = newsroom.browser("lan")

    first = post(browser, f"/versions/{draft.id}", FORM | {"action": "save", "text_vi": "Một"}, headers=JSON)
    again = post(
        browser,
        f"/versions/{draft.id}",
        FORM | {"action": "save", "text_vi": "Một", "revision": 1},
        headers=JSON,
    )
    next_one = post(
        browser, f"/versions/{draft.id}", FORM | {"action": "save", "text_vi": "Hai"}, headers=JSON
    )

    assert (first.status_code, first.get_json()["revision"], first.get_json()["stale"]) == (200, 2, True)
    assert (again.status_code, again.get_json()["error"]["code"]) == (409, "revision")
    assert (next_one.status_code, next_one.get_json()["revision"]) == (200, 3)


@pytest.mark.parametrize(
    "data, status, code, field",
    [
        ({"effective_at": "soon"}, 400, "bad_time", "effective_at"),
        ({"text_vi": "\0"}, 400, "not_text", "text_vi"),
        ({"csrf_token": "x"}, 403, "stale_form", None),
        ({"action": "approve"}, 403, "role", None),
    ],
)
def test_a_script_is_refused_in_json(
    newsroom: Newsroom, data: dict[str, str], status: int, code: str, field: str | None
) -> None:
    draft = newsroom.write()

    answer = post(
        newsroom.browser("lan"), f"/versions/{draft.id}", FORM | {"action": "save"} | data, headers=JSON
    )

    assert answer.status_code == status
    error = answer.get_json()["error"]
    assert (error["code"], error["field"]) == (code, field)
    assert error["message"]
    assert newsroom.load(draft.id) == draft


# Times ---------------------------------------------------------------------------


@pytest.fixture
def berlin(make_newsroom: MakeNewsroom) -> Newsroom:
    return make_newsroom(config={"CONSENT_WIDGET_TIMEZONE": "Europe/Berlin"})


@pytest.mark.parametrize(
    "written, instants",
    [
        ("2027-03-28T02:30", ("2027-03-28 01:30 +0100", "2027-03-28 03:30 +0200")),
        ("2027-10-31T02:30", ("2027-10-31 02:30 +0200", "2027-10-31 02:30 +0100")),
    ],
    ids=["skipped", "twice"],
)
def test_a_time_at_which_clocks_are_set_names_both_instants(
    berlin: Newsroom, written: str, instants: tuple[str, str]
) -> None:
    draft = berlin.write()

    answer = post(
        berlin.browser("lan"), f"/versions/{draft.id}", FORM | {"action": "save", "effective_at": written}
    )

    assert answer.status_code == 400
    message = html.unescape(error_of(answer, "effective_at"))
    assert all(one in message for one in instants)
    assert berlin.load(draft.id) == draft


@pytest.mark.parametrize(
    "zone, written, instant",
    [
        ("Europe/Berlin", "2027-03-28T03:00", "2027-03-28T01:00"),
        ("Europe/Berlin", "2027-10-31T03:00", "2027-10-31T02:00"),
        ("Asia/Ho_Chi_Minh", "2027-01-15T00:00", "2027-01-14T17:00"),
        ("Asia/Ho_Chi_Minh", "2027-01-14T23:59", "2027-01-14T16:59"),
    ],
)
def test_a_time_means_that_of_the_zone_beside_it(
    make_newsroom: MakeNewsroom, zone: str, written: str, instant: str
) -> None:
    newsroom = make_newsroom(config={"CONSENT_WIDGET_TIMEZONE": zone})
    draft = newsroom.write()

    answer = post(
        newsroom.browser("lan"), f"/versions/{draft.id}", FORM | {"action": "save", "effective_at": written}
    )

    assert answer.status_code == 303
    assert newsroom.load(draft.id).effective_at == datetime.fromisoformat(f"{instant}+00:00")
    page = newsroom.browser("lan").get(f"{ADMIN}/versions/{draft.id}").text
    assert f'value="{written}"' in page
    assert f'data-zone="{zone}"' in page


@pytest.mark.parametrize(
    "zone, vi, en",
    [
        ("Asia/Ho_Chi_Minh", "Giờ Việt Nam (GMT+7)", "Vietnam Time (GMT+7)"),
        ("Europe/Berlin", "Giờ Trung Âu", "Central European Time"),
        ("UTC", "Giờ Phối hợp Quốc tế (GMT+0)", "Coordinated Universal Time (GMT+0)"),
    ],
)
def test_the_zone_beside_a_date_is_called_as_people_call_it(
    make_newsroom: MakeNewsroom, zone: str, vi: str, en: str
) -> None:
    """Without an offset where that depends on the date."""
    browser = make_newsroom(config={"CONSENT_WIDGET_TIMEZONE": zone}).browser("lan")

    for language, name in (("vi", vi), ("en", en)):
        page = browser.get(f"{ADMIN}/versions/new?lang={language}").text
        assert f'<span id="effective_at-zone">{name}</span>' in page


def test_the_earliest_date_of_each_class_is_stated(newsroom: Newsroom) -> None:
    page = newsroom.browser("lan").get(f"{ADMIN}/versions/new?lang=en").text

    assert "earliest 16 December 2026, 09:00 (Vietnam Time, GMT+7)" in page  # 1 December 09:00 + 15 days
    assert "earliest 31 December 2026, 09:00 (Vietnam Time, GMT+7)" in page  # + 30 days


# What is pointed out ---------------------------------------------------------------

SAME = "word for word those of the version in force"
FAR = "more than two years ahead"
OVERTAKEN = "has come into force since this text was last edited"


@pytest.mark.parametrize("stage, user", [("write", "lan"), ("submitted", "minh"), ("approved", "minh")])
def test_nothing_is_pointed_out_where_all_is_well(newsroom: Newsroom, stage: str, user: str) -> None:
    draft = getattr(newsroom, stage)(effective_at=NOW + timedelta(days=730))

    page = newsroom.browser(user).get(f"{ADMIN}/versions/{draft.id}?lang=en").text

    assert not [one for one in (SAME, FAR, OVERTAKEN) if one in page]


@pytest.mark.parametrize("stage, user", [("write", "lan"), ("submitted", "minh"), ("approved", "minh")])
def test_a_version_that_changes_nothing_is_pointed_out(newsroom: Newsroom, stage: str, user: str) -> None:
    page = newsroom.browser("lan").get(f"{ADMIN}/versions/new?lang=en").text
    assert SAME not in page
    texts = {
        one: html.unescape(re.findall(rf'<textarea id="text_{one}"[^>]*>\n(.*?)</textarea>', page, re.S)[0])
        for one in ("vi", "en")
    }
    draft = getattr(newsroom, stage)(texts=texts)

    assert SAME in newsroom.browser(user).get(f"{ADMIN}/versions/{draft.id}?lang=en").text


@pytest.mark.parametrize("stage, user", [("write", "lan"), ("submitted", "minh"), ("approved", "minh")])
def test_a_date_far_ahead_is_pointed_out(newsroom: Newsroom, stage: str, user: str) -> None:
    draft = getattr(newsroom, stage)(effective_at=datetime(2036, 12, 1, 2, 0, tzinfo=UTC))

    page = newsroom.browser(user).get(f"{ADMIN}/versions/{draft.id}?lang=en").text

    assert FAR in page
    assert "1 December 2036" in page


@pytest.mark.parametrize("stage, user", [("write", "lan"), ("submitted", "minh"), ("approved", "minh")])
def test_a_text_that_was_overtaken_is_pointed_out(newsroom: Newsroom, stage: str, user: str) -> None:
    """Announcing it would take back what another version changed meanwhile."""
    draft = getattr(newsroom, stage)(effective_at=NOW + timedelta(days=90))
    newsroom.announced(texts={"vi": f"{VI}\nThêm.\n", "en": f"{EN}\nMore.\n"})
    path = f"{ADMIN}/versions/{draft.id}?lang=en"
    assert OVERTAKEN not in newsroom.browser(user).get(path).text

    newsroom.clock.tick(days=41)

    page = newsroom.browser(user).get(path).text
    assert f"Version 2 {OVERTAKEN}" in page
    assert page.index(OVERTAKEN) < min(page.index("<form"), page.index('id="changes"'))
    assert OVERTAKEN not in newsroom.browser(user).get(f"{ADMIN}/versions/1?lang=en").text


def test_the_editor_begins_with_what_stands_on_its_page(newsroom: Newsroom) -> None:
    draft = newsroom.write()
    page = newsroom.browser("lan").get(f"{ADMIN}/versions/{draft.id}?lang=en").text

    index = re.search(r'<nav class="cw-admin-index"[^>]*>(.*?)</nav>', page, re.S)
    assert index
    links = re.findall(r'href="#([\w-]+)">([^<]+)<', index[1])
    assert [words for _, words in links] == ["Texts", "Kind of change", "Preview", "Changes", "Checklist"]
    places = [page.index(f'id="{anchor}"') for anchor, _ in links]
    assert places == sorted(places)


@pytest.mark.parametrize("user", ["minh", "hoa"])
def test_who_decides_reads_what_changed_before_the_whole_texts(newsroom: Newsroom, user: str) -> None:
    draft = newsroom.submitted()

    page = newsroom.browser(user).get(f"{ADMIN}/versions/{draft.id}").text

    assert page.index('id="changes"') < page.index("cw-admin-frame")


def test_the_difference_from_the_version_in_force_is_shown_in_each_language(newsroom: Newsroom) -> None:
    draft = newsroom.write(texts={"vi": "Hoàn toàn khác", "en": "Something else"})

    page = newsroom.browser("lan").get(f"{ADMIN}/versions/{draft.id}").text

    changes = page.partition('id="changes"')[2]
    assert re.search(r"<ins>.*?Hoàn toàn khác", changes, re.S)
    assert re.search(r"<ins>.*?Something else", changes, re.S)
    assert "<del>" in changes


def test_the_checklist_finds_sections_by_their_tags(newsroom: Newsroom) -> None:
    draft = newsroom.write()

    page = newsroom.browser("lan").get(f"{ADMIN}/versions/{draft.id}?lang=en").text

    assert len(re.findall(r'data-finding="present"', page)) == 1
    # Four tags, and the sections of version 1 whose links would break.
    assert len(re.findall(r'data-finding="absent"', page)) == 5
    assert "Law 91/2025/QH15, Art. 9(4)(d)" in page
    assert "#thong-tin-khach-hang" in page
    assert "Law 91/2025/QH15, Art. 17(1)(đ)" in page
    assert "which text governs?</span></li>" in page


def test_the_checklist_of_a_refused_form_is_that_of_the_text_typed(newsroom: Newsroom) -> None:
    """Browsers send CRLF; the sections are found all the same."""
    draft = newsroom.write()
    browser = newsroom.browser("lan")
    stored = _findings(browser.get(f"{ADMIN}/versions/{draft.id}").text)
    form = FORM | {name: FORM[name].replace("\n", "\r\n") for name in ("text_vi", "text_en")}

    answer = post(browser, f"/versions/{draft.id}", form | {"action": "save", "effective_at": "soon"})

    assert answer.status_code == 400
    assert _findings(answer.text) == stored


def _findings(page: str) -> list[tuple[str, str]]:
    return re.findall(r'data-finding="(\w+)".*?<span>(.*?)</li>', page)


def test_an_authors_text_is_no_markup_in_the_editor(newsroom: Newsroom) -> None:
    evil = "</textarea><script>alert(1)</script><img src=x onerror=alert(1)>"
    draft = newsroom.write(
        titles={"vi": evil, "en": evil}, summaries={"vi": evil, "en": evil}, texts={"vi": evil, "en": evil}
    )
    newsroom_pages = [f"/versions/{draft.id}", "/", f"/versions/{draft.id}/preview/vi"]

    for path in newsroom_pages:
        page = newsroom.browser("lan").get(f"{ADMIN}{path}").text
        assert "<script>alert" not in page
        assert "<img src=x" not in page


def test_a_comment_of_the_one_who_returned_it_is_shown(newsroom: Newsroom) -> None:
    draft = newsroom.submitted()
    post(newsroom.browser("minh"), f"/versions/{draft.id}", {"action": "return", "reason": "Thiếu mục quyền"})

    assert "Thiếu mục quyền" in newsroom.browser("lan").get(f"{ADMIN}/versions/{draft.id}").text
