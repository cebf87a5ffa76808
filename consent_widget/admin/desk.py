"""What the staff's door is given: by the host, by the extension, and by the public door."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Protocol, cast

from flask import current_app, request
from markupsafe import Markup

from ..core.draft import Draft
from ..core.errors import UnknownVersion
from ..core.staff import Staff
from ..services.deployment import Deployment
from ..services.draft import load_draft

#: The staff door's entry in ``app.extensions``.
EXTENSION = "consent_widget_admin"


class Words(Protocol):
    """The catalogue in one language: ``t("Hello %(name)s", name=...)`` gives plain text."""

    language: str

    def __call__(self, message: str, **values: Any) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Desk:
    """``staff_loader``, ``staff_directory`` and ``mailer`` are the host's; the last two may be None.

    From the public door: ``words`` by language, the ``language`` of this request
    and ``answer_in`` to set it, the ``context`` that every template gets, ``base``
    (the path of our pages as the browser sees it), ``check_origin``, which raises
    for a form of a foreign page, ``same_origin`` and ``safe_path`` for addresses, ``wants_json``,
    ``keep_policy`` to let a content security policy stand whatever the host's hooks
    do, ``show_diff`` for two texts in a language, and ``preview``: a draft in one
    language as a visitor will see it, under stamps.
    """

    deployment: Deployment
    staff_loader: Callable[[], Staff | None]
    staff_directory: Callable[[], Iterable[Staff]] | None
    mailer: Callable[[EmailMessage], object] | None
    words: Mapping[str, Words]
    language: Callable[[], str]
    answer_in: Callable[[object], None]
    context: Callable[[str], dict[str, Any]]
    base: Callable[[], str]
    check_origin: Callable[[], None]
    same_origin: Callable[[str], bool]
    safe_path: Callable[[str], str | None]
    wants_json: Callable[[], bool]
    keep_policy: Callable[[str], None]
    show_diff: Callable[[str, str, str], Markup]
    preview: Callable[[Draft, str, Sequence[str]], str]


def desk() -> Desk:
    """The current app's desk."""
    return cast(Desk, current_app.extensions[EXTENSION])


def words() -> Words:
    """The words in the language of this request."""
    return desk().words[desk().language()]


def whole_address(path: str) -> str:
    """``path``, as this browser addresses it, for somebody elsewhere: at PUBLIC_URL, else where the request went."""
    public = desk().deployment.settings.public_url
    if public is None:
        return request.host_url.rstrip("/") + path
    return public + path.removeprefix(request.script_root)


#: Larger ids are none: PostgreSQL keeps them in 32 bits.
_MAX_ID = 2**31 - 1


def find_version(version_id: int) -> Draft:
    """The version with the id that stands in an address.

    Raises:
        UnknownVersion: there is none.
        StoreUnavailable: the database did not answer.
    """
    if version_id > _MAX_ID:
        raise UnknownVersion(f"There is no version with the id {version_id}.")
    return load_draft(desk().deployment, version_id)


def known_staff() -> dict[str, Staff]:
    """The staff whom the host's directory lists, by id; empty without one."""
    directory = desk().staff_directory
    return {one.id: one for one in directory()} if directory is not None else {}
