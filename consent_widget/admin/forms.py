"""What the editor's form sends, read into values; what was typed stays as it was for the answer."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import unquote_to_bytes
from zoneinfo import ZoneInfo

from werkzeug.datastructures import MultiDict

from ..core.draft import Draft, DraftFields
from ..core.errors import InputError
from ..core.language import LANGUAGES
from ..core.local_time import read_local
from ..core.notice import ChangeClass

Form = MultiDict[str, str]

_LOCAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}")

#: The fields of the text itself, by name and language.
WRITTEN = tuple(f"{name}_{language}" for name in ("title", "summary", "text") for language in LANGUAGES)


@dataclass(frozen=True, kw_only=True)
class Typed:
    """The form as it was filled in: ``texts`` by field name, ``effective_at`` as the browser writes it."""

    texts: Mapping[str, str]
    change_class: str
    ask_again: frozenset[str]
    new: frozenset[str]
    effective_at: str
    in_step: bool
    reason: str = ""


def typed_in(draft: Draft | None, zone: ZoneInfo) -> Typed:
    """The form for a version as it is stored, or for a new one."""
    if draft is None:
        return Typed(
            texts=dict.fromkeys(WRITTEN, ""),
            change_class=ChangeClass.IMPORTANT.value,
            ask_again=frozenset(),
            new=frozenset(),
            effective_at="",
            in_step=False,
        )
    return Typed(
        texts={
            f"{name}_{language}": values[language]
            for name, values in (("title", draft.titles), ("summary", draft.summaries), ("text", draft.texts))
            for language in LANGUAGES
        },
        change_class=draft.change_class.value,
        ask_again=draft.ask_again,
        new=draft.new,
        effective_at=show_local(draft.effective_at, zone),
        in_step=False,
    )


def typed(form: Form, before: Typed) -> Typed:
    """``form`` over what stood ``before``: a field that was not sent is left as it was.

    Browsers send every line end as CRLF (HTML, "convert to a list of name-value pairs"); here it is the stored LF.
    """
    reason = _lines(form.get("reason", ""))
    if not has_texts(form):
        return replace(before, effective_at=form.get("effective_at", before.effective_at), reason=reason)
    return Typed(
        texts={name: _lines(form.get(name, before.texts[name])) for name in WRITTEN},
        change_class=form.get("change_class", before.change_class),
        # A box that is not ticked is not sent.
        ask_again=frozenset(form.getlist("ask_again")),
        new=frozenset(form.getlist("new")),
        effective_at=form.get("effective_at", before.effective_at),
        in_step="in_step" in form,
        reason=reason,
    )


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def ill_formed(body: bytes, mimetype: str) -> str | None:
    """The first field of a form's ``body`` that is no UTF-8; "" where it is not known which, None where all are."""
    if mimetype == "multipart/form-data":
        return None if _is_utf8(body) else ""
    for pair in body.split(b"&"):
        name, _, value = (unquote_to_bytes(one) for one in pair.partition(b"="))
        if not _is_utf8(value):
            return name.decode(errors="replace")
        if not _is_utf8(name):
            return ""
    return None


def _is_utf8(given: bytes) -> bool:
    try:
        given.decode()
    except UnicodeDecodeError:
        return False
    return True


def has_texts(form: Form) -> bool:
    """Whether ``form`` is the editor's, not a bare button."""
    return any(name in form for name in WRITTEN)


def read_fields(sent: Typed, zone: ZoneInfo, *, stored: datetime | None = None) -> DraftFields:
    """What is to be saved.

    Raises:
        InputError: a field cannot be used; it is named.
    """
    if sent.change_class not in list(ChangeClass):
        raise InputError(
            "unknown_value", f"change_class must be out of {', '.join(ChangeClass)}.", "change_class"
        )
    by_name = {
        name: {language: sent.texts[f"{name}_{language}"] for language in LANGUAGES}
        for name in ("title", "summary", "text")
    }
    return DraftFields(
        titles=by_name["title"],
        summaries=by_name["summary"],
        texts=by_name["text"],
        change_class=ChangeClass(sent.change_class),
        ask_again=sent.ask_again,
        new=sent.new,
        effective_at=read_time(sent.effective_at, zone, stored=stored),
        in_step=sent.in_step,
    )


def read_time(written: str, zone: ZoneInfo, *, stored: datetime | None = None) -> datetime | None:
    """The instant that a date field means in ``zone``; None where it is empty.

    ``stored`` comes back whole where the field shows it: seconds are not shown.

    Raises:
        InputError: ``bad_time``; or, with both instants named, ``skipped_time`` or ``doubled_time``.
    """
    if not written.strip():
        return None
    if stored is not None and written == show_local(stored, zone):
        return stored
    try:
        reading = read_local(_local(written.strip()), zone)
    except (ValueError, OverflowError) as error:
        raise InputError("bad_time", "effective_at must be YYYY-MM-DDTHH:MM.", "effective_at") from error
    if len(reading.instants) > 1:
        code = "doubled_time" if reading.exists else "skipped_time"
        raise AmbiguousTime(code, reading.instants, zone)
    return reading.instants[0]


class AmbiguousTime(InputError):
    """Clocks are set at that time: it comes twice or never; ``instants`` are what it could mean, with offset."""

    def __init__(self, code: str, instants: tuple[datetime, ...], zone: ZoneInfo) -> None:
        self.instants = tuple(f"{one.astimezone(zone):%Y-%m-%d %H:%M %z}" for one in instants)
        super().__init__(code, f"It could mean {' or '.join(self.instants)}.", "effective_at")


def _local(written: str) -> datetime:
    if not _LOCAL.fullmatch(written):
        raise ValueError("not YYYY-MM-DDTHH:MM")
    return datetime.fromisoformat(written)


def show_local(when: datetime | None, zone: ZoneInfo) -> str:
    """``when`` as a date field takes it; empty for None."""
    return f"{when.astimezone(zone):%Y-%m-%dT%H:%M}" if when is not None else ""


def read_revision(form: Form) -> int:
    """The revision that the form was filled in for.

    Raises:
        InputError: ``bad_revision``.
    """
    written = form.get("revision", "")
    if not written.isascii() or not written.isdecimal() or len(written) > 9:
        raise InputError("bad_revision", "revision must be a whole number.", "revision")
    return int(written)


def in_utc(when: datetime) -> str:
    """An ISO time for programs."""
    return when.astimezone(UTC).isoformat(timespec="seconds")
