"""Why a form was not done, field by field; and where two people differ."""

from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from ..core.draft import NEW, Draft
from ..core.language import GOVERNING, LANGUAGES
from ..core.notice import MAX_TEXT
from ..services.decision import Gate
from .desk import Words, desk
from .forms import WRITTEN, AmbiguousTime, Typed, typed_in
from .page import show_moment
from .problems import code_of
from .sayings import say_class, say_error, say_new


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A field in which the database and the form differ; ``diff`` for texts, ``lang`` where it has a language."""

    name: str
    label: str
    lang: str
    stored: str
    typed: str
    rows: int
    diff: Markup


def show_errors(
    refusal: Exception | None, draft: Draft | None, t: Words, gate: Gate | None = None
) -> dict[str, str]:
    """The message by field; under "" where it belongs to none."""
    if refusal is None:
        return {}
    code = code_of(refusal)
    if code == "missing_language" and draft is not None and draft.missing:
        return {name: t("Still missing: %(field)s.", field=_label(name, t)) for name in draft.missing}
    if isinstance(refusal, AmbiguousTime):
        return {"effective_at": _say_ambiguous(refusal, t)}
    said = say_reason(code, gate.earliest, t) if gate else say_error(code, t)
    return {getattr(refusal, "field", None) or "": said}


def say_reason(code: str, earliest: datetime, t: Words) -> str:
    """As :func:`say_error`; what comes too early is told from when on it would not."""
    if code != "too_early":
        return say_error(code, t)
    return t(
        "The lead time lasts until %(date)s. Choose that date or a later one, or write down a reason: "
        "it will be printed on the version’s page.",
        date=show_moment(earliest, t),
    )


def _say_ambiguous(error: AmbiguousTime, t: Words) -> str:
    first, second = error.instants
    if error.code == "skipped_time":
        return t(
            "Clocks are set forward here, so this time does not exist. It would be %(first)s or %(second)s.",
            first=first,
            second=second,
        )
    return t(
        "Clocks are set back here, so this time comes twice: as %(first)s and as %(second)s.",
        first=first,
        second=second,
    )


def _label(name: str, t: Words) -> str:
    field, language = name.split("_")
    labels = {"title": t("Title"), "text": t("Text"), "summary": t("What changes, in plain words")}
    return f"{labels[field]} ({t('Vietnamese') if language == GOVERNING else t('English')})"


def show_conflicts(draft: Draft, sent: Typed, t: Words) -> list[Difference]:
    """Every field in which what is stored and what was typed differ: nothing is overwritten unseen."""
    stored = typed_in(draft, desk().deployment.settings.timezone)
    found = []
    for name in WRITTEN:
        before, after = stored.texts[name], sent.texts[name]
        if before.strip() != after.strip():
            found.append(_written(name, before, after, t))
    pairs = (
        ("change_class", t("Kind of change"), *(_class(one.change_class, t) for one in (stored, sent))),
        ("new", t("Is there something new?"), *(_new(one.new, t) for one in (stored, sent))),
        (
            "ask_again",
            t("Ask visitors again about"),
            *(", ".join(sorted(one.ask_again)) for one in (stored, sent)),
        ),
        ("effective_at", t("Takes effect"), stored.effective_at, sent.effective_at),
    )
    return found + [
        Difference(name=name, label=label, lang="", stored=before, typed=after, rows=1, diff=Markup())
        for name, label, before, after in pairs
        if before != after
    ]


def _written(name: str, before: str, after: str, t: Words) -> Difference:
    is_text = name.startswith("text")
    comparable = is_text and before and 0 < len(after) <= MAX_TEXT
    return Difference(
        name=name,
        label=_label(name, t),
        lang=next(one for one in LANGUAGES if name.endswith(one)),
        stored=before,
        typed=after,
        rows=10 if is_text else 2,
        diff=desk().show_diff(before, after, t.language) if comparable else Markup(),
    )


def _class(value: str, t: Words) -> str:
    try:
        return say_class(value, t)
    except KeyError:
        return value


def _new(kinds: frozenset[str], t: Words) -> str:
    return ", ".join(sorted(say_new(one, t)[0] for one in kinds if one in NEW))
