"""Work on a notice version until it is announced: states, who may do what, when it may take effect.

Everything is decided here, from values alone; what is in force is not stored
and not decided here but computed (core.notice.Schedule).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from json import dumps

from .errors import Conflict, Forbidden, InputError
from .language import GOVERNING, LANGUAGES
from .notice import ChangeClass, Edition, canonical_text, content_hash
from .section import changed_tags
from .staff import Staff

#: The questions of Law 91/2025/QH15 Art. 3(2) and 9: a new one of these needs a new consent.
NEW = ("purpose", "recipient", "data", "country")

#: A title or a summary is longer than this only by mistake, in characters.
MAX_TITLE, MAX_SUMMARY = 200, 2000


class State(StrEnum):
    DRAFT = "draft"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    ANNOUNCED = "announced"
    WITHDRAWN = "withdrawn"


class Event(StrEnum):
    SAVE = "save"
    SUBMIT = "submit"
    RETURN = "return"
    APPROVE = "approve"
    ANNOUNCE = "announce"
    WITHDRAW = "withdraw"
    DISCARD = "discard"


#: Where an event leads; None: nothing is left. An edit voids what others have said of the text.
_TABLE: Mapping[State, Mapping[Event, State | None]] = {
    State.DRAFT: {Event.SAVE: State.DRAFT, Event.SUBMIT: State.IN_REVIEW, Event.DISCARD: None},
    State.IN_REVIEW: {
        Event.SAVE: State.DRAFT,
        Event.RETURN: State.DRAFT,
        Event.APPROVE: State.APPROVED,
        Event.DISCARD: None,
    },
    State.APPROVED: {
        Event.SAVE: State.DRAFT,
        Event.RETURN: State.DRAFT,
        Event.ANNOUNCE: State.ANNOUNCED,
        Event.DISCARD: None,
    },
    State.ANNOUNCED: {Event.WITHDRAW: State.WITHDRAWN},
    State.WITHDRAWN: {},
}

_WRITERS = frozenset({"author", "approver", "officer"})
_DECIDERS = frozenset({"approver", "officer"})
_ROLES: Mapping[Event, frozenset[str]] = {
    Event.SAVE: _WRITERS,
    Event.SUBMIT: _WRITERS,
    Event.DISCARD: _WRITERS,
    Event.RETURN: _DECIDERS,
    Event.APPROVE: _DECIDERS,
    Event.ANNOUNCE: _DECIDERS,
    Event.WITHDRAW: _DECIDERS,
}


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


def advance(state: State, event: Event) -> State | None:
    """Where ``event`` leads from ``state``; None: the draft is gone.

    Raises:
        Conflict: ``wrong_state``: it leads nowhere from there.
    """
    try:
        return _TABLE[state][event]
    except KeyError:
        raise Conflict("wrong_state", f"A version that is {state} cannot be changed by {event}.") from None


def may(staff: Staff, event: Event) -> bool:
    """Whether the roles of ``staff`` allow ``event`` on some version."""
    return bool(staff.roles & _ROLES[event])


def check_role(staff: Staff, event: Event) -> None:
    """Raises Forbidden (``role``) unless one of the roles of ``staff`` allows ``event``."""
    if not may(staff, event):
        raise Forbidden("role", f"The role of this account does not allow {event}.")


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


@dataclass(frozen=True, kw_only=True)
class Lead:
    """How long beforehand a version is told; ``sending`` is what the mails are estimated to take."""

    days: Mapping[ChangeClass, int]
    sending: timedelta = field(default_factory=timedelta)

    def earliest(self, change_class: ChangeClass, now: datetime) -> datetime:
        """The first instant at which a version announced ``now`` may take effect."""
        return now + timedelta(days=self.days[change_class]) + self.sending


def reasons_needed(draft: Draft, *, before: Mapping[str, str], lead: Lead, now: datetime) -> tuple[str, ...]:
    """Why announcing ``draft`` needs a second person's written reason; empty where it needs none.

    ``too_early``: it would take effect before the lead time is over.
    ``tagged_change``: a section on purposes, recipients, retention, transfers
    or rights changed, yet it is filed as editorial. ``before`` holds the texts
    in force by language, empty before the first version.
    """
    found = []
    if draft.effective_at is not None and draft.effective_at < lead.earliest(draft.change_class, now):
        found.append("too_early")
    if draft.change_class is ChangeClass.EDITORIAL and any(
        changed_tags(before[language], draft.texts[language])
        for language in before
        if language in draft.texts
    ):
        found.append("tagged_change")
    return tuple(found)


def check_gate(draft: Draft, *, before: Mapping[str, str], lead: Lead, now: datetime, reason: str) -> None:
    """The publication gate: nobody is told of a change after the fact.

    A class without lead time needs no date: it takes effect when it is announced.

    Raises:
        InputError: ``no_date``, ``past_date``, or one of :func:`reasons_needed` without ``reason``.
    """
    earliest = lead.earliest(draft.change_class, now)
    if draft.effective_at is None and earliest > now:
        raise InputError("no_date", "Say when the version takes effect.", "effective_at")
    if draft.effective_at is not None and draft.effective_at < now:
        raise InputError("past_date", "The effective date has passed.", "effective_at")
    for code in () if reason else reasons_needed(draft, before=before, lead=lead, now=now):
        if code == "too_early":
            words = f"The lead time is not over before {earliest.isoformat(timespec='minutes')}."
            raise InputError(code, words, "effective_at")
        words = "A section on purposes, recipients, retention, transfers or rights changed."
        raise InputError(code, words, "change_class")
