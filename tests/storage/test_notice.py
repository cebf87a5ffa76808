"""Versions and their texts come back as they were written."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from consent_widget.core.errors import StoreUnavailable
from consent_widget.core.notice import ChangeClass
from consent_widget.storage import notice as storage
from consent_widget.storage.database import Database
from tests.factories import NOW, announce, edition, store_edition

DAY = timedelta(days=1)


def test_an_announced_edition_stands_in_the_schedule(database: Database) -> None:
    announce(
        database,
        2,
        effective_at=NOW + DAY,
        change_class=ChangeClass.MATERIAL,
        ask_again=["marketing", "analytics"],
    )
    written = edition("Version 2")

    with database.reading() as connection:
        (found,) = storage.load_schedule(connection).versions

    assert (found.number, found.change_class) == (2, ChangeClass.MATERIAL)
    assert found.ask_again == {"analytics", "marketing"}
    assert (found.effective_at, found.announced_at) == (NOW + DAY, NOW)
    assert found.titles == {"vi": "Version 2 (vi)", "en": "Version 2 (en)"}
    assert found.summaries == {"vi": "What changed (vi)", "en": "What changed (en)"}
    assert found.content_hashes == {one: text.content_hash for one, text in written.texts.items()}


def test_drafts_are_in_no_schedule_and_have_no_text_by_number(database: Database) -> None:
    with database.writing() as connection:
        store_edition(connection, edition(), now=NOW)

    with database.reading() as connection:
        assert storage.load_schedule(connection).versions == ()
        assert storage.load_text(connection, number=1, language="vi") is None


def test_the_text_comes_back_to_the_byte(database: Database) -> None:
    announce(database, 1)
    written = edition("Version 1")

    with database.reading() as connection:
        for language in ("vi", "en"):
            assert storage.load_text(connection, number=1, language=language) == written.texts[language]
        assert storage.load_text(connection, number=1, language="fr") is None
        assert storage.load_text(connection, number=9, language="vi") is None


def test_the_schedule_is_one_query(database: Database) -> None:
    for number in (1, 2, 3):
        announce(database, number)
    statements: list[str] = []
    sa.event.listen(
        database.engine, "before_cursor_execute", lambda *given: statements.append(given[2]), named=False
    )

    with database.reading() as connection:
        found = storage.load_schedule(connection)

    assert [one.number for one in found.versions] == [1, 2, 3]
    assert len([one for one in statements if one.startswith("SELECT")]) == 1


def test_a_number_is_given_once(database: Database) -> None:
    announce(database, 1)

    with pytest.raises(StoreUnavailable):
        announce(database, 1)

    with database.reading() as connection:
        assert len(storage.load_schedule(connection).versions) == 1


@pytest.mark.parametrize("missing", ["number", "effective_at", "announced_at"])
def test_the_database_itself_refuses_an_announced_version_that_is_incomplete(
    database: Database, missing: str
) -> None:
    values = {"number": 1, "effective_at": NOW, "announced_at": NOW} | {missing: None}

    with pytest.raises(StoreUnavailable), database.writing() as connection:
        connection.execute(
            sa.insert(storage.versions).values(
                state="announced", change_class="material", ask_again=[], created_at=NOW, **values
            )
        )

    with database.reading() as connection:
        assert storage.list_versions(connection) == []


def test_a_draft_is_found_by_its_texts_in_every_language(database: Database) -> None:
    with database.writing() as connection:
        draft = store_edition(connection, edition("One"), now=NOW)

    with database.reading() as connection:
        assert storage.find_draft(connection, edition("One")) == draft
        assert storage.find_draft(connection, edition("Two")) is None


def test_an_announced_version_is_no_draft_and_is_never_removed(database: Database) -> None:
    announce(database, 1)
    with database.writing() as connection:
        (row,) = storage.list_versions(connection)
        assert storage.find_draft(connection, edition("Version 1")) is None

        storage.delete_draft(connection, row.id)

    with database.reading() as connection:
        assert storage.load_text(connection, number=1, language="vi") is not None


def test_the_list_holds_drafts_and_versions_in_the_order_they_were_made(database: Database) -> None:
    announce(database, 1, effective_at=NOW)
    with database.writing() as connection:
        store_edition(connection, edition("Draft", change_class=ChangeClass.EDITORIAL), now=NOW)

    with database.reading() as connection:
        found = storage.list_versions(connection)

    assert [(one.number, one.state, one.change_class, one.effective_at) for one in found] == [
        (1, "announced", "material", NOW),
        (None, "draft", "editorial", None),
    ]
