"""Notices come from files, are frozen once announced, and every mistake names its file."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from consent_widget.core.errors import NoticeError
from consent_widget.services.notice import Imported, import_notices, list_versions, notice_text
from consent_widget.storage.database import Database
from consent_widget.storage.notice import load_schedule
from tests.factories import NOTICES, NOW, OPTIONAL, announce

DAY = timedelta(days=1)

Write = Callable[..., None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "notices"
    found.mkdir()
    return found


@pytest.fixture
def write(folder: Path) -> Write:
    """Writes both files of a version; ``vi`` and ``en`` replace one language's whole content."""

    def make(number: int = 1, body: str = "Words", head: str = "class: material", **whole: str) -> None:
        for language in ("vi", "en"):
            text = (
                f"---\ntitle: Title {language}\nsummary: Summary {language}\n{head}\n---\n{body} {language}\n"
            )
            path = folder / f"{number}.{language}.md"
            path.write_text(whole.get(language, text), encoding="utf-8")

    return make


def do_import(
    database: Database,
    folder: Path,
    *,
    announce: bool = True,
    effective_at: datetime | None = None,
    now: datetime = NOW,
) -> list[Imported]:
    return import_notices(
        database,
        folder,
        now=now,
        categories=OPTIONAL,
        parse_time=lambda value: datetime.fromisoformat(str(value)).replace(tzinfo=UTC),
        announced=lambda connection, draft: None,
        effective_at=effective_at,
        announce=announce,
    )


def in_schedule(database: Database) -> dict[int, datetime]:
    with database.reading() as connection:
        return {one.number: one.effective_at for one in load_schedule(connection).versions}


def listed(database: Database, *, now: datetime = NOW) -> list[tuple[int | None, str]]:
    return [(one.number, one.state) for one in list_versions(database, now=now)]


def test_the_clients_own_policy_is_announced_at_the_moment_of_its_import(database: Database) -> None:
    done = do_import(database, NOTICES)

    assert done == [Imported(number=1, state="announced", effective_at=NOW)]
    assert in_schedule(database) == {1: NOW}
    found = notice_text(database, number=1, language="vi")
    assert found is not None
    assert found.title == "Chính sách bảo mật thông tin"


def test_version_1_without_announce_is_a_draft(database: Database, folder: Path, write: Write) -> None:
    write()

    done = do_import(database, folder, announce=False)

    assert done == [Imported(number=1, state="draft", effective_at=None)]
    assert in_schedule(database) == {}
    assert listed(database) == [(None, "draft")]


def test_a_draft_is_announced_by_a_later_import(database: Database, folder: Path, write: Write) -> None:
    write()
    do_import(database, folder, announce=False)

    done = do_import(database, folder)

    assert done == [Imported(number=1, state="announced", effective_at=NOW)]
    assert in_schedule(database) == {1: NOW}
    assert listed(database) == [(1, "in_force")]


def test_later_versions_end_as_drafts(database: Database, folder: Path, write: Write) -> None:
    write(1)
    write(2, "Other words")
    write(10, "More words")

    done = do_import(database, folder)

    assert [(one.number, one.state) for one in done] == [(1, "announced"), (2, "draft"), (10, "draft")]
    assert in_schedule(database) == {1: NOW}
    assert listed(database) == [(1, "in_force"), (None, "draft"), (None, "draft")]


def test_importing_twice_changes_nothing(database: Database, folder: Path, write: Write) -> None:
    write(1)
    write(2, "Other words")
    do_import(database, folder)
    before = list_versions(database, now=NOW)

    again = do_import(database, folder, now=NOW + DAY)

    assert {one.state for one in again} == {"unchanged"}
    assert list_versions(database, now=NOW) == before


def test_other_line_ends_and_spellings_of_letters_are_the_same_text(
    sqlite_database: Database, folder: Path, write: Write
) -> None:
    write(1, "Ti\u1ebfng\nVi\u1ec7t")
    do_import(sqlite_database, folder)
    write(1, "Tie\u0302\u0301ng\r\nVie\u0323\u0302t")

    assert [one.state for one in do_import(sqlite_database, folder)] == ["unchanged"]


@pytest.mark.parametrize("language", ["vi", "en"])
def test_an_announced_text_is_frozen(
    sqlite_database: Database, folder: Path, write: Write, language: str
) -> None:
    write()
    do_import(sqlite_database, folder)
    frozen = notice_text(sqlite_database, number=1, language=language)
    changed = f"---\ntitle: Title {language}\nsummary: Summary {language}\nclass: material\n---\nChanged\n"
    write(**{language: changed})

    with pytest.raises(NoticeError, match=r"announced with another text; make it a new version") as refused:
        do_import(sqlite_database, folder)

    assert refused.value.path == str(folder / f"1.{language}.md")
    assert notice_text(sqlite_database, number=1, language=language) == frozen
    assert listed(sqlite_database) == [(1, "in_force")]


@pytest.mark.parametrize(
    "changed, named",
    [
        ("---\ntitle: New\nsummary: Summary vi\nclass: material\n---\nWords vi\n", "title"),
        ("---\ntitle: Title vi\nsummary: New\nclass: material\n---\nWords vi\n", "summary"),
    ],
)
def test_title_and_summary_of_an_announced_version_are_frozen_too(
    sqlite_database: Database, folder: Path, write: Write, changed: str, named: str
) -> None:
    write()
    do_import(sqlite_database, folder)
    write(vi=changed)

    with pytest.raises(NoticeError, match=f"announced with another {named}") as refused:
        do_import(sqlite_database, folder)

    assert refused.value.path == str(folder / "1.vi.md")
    frozen = notice_text(sqlite_database, number=1, language="vi")
    assert frozen is not None
    assert (frozen.title, frozen.summary) == ("Title vi", "Summary vi")


def test_class_and_ask_again_of_an_announced_version_are_frozen_too(
    sqlite_database: Database, folder: Path, write: Write
) -> None:
    write()
    do_import(sqlite_database, folder)
    write(head="class: material\nask_again: [analytics]")

    with pytest.raises(NoticeError, match="announced with another class or ask_again"):
        do_import(sqlite_database, folder)

    with sqlite_database.reading() as connection:
        assert load_schedule(connection).versions[0].ask_again == frozenset()


def test_one_faulty_version_keeps_the_whole_folder_out(
    sqlite_database: Database, folder: Path, write: Write
) -> None:
    write(1)
    write(2, en="no front matter")

    with pytest.raises(NoticeError, match=r"2\.en\.md"):
        do_import(sqlite_database, folder)

    assert listed(sqlite_database) == []


def test_a_frozen_text_that_differs_keeps_the_other_versions_out(
    sqlite_database: Database, folder: Path, write: Write
) -> None:
    write(1)
    do_import(sqlite_database, folder)
    write(1, "Changed")
    write(2, "New")

    with pytest.raises(NoticeError):
        do_import(sqlite_database, folder)

    assert listed(sqlite_database) == [(1, "in_force")]


@pytest.mark.parametrize(
    "head, given, expected",
    [
        pytest.param("class: material", None, NOW, id="the moment of the import"),
        pytest.param("class: material\neffective_at: 2027-01-01T00:00:00", None, None, id="the file's date"),
        pytest.param(
            "class: material\neffective_at: 2027-01-01T00:00:00", NOW + DAY, NOW + DAY, id="the option"
        ),
    ],
)
def test_version_1_takes_effect_when_it_is_said_to(
    database: Database,
    folder: Path,
    write: Write,
    head: str,
    given: datetime | None,
    expected: datetime | None,
) -> None:
    write(head=head)

    (done,) = do_import(database, folder, effective_at=given)

    assert done.effective_at == (expected or datetime(2027, 1, 1, tzinfo=UTC))
    assert in_schedule(database) == {1: done.effective_at}


FRONT = "title: T\nsummary: S\nclass: material\n"


@pytest.mark.parametrize(
    "content, named",
    [
        pytest.param("", "title", id="empty file"),
        pytest.param("Words without front matter", "title", id="no front matter"),
        pytest.param("---\nsummary: S\nclass: material\n---\nWords", "title", id="no title"),
        pytest.param("---\ntitle: T\nclass: material\n---\nWords", "summary", id="no summary"),
        pytest.param(f"---\n{FRONT}---\n  \n", "markdown", id="no text"),
        pytest.param(f"---\n{FRONT}titel: T\n---\nWords", "titel", id="misspelt key"),
        pytest.param("---\ntitle: [\n---\nWords", "", id="no YAML"),
        pytest.param("---\n- a list\n---\nWords", "", id="a list for front matter"),
        pytest.param("---\njust words\n---\nWords", "", id="a text for front matter"),
        pytest.param("---\n5: five\n---\nWords", "", id="a number for a key"),
        pytest.param(f"---\n{FRONT}---\nWo\0rds", "", id="null byte"),
    ],
)
@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_faulty_file_is_named_and_nothing_is_imported(
    sqlite_database: Database, folder: Path, write: Write, language: str, content: str, named: str
) -> None:
    write(**{language: content})

    with pytest.raises(NoticeError) as refused:
        do_import(sqlite_database, folder)

    assert refused.value.path == str(folder / f"1.{language}.md")
    assert str(folder / f"1.{language}.md") in str(refused.value)
    assert named in str(refused.value)
    assert listed(sqlite_database) == []


def test_a_file_that_is_no_utf_8_is_named(sqlite_database: Database, folder: Path, write: Write) -> None:
    write()
    (folder / "1.en.md").write_bytes(f"---\n{FRONT}---\nWords ".encode() + b"\xff\xfe")

    with pytest.raises(NoticeError) as refused:
        do_import(sqlite_database, folder)

    assert refused.value.path == str(folder / "1.en.md")


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_missing_language_is_named_by_the_file_it_would_be(
    sqlite_database: Database, folder: Path, write: Write, language: str
) -> None:
    write()
    (folder / f"1.{language}.md").unlink()

    with pytest.raises(NoticeError, match="is missing; a version needs every language") as refused:
        do_import(sqlite_database, folder)

    assert refused.value.path == str(folder / f"1.{language}.md")
    assert listed(sqlite_database) == []


@pytest.mark.parametrize(
    "head, message",
    [
        ("class: grave", "class must be one of editorial, important, material, not 'grave'"),
        ("ask_again: []", "class must be one of editorial, important, material, not None"),
        ("class: [material]", "class must be one of"),
        ("class: material\nask_again: analytics", "ask_again must be a list"),
        ("class: material\nask_again: [5]", "ask_again must be a list"),
        ("class: material\nask_again: {analytics: 1}", "ask_again must be a list"),
        ("class: material\nask_again: [analytic]", "ask_again names 'analytic'; optional categories are"),
        ("class: material\nask_again: [necessary]", "ask_again names 'necessary'; optional categories are"),
        ("class: material\neffective_at: tomorrow", "effective_at"),
    ],
)
def test_a_faulty_head_is_named_by_its_file(
    sqlite_database: Database, folder: Path, write: Write, head: str, message: str
) -> None:
    write(head=head)

    with pytest.raises(NoticeError, match=r"1\.vi\.md") as refused:
        do_import(sqlite_database, folder)

    assert message in str(refused.value)
    assert listed(sqlite_database) == []


@pytest.mark.parametrize("key", ["class: editorial", "ask_again: [analytics]", "effective_at: 2027-01-01"])
def test_languages_that_disagree_are_refused_with_folder_and_number(
    sqlite_database: Database, folder: Path, write: Write, key: str
) -> None:
    head = "class: material\n" if not key.startswith("class") else ""
    write(en=f"---\ntitle: T\nsummary: S\n{head}{key}\n---\nWords")

    with pytest.raises(NoticeError, match=r"of version 1 differ between the languages") as refused:
        do_import(sqlite_database, folder)

    assert str(folder) in refused.value.path
    assert listed(sqlite_database) == []


def test_an_empty_folder_is_refused_with_what_was_expected(sqlite_database: Database, folder: Path) -> None:
    (folder / "README.md").write_text("nothing here")

    with pytest.raises(NoticeError, match=r"holds no notice; expected files like 1\.vi\.md") as refused:
        do_import(sqlite_database, folder)

    assert refused.value.path == str(folder)


def test_foreign_files_beside_notices_do_no_harm(
    sqlite_database: Database, folder: Path, write: Write
) -> None:
    write()
    for name in ("README.md", "draft.vi.md", "1.vi.md~", ".1.vi.md.swp", "notes.txt"):
        (folder / name).write_text("not a notice")

    assert [one.number for one in do_import(sqlite_database, folder)] == [1]


def test_what_is_in_force_follows_the_clock(database: Database) -> None:
    announce(database, 1, effective_at=NOW - 2 * DAY)
    announce(database, 2, effective_at=NOW)
    announce(database, 3, effective_at=NOW + DAY)

    assert listed(database) == [(1, "superseded"), (2, "in_force"), (3, "announced")]
    assert listed(database, now=NOW - DAY) == [(1, "in_force"), (2, "announced"), (3, "announced")]
    assert listed(database, now=NOW + DAY) == [(1, "superseded"), (2, "superseded"), (3, "in_force")]
    assert listed(database, now=NOW - 3 * DAY)[0] == (1, "announced")
