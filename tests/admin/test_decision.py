"""A version is reviewed, returned, approved, announced, withdrawn and discarded, and its page says what comes next."""

import re
from datetime import timedelta

import pytest

from consent_widget.core.notice import ChangeClass
from tests.admin.newsroom import ADMIN, Newsroom, error_of, post
from tests.factories import NOW


def buttons(page: str) -> set[str]:
    """The actions that a page offers."""
    return set(re.findall(r'name="action" value="(\w+)"', page))


def test_a_version_goes_all_the_way(stored_newsroom: Newsroom) -> None:
    draft = stored_newsroom.write()
    author, approver, officer = (stored_newsroom.browser(one) for one in ("lan", "minh", "oanh"))
    path = f"/versions/{draft.id}"

    assert post(author, path, {"action": "submit"}).status_code == 303
    assert post(approver, path, {"action": "return", "reason": "Thiếu quyền"}).status_code == 303
    assert stored_newsroom.load(draft.id).comment == "Thiếu quyền"
    assert post(author, path, {"action": "submit"}).status_code == 303
    assert post(approver, path, {"action": "approve"}).status_code == 303
    assert stored_newsroom.load(draft.id).approved_by == "minh"
    assert post(officer, path, {"action": "announce"}).status_code == 303

    done = stored_newsroom.load(draft.id)
    assert (done.state, done.number, done.announced_by, done.reason) == ("announced", 2, "oanh", "")
    assert stored_newsroom.browser().get("/privacy/vi/versions/2").status_code == 200
    stored_newsroom.clock.tick(days=41)
    assert 'data-state="in_force"' in author.get(f"{ADMIN}{path}").text
    assert "withdraw" not in buttons(approver.get(f"{ADMIN}{path}").text)


def test_a_date_given_when_approving_is_what_is_approved(stored_newsroom: Newsroom) -> None:
    draft = stored_newsroom.submitted()
    data = {"action": "approve", "effective_at": "2027-02-01T09:00"}

    assert post(stored_newsroom.browser("minh"), f"/versions/{draft.id}", data).status_code == 303

    after = stored_newsroom.load(draft.id)
    assert after.effective_at is not None
    assert after.effective_at.isoformat() == "2027-02-01T02:00:00+00:00"
    assert after.approved_hash == after.edition_hash


def test_a_date_too_early_wants_a_reason(stored_newsroom: Newsroom) -> None:
    draft = stored_newsroom.approved()
    before = stored_newsroom.stored()
    browser = stored_newsroom.browser("minh")
    data = {"action": "announce", "effective_at": "2026-12-05T09:00"}

    answer = post(browser, f"/versions/{draft.id}", data)

    assert answer.status_code == 400
    message = error_of(answer, "effective_at")
    assert "Thời gian báo trước kéo dài đến lúc 09:00 ngày 16 tháng 12 năm 2026" in message
    assert answer.text.count(message) == 2  # above the form, and beside the field
    assert "cw-admin-alert-quiet" not in answer.text
    assert 'value="2026-12-05T09:00"' in answer.text
    assert stored_newsroom.stored() == before

    assert (
        post(browser, f"/versions/{draft.id}", data | {"reason": "Theo yêu cầu của cơ quan"}).status_code
        == 303
    )
    assert stored_newsroom.load(draft.id).reason == "Theo yêu cầu của cơ quan"
    assert "Theo yêu cầu của cơ quan" in stored_newsroom.browser().get("/privacy/vi/versions/2").text


@pytest.mark.parametrize(
    "stage, data, field",
    [
        ("submitted", {"action": "return"}, "reason"),
        ("submitted", {"action": "return", "reason": " \n "}, "reason"),
        ("submitted", {"action": "approve", "effective_at": "soon"}, "effective_at"),
        ("approved", {"action": "announce", "effective_at": "2026-11-01T09:00"}, "effective_at"),
        ("announced", {"action": "withdraw"}, "reason"),
    ],
)
def test_what_is_missing_is_said_beside_its_field(
    stored_newsroom: Newsroom, stage: str, data: dict[str, str], field: str
) -> None:
    draft = getattr(stored_newsroom, stage)()
    before = stored_newsroom.stored()

    answer = post(stored_newsroom.browser("minh"), f"/versions/{draft.id}", data)

    assert answer.status_code == 400
    assert error_of(answer, field)
    assert stored_newsroom.stored() == before


def test_the_reason_that_will_be_asked_for_names_the_earliest_date(newsroom: Newsroom) -> None:
    draft = newsroom.approved(effective_at=NOW + timedelta(days=3))

    page = newsroom.browser("minh").get(f"{ADMIN}/versions/{draft.id}?lang=en").text

    assert "The lead time lasts until 16 December 2026, 09:00 (Vietnam Time, GMT+7)." in page


@pytest.mark.parametrize(
    "change_class, said",
    [
        (ChangeClass.EDITORIAL, "When it is announced"),
        (ChangeClass.IMPORTANT, "No date yet: needed to announce"),
        (ChangeClass.MATERIAL, "No date yet: needed to announce"),
    ],
)
def test_a_version_without_a_date(newsroom: Newsroom, change_class: ChangeClass, said: str) -> None:
    again = frozenset({"analytics"}) if change_class is ChangeClass.MATERIAL else frozenset[str]()
    draft = newsroom.submitted(change_class=change_class, effective_at=None, ask_again=again)

    page = newsroom.browser("minh").get(f"{ADMIN}/versions/{draft.id}?lang=en").text

    assert f"<dt>Takes effect</dt><dd>{said}</dd>" in page


def test_a_tagged_section_is_no_editorial_change(newsroom: Newsroom) -> None:
    draft = newsroom.approved(change_class=ChangeClass.EDITORIAL)
    browser = newsroom.browser("minh")
    assert "khó có thể coi là chỉnh sửa câu chữ" in browser.get(f"{ADMIN}/versions/{draft.id}").text

    answer = post(browser, f"/versions/{draft.id}", {"action": "announce"})

    assert answer.status_code == 400
    assert newsroom.load(draft.id).state == "approved"


def test_a_decision_about_what_has_changed_since(stored_newsroom: Newsroom) -> None:
    """The approver looked at revision 2; the author has taken it back and changed it since."""
    draft = stored_newsroom.submitted()
    post(stored_newsroom.browser("lan"), f"/versions/{draft.id}", {"action": "save", "text_vi": "Khác"})
    before = stored_newsroom.stored()
    browser = stored_newsroom.browser("minh")

    answer = post(browser, f"/versions/{draft.id}", {"action": "approve", "revision": draft.revision})

    assert answer.status_code == 409
    assert "Khác" in answer.text
    assert stored_newsroom.stored() == before


def test_only_one_version_is_announced_and_not_in_force(stored_newsroom: Newsroom) -> None:
    stored_newsroom.announced()
    draft = stored_newsroom.approved()
    browser = stored_newsroom.browser("minh")
    page = browser.get(f"{ADMIN}/versions/{draft.id}?lang=en").text

    answer = post(browser, f"/versions/{draft.id}", {"action": "announce"})

    assert "announce" not in buttons(page)
    assert "Another version is announced" in page
    assert answer.status_code == 409
    assert stored_newsroom.load(draft.id).state == "approved"


def test_a_withdrawn_version_says_why(stored_newsroom: Newsroom) -> None:
    draft = stored_newsroom.announced()
    browser = stored_newsroom.browser("minh")

    answer = post(browser, f"/versions/{draft.id}", {"action": "withdraw", "reason": "Sai ngày"})

    assert answer.status_code == 303
    assert stored_newsroom.load(draft.id).withdrawal_reason == "Sai ngày"
    assert "Sai ngày" in browser.get(f"{ADMIN}/versions/{draft.id}").text


def test_it_is_too_late_to_withdraw(stored_newsroom: Newsroom) -> None:
    draft = stored_newsroom.announced()
    stored_newsroom.clock.tick(days=41)
    browser = stored_newsroom.browser("minh")
    data = {"action": "withdraw", "reason": "x", "revision": draft.revision}

    answer = browser.post(
        f"{ADMIN}/versions/{draft.id}", data=data | {"csrf_token": stored_newsroom.token(browser)}
    )

    assert answer.status_code == 409
    assert stored_newsroom.load(draft.id).state == "announced"


def test_discarding_takes_a_second_look_and_leaves_an_audit_entry(stored_newsroom: Newsroom) -> None:
    draft = stored_newsroom.write()
    browser = stored_newsroom.browser("lan")
    page = browser.get(f"{ADMIN}/versions/{draft.id}").text
    assert re.search(r'<details class="cw-admin-danger">.*?value="discard"', page, re.S)

    answer = post(browser, f"/versions/{draft.id}", {"action": "discard"})

    assert (answer.status_code, answer.headers["Location"]) == (303, f"{ADMIN}/")
    assert browser.get(f"{ADMIN}/versions/{draft.id}").status_code == 404
    assert "Đã hủy bỏ bản nháp." in browser.get(f"{ADMIN}/").text
    assert "Hủy bỏ bản nháp" in stored_newsroom.browser("hoa").get(f"{ADMIN}/audit").text


#: What the page of a version offers: by state, for the author who edited it last, an approver, and the auditor.
OFFERED: list[tuple[str, str, set[str]]] = [
    ("write", "lan", {"save", "submit", "discard"}),
    ("write", "minh", {"save", "submit", "discard"}),
    ("write", "hoa", set()),
    ("submitted", "lan", {"discard"}),
    ("submitted", "minh", {"approve", "return", "discard"}),
    ("submitted", "hoa", set()),
    ("approved", "lan", {"discard"}),
    ("approved", "minh", {"announce", "return", "discard"}),
    ("approved", "hoa", set()),
    ("announced", "lan", set()),
    ("announced", "minh", {"withdraw"}),
    ("announced", "hoa", set()),
]


@pytest.mark.parametrize("stage, user, expected", OFFERED)
def test_a_page_offers_what_this_person_may_do(
    newsroom: Newsroom, stage: str, user: str, expected: set[str]
) -> None:
    draft = getattr(newsroom, stage)()

    page = newsroom.browser(user).get(f"{ADMIN}/versions/{draft.id}").text

    assert buttons(page) == expected
    assert ("data-editor" in page) == (stage == "write" and user != "hoa")
    if stage in ("submitted", "approved") and user != "hoa":
        edit = newsroom.browser(user).get(f"{ADMIN}/versions/{draft.id}?edit=1").text
        assert buttons(edit) == {"save", "discard"}
        assert "data-autosave-status" in edit
        assert " data-autosave " not in edit


@pytest.mark.parametrize("stage", ["submitted", "approved"])
def test_a_button_that_is_not_there_is_explained(newsroom: Newsroom, stage: str) -> None:
    draft = getattr(newsroom, stage)("boss")

    page = newsroom.browser("boss").get(f"{ADMIN}/versions/{draft.id}").text

    assert buttons(page) == {"return", "discard"}
    assert "bạn là người sửa nội dung lần cuối" in page


def test_a_stale_translation_is_why_it_cannot_be_approved(newsroom: Newsroom) -> None:
    draft = newsroom.submitted()
    with newsroom.deployment.database.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE cw_notice_text SET source_hash = 'other' WHERE language = 'en' AND version_id = ?",
            (draft.id,),
        )

    page = newsroom.browser("minh").get(f"{ADMIN}/versions/{draft.id}?lang=en").text

    assert "approve" not in buttons(page)
    assert "The Vietnamese text was changed after the English one was written." in page


# The list -------------------------------------------------------------------------


def test_the_list_tells_states_people_and_whose_turn_it_is(newsroom: Newsroom) -> None:
    newsroom.write()
    newsroom.submitted()
    newsroom.approved()
    newsroom.announced()

    page = newsroom.browser("minh").get(f"{ADMIN}/?lang=en").text
    text = dict(re.findall(r'data-state="(\w+)">\n(.*?)</li>', page, re.S))

    assert set(text) == {"draft", "in_review", "approved", "announced", "in_force"}
    assert "last edited by Lan" in text["draft"]
    assert "Review it: approve or return" in text["in_review"]
    assert "approved by Oanh" in text["approved"]
    assert "Waits until the announced version is in force" in text["approved"]
    assert "announced by Oanh" in text["announced"]
    assert "Takes effect by itself on its date" in text["announced"]
    assert "imported from files" in text["in_force"]


def test_superseded_and_withdrawn_are_told_apart(newsroom: Newsroom) -> None:
    first = newsroom.announced()
    post(newsroom.browser("minh"), f"/versions/{first.id}", {"action": "withdraw", "reason": "Sai"})
    second = newsroom.announced()
    newsroom.clock.tick(days=41)

    page = newsroom.browser("hoa").get(f"{ADMIN}/").text
    states = dict(re.findall(r'data-version="(\d+)" data-state="(\w+)"', page))

    assert states == {"1": "superseded", str(first.id): "withdrawn", str(second.id): "in_force"}
    assert second.effective_at == NOW + timedelta(days=40)
