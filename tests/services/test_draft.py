"""The buttons of the staff: what each one does, whom it refuses, and that a refusal changes nothing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from flask import Flask

from consent_widget.core.draft import Draft, DraftFields
from consent_widget.core.errors import Conflict, ConsentWidgetError, Forbidden, InputError, UnknownVersion
from consent_widget.core.notice import ChangeClass, content_hash
from consent_widget.core.staff import Staff
from consent_widget.core.workflow import State
from consent_widget.services.decision import announce_draft, approve_draft, ask_gate, withdraw_version
from consent_widget.services.deployment import Deployment
from consent_widget.services.draft import (
    create_draft,
    discard_draft,
    list_drafts,
    load_draft,
    return_draft,
    save_draft,
    submit_draft,
)
from consent_widget.services.ledger import verify
from consent_widget.storage.ledger import read_entries
from consent_widget.storage.notice import load_schedule
from tests.conftest import MakeApp
from tests.factories import NOW, deployment

DAY = timedelta(days=1)
AUTHOR = Staff("author", "An author", frozenset({"author"}))
APPROVER = Staff("approver", "An approver", frozenset({"approver"}))
BOTH = Staff("both", "Author and approver", frozenset({"author", "approver"}))
AUDITOR = Staff("auditor", "An auditor", frozenset({"auditor"}))


@pytest.fixture
def office(make_app: MakeApp, database_url: str) -> Deployment:
    """A host on each database; version 1 is not imported."""
    app: Flask = make_app(database_url=database_url)
    done = app.test_cli_runner().invoke(args=["consent", "upgrade"])
    assert done.exit_code == 0, done.output
    return deployment(app)


def fields(text: str = "Lời", **values: Any) -> DraftFields:
    given: dict[str, Any] = {
        "titles": {"vi": "Tên", "en": "Title"},
        "summaries": {"vi": "Tóm tắt", "en": "Summary"},
        "texts": {"vi": text, "en": f"{text} in English"},
        "change_class": ChangeClass.IMPORTANT,
        "effective_at": NOW + 16 * DAY,
    }
    return DraftFields(**given | values)


def created(office: Deployment, staff: Staff = AUTHOR, **values: Any) -> Draft:
    return create_draft(office, fields(**values), staff=staff, now=NOW)


def submitted(office: Deployment, **values: Any) -> Draft:
    draft = created(office, **values)
    return submit_draft(office, draft.id, revision=draft.revision, staff=AUTHOR, now=NOW)


def approved(office: Deployment, **values: Any) -> Draft:
    draft = submitted(office, **values)
    return approve_draft(office, draft.id, revision=draft.revision, staff=APPROVER, now=NOW)


def announced(office: Deployment, now: datetime = NOW, **values: Any) -> Draft:
    draft = approved(office, **values)
    return announce_draft(office, draft.id, revision=draft.revision, staff=APPROVER, now=now)


def refused(office: Deployment, do: Callable[[], object], kind: type[ConsentWidgetError], code: str) -> None:
    """``do`` is refused with ``code``; no version and no ledger entry is new or other than before."""
    before = (list_drafts(office), entries(office))
    with pytest.raises(kind) as caught:
        do()
    assert getattr(caught.value, "code", None) == code
    assert (list_drafts(office), entries(office)) == before


def entries(office: Deployment) -> list[tuple[str, str]]:
    with office.database.reading() as connection:
        return [(one.kind, one.body_sha256) for one in read_entries(connection, start=0, stop=1000)]


# The way of a version


def test_a_draft_becomes_a_version(office: Deployment) -> None:
    draft = announced(office)

    assert (draft.state, draft.number, draft.reason) == (State.ANNOUNCED, 1, "")
    assert load_draft(office, draft.id) == draft
    with office.database.reading() as connection:
        (version,) = load_schedule(connection).versions
    assert (version.number, version.effective_at, version.announced_at) == (1, NOW + 16 * DAY, NOW)
    assert version.content_hashes == draft.content_hashes
    assert office.schedule.at(NOW).coming(NOW) == version
    assert verify(office, [key.public for key in office.log_keys]).problem is None


def test_what_is_stored_comes_back(office: Deployment) -> None:
    draft = created(
        office,
        change_class=ChangeClass.MATERIAL,
        ask_again=frozenset({"marketing"}),
        new=frozenset({"purpose"}),
    )

    assert load_draft(office, draft.id) == draft
    assert list_drafts(office) == [draft]


def test_an_edit_voids_what_others_said(office: Deployment) -> None:
    before = approved(office)

    draft = save_draft(
        office, before.id, fields("Khác"), revision=before.revision, staff=AUTHOR, now=NOW + DAY
    )

    assert draft.state is State.DRAFT
    assert (draft.approved_by, draft.approved_hash, draft.submitted_by) == (None, None, None)
    assert (draft.edited_by, draft.edited_at) == ("author", NOW + DAY)
    refused(
        office,
        lambda: announce_draft(office, draft.id, revision=draft.revision, staff=APPROVER, now=NOW),
        Conflict,
        "wrong_state",
    )


def test_saving_what_stands_already_voids_nothing(office: Deployment) -> None:
    before = approved(office)

    assert (
        save_draft(office, before.id, fields(), revision=before.revision, staff=APPROVER, now=NOW) == before
    )


def test_a_returned_draft_has_a_comment_until_it_is_submitted_again(office: Deployment) -> None:
    draft = submitted(office)

    back = return_draft(
        office, draft.id, revision=draft.revision, comment=" Say who. ", staff=APPROVER, now=NOW
    )
    again = submit_draft(office, draft.id, revision=back.revision, staff=AUTHOR, now=NOW)

    assert (back.state, back.comment) == (State.DRAFT, "Say who.")
    assert (again.state, again.comment) == (State.IN_REVIEW, "")


def test_returning_wants_a_word(office: Deployment) -> None:
    draft = submitted(office)

    refused(
        office,
        lambda: return_draft(office, draft.id, revision=draft.revision, comment=" ", staff=APPROVER, now=NOW),
        InputError,
        "no_comment",
    )


def test_a_discarded_draft_is_gone_and_the_ledger_knows(office: Deployment) -> None:
    draft = created(office)
    known = len(entries(office))

    discard_draft(office, draft.id, revision=draft.revision, staff=AUTHOR, now=NOW)

    assert list_drafts(office) == []
    assert len(entries(office)) == known + 1
    with pytest.raises(UnknownVersion):
        load_draft(office, draft.id)


def test_what_was_announced_cannot_be_edited_or_discarded(office: Deployment) -> None:
    draft = announced(office)

    for do in (
        lambda: save_draft(office, draft.id, fields("x"), revision=draft.revision, staff=AUTHOR, now=NOW),
        lambda: discard_draft(office, draft.id, revision=draft.revision, staff=AUTHOR, now=NOW),
        lambda: approve_draft(office, draft.id, revision=draft.revision, staff=APPROVER, now=NOW),
    ):
        refused(office, do, Conflict, "wrong_state")


# Languages in step


def test_an_edit_of_the_source_makes_the_translation_stale(office: Deployment) -> None:
    draft = created(office)
    only_source = fields(texts={"vi": "Mới", "en": "Lời in English"})

    stale = save_draft(office, draft.id, only_source, revision=draft.revision, staff=AUTHOR, now=NOW)

    assert stale.stale
    refused(
        office,
        lambda: submit_draft(office, draft.id, revision=stale.revision, staff=AUTHOR, now=NOW),
        InputError,
        "stale_translation",
    )


@pytest.mark.parametrize(
    "later",
    [
        pytest.param(fields(texts={"vi": "Mới", "en": "New"}), id="translated anew"),
        pytest.param(
            fields(texts={"vi": "Mới", "en": "Lời in English"}, in_step=True), id="said to fit as it is"
        ),
    ],
)
def test_a_translation_gets_into_step_again(office: Deployment, later: DraftFields) -> None:
    draft = created(office)
    only_source = fields(texts={"vi": "Mới", "en": "Lời in English"})
    stale = save_draft(office, draft.id, only_source, revision=draft.revision, staff=AUTHOR, now=NOW)

    fresh = save_draft(office, draft.id, later, revision=stale.revision, staff=AUTHOR, now=NOW)

    assert fresh.source_hash == content_hash("Mới\n")
    submit_draft(office, draft.id, revision=fresh.revision, staff=AUTHOR, now=NOW)


def test_a_missing_language_is_kept_as_a_draft_and_not_submitted(office: Deployment) -> None:
    draft = created(office, texts={"vi": "Lời", "en": ""})

    assert load_draft(office, draft.id).texts == {"vi": "Lời\n", "en": ""}
    refused(
        office,
        lambda: submit_draft(office, draft.id, revision=draft.revision, staff=AUTHOR, now=NOW),
        InputError,
        "missing_language",
    )


# Four eyes and roles


def test_nobody_approves_their_own_text(office: Deployment) -> None:
    draft = created(office, staff=BOTH)
    draft = submit_draft(office, draft.id, revision=draft.revision, staff=BOTH, now=NOW)

    refused(
        office,
        lambda: approve_draft(office, draft.id, revision=draft.revision, staff=BOTH, now=NOW),
        Forbidden,
        "four_eyes",
    )
    refused(
        office,
        lambda: announce_draft(
            office, draft.id, revision=None, staff=BOTH, now=NOW, outright=True, effective_at=NOW + 20 * DAY
        ),
        Forbidden,
        "four_eyes",
    )


@pytest.mark.parametrize("staff", [AUTHOR, AUDITOR], ids=lambda one: one.id)
def test_an_author_or_auditor_decides_nothing(office: Deployment, staff: Staff) -> None:
    draft = approved(office)
    at: dict[str, Any] = {"revision": draft.revision, "staff": staff, "now": NOW}

    for do in (
        lambda: approve_draft(office, draft.id, **at),
        lambda: announce_draft(office, draft.id, **at),
        lambda: return_draft(office, draft.id, comment="No", **at),
        lambda: withdraw_version(office, draft.id, reason="No", **at),
    ):
        refused(office, do, Forbidden, "role")


def test_an_auditor_writes_nothing(office: Deployment) -> None:
    draft = created(office)
    at: dict[str, Any] = {"revision": draft.revision, "staff": AUDITOR, "now": NOW}

    for do in (
        lambda: create_draft(office, fields(), staff=AUDITOR, now=NOW),
        lambda: save_draft(office, draft.id, fields("x"), **at),
        lambda: submit_draft(office, draft.id, **at),
        lambda: discard_draft(office, draft.id, **at),
    ):
        refused(office, do, Forbidden, "role")


# Nobody overwrites what they have not seen


def test_an_older_revision_is_refused_by_every_button(office: Deployment) -> None:
    draft = approved(office)
    old = draft.revision - 1
    buttons: list[Callable[[], object]] = [
        lambda: save_draft(office, draft.id, fields("x"), revision=old, staff=AUTHOR, now=NOW),
        lambda: submit_draft(office, draft.id, revision=old, staff=AUTHOR, now=NOW),
        lambda: return_draft(office, draft.id, revision=old, comment="x", staff=APPROVER, now=NOW),
        lambda: approve_draft(office, draft.id, revision=old, staff=APPROVER, now=NOW),
        lambda: announce_draft(office, draft.id, revision=old, staff=APPROVER, now=NOW),
        lambda: withdraw_version(office, draft.id, revision=old, reason="x", staff=APPROVER, now=NOW),
        lambda: discard_draft(office, draft.id, revision=old, staff=AUTHOR, now=NOW),
    ]
    for do in buttons:
        refused(office, do, Conflict, "revision")


def at_once(*do: Callable[[], object]) -> list[object]:
    """What each gave or raised, all started together."""
    barrier, found = Barrier(len(do)), list[object]([None] * len(do))

    def run(place: int) -> None:
        barrier.wait()
        try:
            found[place] = do[place]()
        except ConsentWidgetError as error:
            found[place] = error

    threads = [Thread(target=run, args=(place,)) for place in range(len(do))]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return found


@pytest.mark.parametrize("_round", range(5))
def test_of_two_editors_one_wins_and_the_other_is_told(office: Deployment, _round: int) -> None:
    draft = created(office)
    first, second = (
        lambda text=text: save_draft(
            office, draft.id, fields(text), revision=draft.revision, staff=AUTHOR, now=NOW
        )
        for text in ("Một", "Hai")
    )

    found = at_once(first, second)

    (won,) = [one for one in found if isinstance(one, Draft)]
    (lost,) = [one for one in found if isinstance(one, Conflict)]
    assert lost.code == "revision"
    assert load_draft(office, draft.id) == won


@pytest.mark.parametrize("_round", range(5))
def test_of_many_clicks_on_announce_one_makes_the_version(office: Deployment, _round: int) -> None:
    draft = approved(office)

    found = at_once(
        *[
            lambda: announce_draft(office, draft.id, revision=draft.revision, staff=APPROVER, now=NOW)
            for _ in range(4)
        ]
    )

    assert [one.number for one in found if isinstance(one, Draft)] == [1]
    assert len([one for one in found if isinstance(one, Conflict)]) == 3
    assert sum(kind == "version" for kind, _ in entries(office)) == 1
    assert verify(office, [key.public for key in office.log_keys]).problem is None


@pytest.mark.parametrize("_round", range(5))
def test_two_versions_announced_at_once_do_not_both_wait(office: Deployment, _round: int) -> None:
    one, other = approved(office, text="Một"), approved(office, text="Hai")

    found = at_once(
        *[
            lambda draft=draft: announce_draft(
                office, draft.id, revision=draft.revision, staff=APPROVER, now=NOW
            )
            for draft in (one, other)
        ]
    )

    assert len([result for result in found if isinstance(result, Draft)]) == 1
    (lost,) = [result for result in found if isinstance(result, Conflict)]
    assert lost.code == "one_pending"


# The gate


def test_a_date_too_early_is_refused_and_opens_with_a_reason(office: Deployment) -> None:
    draft = approved(office, effective_at=NOW + DAY)
    assert ask_gate(office, draft, now=NOW).reasons == ("too_early",)
    refused(
        office,
        lambda: announce_draft(office, draft.id, revision=draft.revision, staff=APPROVER, now=NOW),
        InputError,
        "too_early",
    )

    done = announce_draft(
        office, draft.id, revision=draft.revision, staff=APPROVER, now=NOW, reason="A court ordered it."
    )

    assert (done.state, done.reason) == (State.ANNOUNCED, "A court ordered it.")
    assert done.overrides == ("too_early",)
    with office.database.reading() as connection:
        (version,) = load_schedule(connection).versions
    assert (version.reason, version.overrides) == ("A court ordered it.", ("too_early",))


def test_a_reason_that_was_not_needed_is_not_kept(office: Deployment) -> None:
    draft = approved(office, effective_at=NOW + DAY)

    done = announce_draft(
        office,
        draft.id,
        revision=draft.revision,
        staff=APPROVER,
        now=NOW,
        effective_at=NOW + 20 * DAY,
        reason="Left over from the first try.",
    )

    assert (done.reason, done.overrides) == ("", ())


def test_waiting_after_approval_does_not_shorten_the_lead_time(office: Deployment) -> None:
    draft = approved(office, effective_at=NOW + 16 * DAY)

    refused(
        office,
        lambda: announce_draft(office, draft.id, revision=draft.revision, staff=APPROVER, now=NOW + 2 * DAY),
        InputError,
        "too_early",
    )


def test_the_announcer_may_set_a_later_date_and_approves_it_by_that(office: Deployment) -> None:
    draft = approved(office, effective_at=None)

    done = announce_draft(
        office, draft.id, revision=draft.revision, staff=APPROVER, now=NOW, effective_at=NOW + 30 * DAY
    )

    assert (done.effective_at, done.approved_by) == (NOW + 30 * DAY, "approver")
    assert done.approved_hash == done.edition_hash


def test_an_editorial_version_without_a_date_takes_effect_when_it_is_announced(office: Deployment) -> None:
    done = announced(office, change_class=ChangeClass.EDITORIAL, effective_at=None, now=NOW + DAY)

    assert done.effective_at == NOW + DAY
    assert done.approved_hash == done.edition_hash


def test_a_second_version_waits_until_the_first_is_in_force(office: Deployment) -> None:
    announced(office)
    second = approved(office, text="Hai", effective_at=NOW + 90 * DAY)

    refused(
        office,
        lambda: announce_draft(office, second.id, revision=second.revision, staff=APPROVER, now=NOW + DAY),
        Conflict,
        "one_pending",
    )
    done = announce_draft(office, second.id, revision=second.revision, staff=APPROVER, now=NOW + 17 * DAY)

    assert done.number == 2


def test_a_tagged_section_is_not_editorial_without_a_reason(office: Deployment) -> None:
    first = "## A {.purposes}\n\nOne"
    announced(office, text=first, change_class=ChangeClass.EDITORIAL, effective_at=None)
    draft = approved(
        office, text=first.replace("One", "Two"), change_class=ChangeClass.EDITORIAL, effective_at=None
    )

    refused(
        office,
        lambda: announce_draft(office, draft.id, revision=draft.revision, staff=APPROVER, now=NOW + DAY),
        InputError,
        "tagged_change",
    )


def test_what_is_asked_again_is_a_category_of_the_register(office: Deployment) -> None:
    unknown = fields(ask_again=frozenset({"weather"}))

    refused(office, lambda: create_draft(office, unknown, staff=AUTHOR, now=NOW), InputError, "unknown_value")


# Withdrawal


def test_a_version_is_withdrawn_before_its_effect_and_its_number_is_not_given_again(
    office: Deployment,
) -> None:
    draft = announced(office)

    gone = withdraw_version(
        office, draft.id, revision=draft.revision, reason="A mistake.", staff=APPROVER, now=NOW + DAY
    )

    assert (gone.state, gone.withdrawal_reason) == (State.WITHDRAWN, "A mistake.")
    assert replace(gone, state=draft.state).edition_hash == draft.edition_hash
    assert office.schedule.at(NOW + DAY).versions == ()
    assert announced(office, text="Hai").number == 2


def test_what_is_in_force_is_not_withdrawn(office: Deployment) -> None:
    draft = announced(office)

    refused(
        office,
        lambda: withdraw_version(
            office, draft.id, revision=draft.revision, reason="x", staff=APPROVER, now=NOW + 16 * DAY
        ),
        Conflict,
        "in_force",
    )
    refused(
        office,
        lambda: withdraw_version(
            office, draft.id, revision=draft.revision, reason="", staff=APPROVER, now=NOW + DAY
        ),
        InputError,
        "no_reason",
    )
