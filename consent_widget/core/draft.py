"""A notice version at work: what it holds, what an approval binds to, what is still missing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from json import dumps

from .errors import Forbidden, InputError
from .language import GOVERNING, LANGUAGES
from .notice import ChangeClass, Edition, canonical_text, content_hash
from .staff import Staff
from .workflow import State

#: The questions of Law 91/2025/QH15 Art. 3(2) and 9: a new one of these needs a new consent.
NEW = ("purpose", "recipient", "data", "country")

#: A title or a summary is longer than this only by mistake, in characters.
MAX_TITLE, MAX_SUMMARY = 200, 2000


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A version at any stage of work; ``""`` where a language has not been written yet.

    ``titles`` and ``summaries`` plain, ``texts`` Markdown, by language.
    ``source_hash`` is the content hash of the governing text that the
    translation was made from. Persons are staff ids; times are aware, UTC.
    """

    id: int
    number: int | None = None
    state: State = State.DRAFT
    revision: int = 1
    titles: Mapping[str, str]
    summaries: Mapping[str, str]
    texts: Mapping[str, str]
    source_hash: str | None = None
    change_class: ChangeClass = ChangeClass.EDITORIAL
    ask_again: frozenset[str] = frozenset()
    new: frozenset[str] = frozenset()
    effective_at: datetime | None = None
    created_at: datetime
    edited_by: str
    edited_at: datetime
    submitted_by: str | None = None
    submitted_at: datetime | None = None
    approved_by: str | None = None
    approved_at: datetime | None = None
    approved_hash: str | None = None
    announced_by: str | None = None
    announced_at: datetime | None = None
    withdrawn_by: str | None = None
    withdrawn_at: datetime | None = None
    comment: str = ""
    reason: str = ""
    overrides: tuple[str, ...] = ()
    withdrawal_reason: str = ""

    @property
    def content_hashes(self) -> Mapping[str, str]:
        return {language: content_hash(text) for language, text in self.texts.items()}

    @property
    def edition_hash(self) -> str:
        """What an approval binds to: texts, titles, summaries, class, what is asked again, effective date."""
        return edition_hash(self)

    @property
    def missing(self) -> tuple[str, ...]:
        """The fields that have to be filled before approval, as forms name them."""
        return tuple(
            f"{name}_{language}"
            for language in LANGUAGES
            for name, values in (("title", self.titles), ("text", self.texts), ("summary", self.summaries))
            if not values.get(language)
        )

    @property
    def stale(self) -> bool:
        """Whether the governing text was edited after the translation was made."""
        return self.source_hash != content_hash(self.texts.get(GOVERNING, ""))


def draft_of(edition: Edition, *, editor: str, now: datetime) -> Draft:
    """A draft of an edition that is written already: its translation was made from the text beside it."""
    return Draft(
        id=0,
        titles={language: text.title for language, text in edition.texts.items()},
        summaries={language: text.summary for language, text in edition.texts.items()},
        texts={language: text.markdown for language, text in edition.texts.items()},
        source_hash=edition.texts[GOVERNING].content_hash,
        change_class=edition.change_class,
        ask_again=edition.ask_again,
        created_at=now,
        edited_by=editor,
        edited_at=now,
    )


def edition_hash(draft: Draft) -> str:
    """SHA-256 over everything a reader or a visitor will meet, in hexadecimal."""
    canonical = {
        "titles": dict(draft.titles),
        "summaries": dict(draft.summaries),
        "content_hashes": dict(draft.content_hashes),
        "change_class": draft.change_class.value,
        "ask_again": sorted(draft.ask_again),
        "new": sorted(draft.new),
        "effective_at": draft.effective_at.isoformat() if draft.effective_at else None,
    }
    return sha256(dumps(canonical, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class DraftFields:
    """What an editor sends. Texts come out in NFC with LF line ends, "" where nothing was written.

    Raises:
        InputError: ``not_text``, ``too_long``, ``unknown_value``, with the form's field.
    """

    titles: Mapping[str, str]
    summaries: Mapping[str, str]
    texts: Mapping[str, str]
    change_class: ChangeClass = ChangeClass.EDITORIAL
    ask_again: frozenset[str] = frozenset()
    new: frozenset[str] = frozenset()
    effective_at: datetime | None = None
    #: The translator says that the translation fits the governing text as it is now.
    in_step: bool = False

    def __post_init__(self) -> None:
        for name, limit in (("titles", MAX_TITLE), ("summaries", MAX_SUMMARY), ("texts", None)):
            given: Mapping[str, str] = getattr(self, name)
            field_name = {"titles": "title", "summaries": "summary", "texts": "text"}[name]
            clean = {
                language: _written(given.get(language, ""), f"{field_name}_{language}", limit)
                for language in LANGUAGES
            }
            if name == "texts":
                clean = {language: f"{text}\n" if text else "" for language, text in clean.items()}
            object.__setattr__(self, name, clean)
        for one in sorted(self.new):
            if one not in NEW:
                raise InputError("unknown_value", f"new must be out of {', '.join(NEW)}.", "new")


def _written(value: str, name: str, limit: int | None) -> str:
    clean = canonical_text(value, name) if value.strip() else ""
    if limit is not None and len(clean) > limit:
        raise InputError("too_long", f"The {name} is longer than {limit} characters.", name)
    if limit == MAX_TITLE and "\n" in clean:
        clean = " ".join(clean.split())
    return clean


def check_complete(draft: Draft) -> None:
    """Both languages stand, in step, with all that a reader is owed.

    Raises:
        InputError: ``missing_language``, ``stale_translation``, ``new_needs_material``,
            ``nothing_asked_again`` or ``asks_without_material``, with the field.
    """
    if draft.missing:
        raise InputError("missing_language", f"Still missing: {', '.join(draft.missing)}.", draft.missing[0])
    if draft.stale:
        raise InputError(
            "stale_translation", "The Vietnamese text was changed after its translation.", "text_en"
        )
    material = draft.change_class is ChangeClass.MATERIAL
    if draft.new and not material:
        raise InputError(
            "new_needs_material",
            "A new purpose, recipient, kind of data or country is material.",
            "change_class",
        )
    if draft.new and not draft.ask_again:
        raise InputError("nothing_asked_again", "Say which categories are asked about again.", "ask_again")
    if draft.ask_again and not material:
        raise InputError("asks_without_material", "Only a material version asks again.", "ask_again")


def check_four_eyes(draft: Draft, staff: Staff) -> None:
    """Raises Forbidden (``four_eyes``) where ``staff`` was the last to edit the text."""
    if staff.id == draft.edited_by:
        raise Forbidden("four_eyes", "Whoever edited a text last cannot approve or announce it.")
