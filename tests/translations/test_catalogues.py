"""Vietnamese and English are equal: every message stands in both catalogues, finished, with the same placeholders."""

import re
from functools import cache
from pathlib import Path
from unicodedata import is_normalized

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

from consent_widget.core.language import LANGUAGES
from consent_widget.render.catalogue import load_catalogue

ROOT = Path(__file__).parents[2]
TRANSLATIONS = ROOT / "translations"

#: Words of the sources are written `t("...")`, plurals `t.n("...", "...", n)`; Jinja's own names are not ours.
KEYWORDS = {"t": None, "n": (1, 2)}

_PLACEHOLDER = re.compile(r"%\((\w+)\)[a-z]")


@cache
def extracted() -> dict[str, list[str]]:
    """Each message of the sources and the files it stands in."""
    with (TRANSLATIONS / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]  # comes half typed
    found: dict[str, list[str]] = {}
    for name, _line, message, _comments, _context in extract_from_dir(
        ROOT, methods, options, keywords=KEYWORDS, directory_filter=_is_ours
    ):
        for one in (message,) if isinstance(message, str) else message:
            found.setdefault(one, []).append(name)
    return found


def _is_ours(folder: str) -> bool:
    return Path(folder).name not in {
        ".venv",
        "node_modules",
        ".git",
        "tests",
        "demo_site",
        "docs",
        "build",
        "static",
    }


@cache
def catalogue(language: str) -> Catalog:
    path = TRANSLATIONS / language / "LC_MESSAGES" / "consent_widget.po"
    with path.open("rb") as file:
        return read_po(file, locale=language)


def messages(language: str) -> list[Message]:
    return [message for message in catalogue(language) if message.id]


def words_of(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string or ())


def ids_of(message: Message) -> list[str]:
    return [message.id] if isinstance(message.id, str) else list(message.id)


def test_there_are_words_in_templates_and_in_code() -> None:
    places = {Path(name).suffix for names in extracted().values() for name in names}

    assert places == {".py", ".html", ".txt"}
    assert len(extracted()) > 50


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_of_the_sources_is_there(language: str) -> None:
    known = {one for message in messages(language) for one in ids_of(message)}

    missing = {message: names for message, names in extracted().items() if message not in known}

    assert not missing


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_message_is_there_that_the_sources_do_not_use(language: str) -> None:
    unused = [message.id for message in messages(language) if not set(ids_of(message)) & set(extracted())]

    assert not unused
    assert not catalogue(language).obsolete


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_message_is_unfinished(language: str) -> None:
    unfinished = [
        message.id
        for message in messages(language)
        if message.fuzzy or not all(words.strip() for words in words_of(message))
    ]

    assert not unfinished


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_are_equal(language: str) -> None:
    different = [
        message.id
        for message in messages(language)
        for words in words_of(message)
        if sorted(_PLACEHOLDER.findall(words)) != sorted(_PLACEHOLDER.findall(ids_of(message)[-1]))
    ]

    assert not different


@pytest.mark.parametrize("language", LANGUAGES)
def test_babels_own_checks_find_nothing(language: str) -> None:
    errors = {
        message.id: [str(error) for error in found] for message, found in catalogue(language).check() if found
    }

    assert not errors


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_message_is_plain_text_and_begins_and_ends_as_in_the_source(language: str) -> None:
    """No HTML inside messages; a full stop or a colon is not lost on the way."""
    for message in messages(language):
        for words, source in zip(words_of(message), ids_of(message), strict=False):
            assert not re.search(r"<\w+|&\w+;", words), source
            assert words == words.strip(), source
            assert words.endswith((".", "?", "!")) == source.endswith((".", "?", "!")), source


def test_the_english_words_are_the_source() -> None:
    different = [message.id for message in messages("en") if words_of(message) != ids_of(message)]

    assert not different


def test_the_catalogues_hold_the_same_messages_in_the_same_order() -> None:
    first, second = (messages(language) for language in LANGUAGES)

    assert [message.id for message in first] == [message.id for message in second]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalogue_says_what_is_written(language: str) -> None:
    compiled = load_catalogue(TRANSLATIONS, language)

    for message in messages(language):
        if isinstance(message.id, str):
            assert compiled.gettext(message.id) == message.string


def test_vietnamese_words_are_in_one_spelling() -> None:
    assert all(is_normalized("NFC", words) for message in messages("vi") for words in words_of(message))


def test_templates_use_no_other_way_to_translate() -> None:
    for path in (ROOT / "consent_widget" / "templates").rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert "{% trans" not in text, path
        assert not re.search(r"[{(\s]_\(|\bgettext\(", text), path
