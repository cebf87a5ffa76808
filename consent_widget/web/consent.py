"""The visitor's choice: what it is, how it is shown, how it is saved."""

import json
from hashlib import sha256
from typing import Any, NoReturn

from flask import Response, current_app, jsonify, redirect, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.http import dump_cookie

from ..core.consent import LIFETIME, Action, Choice, Consent, Decision, Wish
from ..core.errors import InputError, StoreUnavailable
from ..services.consent import Outcome, record_decision, recorded_choice
from ..storage.consent import Evidence
from .language import WORDS, Words, current_language
from .markup import common_context, neutral_wording, preferences_context
from .origin import own_referrer, safe_path, same_origin
from .problems import Problem, wants_json
from .visit import SAVED, Visit, logger, visit
from .words import show_asked_again, show_moment

#: A choice is a few hundred bytes; more is none.
MAX_BODY = 16 * 1024

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def current_consent() -> Consent:
    """What the visitor of the current request agreed to. Marks the response private.

    Raises:
        RuntimeError: there is no request.
    """
    return visit().consent()


def show_state() -> Response:
    """GET /state: the choice on record as JSON, and the cookie put right where it differs."""
    here = visit()
    stale = _ask_record(here)
    response = _state(here.consent())
    if stale:
        _put_right(here, response, here.consent())
    return response


def show_preferences() -> Response:
    """GET /preferences: the page to choose on, as it is on record."""
    here = visit()
    stale = _ask_record(here)
    response = Response(_page(here, next_path=_next_for_form()))
    response.headers["Cache-Control"] = "no-store"
    if stale:
        _put_right(here, response, here.consent())
    return response


def save() -> Response:
    """POST /preferences: record the choice, then answer with it."""
    here = visit()
    _check_origin()
    wish, target, verify = _read_wish()
    t = WORDS[current_language()]
    deployment = here.host.deployment
    try:
        outcome = record_decision(
            deployment.database,
            wish,
            presented=here.presented,
            register=deployment.register,
            schedule=here.schedule,
            signal=here.signal,
            now=here.now,
            new_id=deployment.new_id(),
            evidence=_evidence(here, wish, t.language),
        )
    except InputError as error:
        raise Problem(400, error.code, str(error), error.field) from error
    except StoreUnavailable as error:
        logger.error("A decision could not be recorded: %s", error)
        _store_down(here, wish, target, t)
    return _saved(here, outcome, target, verify)


def _saved(here: Visit, outcome: Outcome, target: str | None, verify: bool) -> Response:
    first_cookie = not here.cookies
    consent = here.correct(outcome.choice)
    if wants_json():
        response = _state(consent)
    else:
        target = target or own_referrer() or "/"
        if verify and first_cookie:
            # Only a browser that sent no cookie at all may be one that keeps none.
            target = _marked(target)
        response = redirect(target, 303)  # type: ignore[assignment]
        response.headers["Cache-Control"] = "no-store"
    _put_right(here, response, consent)
    return response


def _state(consent: Consent) -> Response:
    response = jsonify(
        decided=consent.decided,
        categories={name: one.value for name, one in consent.decisions.items()},
        notice=consent.notice,
        signal=consent.signal,
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _ask_record(here: Visit) -> bool:
    """Let the record's choice hold instead of the cookie's; whether the two differ.

    While the database is down the signature is all there is.
    """
    presented = here.presented
    try:
        recorded = recorded_choice(here.host.deployment.database, presented)
    except StoreUnavailable as error:
        logger.error("The record of a choice could not be asked: %s", error)
        return False
    if presented is None or (
        recorded is not None
        and (recorded.decisions, recorded.notice) == (presented.decisions, presented.notice)
    ):
        return False
    here.correct(recorded)
    return True


def _next_for_form() -> str:
    return safe_path(request.args.get("next", "")) or own_referrer() or ""


def _check_origin() -> None:
    """Only our own pages may save a choice (Fetch Metadata, RFC 6454 for older browsers)."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        allowed = site in ("same-origin", "none")
    else:
        origin = request.headers.get("Origin")
        allowed = origin is None or same_origin(origin)
    if not allowed:
        raise Problem(403, "foreign_origin", "A choice can be saved from pages of this site only.")


def _read_wish() -> tuple[Wish, str | None, bool]:
    """The wish, where to go afterwards, and whether to look if the cookie is kept.

    The query string is ignored: a link must not be able to choose.

    Raises:
        Problem: 400, 413 or 415.
    """
    request.max_content_length = MAX_BODY
    kind = request.mimetype
    if request.is_json:
        data, target, verify = _json_body(), None, False
        values = {name: data.get(name) for name in ("action", "notice")}
        categories = data.get("categories", [])
    elif kind in _FORMS or (not kind and not request.content_length):
        form = request.form
        for name in ("action", "notice", "next", "verify"):
            if len(form.getlist(name)) > 1:
                raise Problem(400, "repeated_field", f"The field {name} was sent more than once.", name)
        values = {"action": form.get("action"), "notice": _number(form.get("notice"))}
        categories = form.getlist("category")
        target, verify = safe_path(form.get("next", "")), form.get("verify") == "1"
    else:
        raise Problem(415, "unsupported_type", "Send a form or JSON.")
    if not isinstance(categories, list) or not all(isinstance(one, str) for one in categories):
        raise Problem(400, "bad_value", "categories must be a list of names.", "categories")
    action, notice = values["action"], values["notice"]
    if not isinstance(action, str) or action not in list(Action):
        raise Problem(400, "unknown_action", f"action must be one of {', '.join(Action)}.", "action")
    if notice is not None and (type(notice) is not int or not 0 < notice < 2**31):
        raise Problem(400, "unknown_notice", "notice must be the number of a version.", "notice")
    return Wish(action=Action(action), categories=frozenset(categories), notice=notice), target, verify


def _number(sent: str | None) -> object:
    if sent is None or sent == "":
        return None
    return int(sent) if sent.isascii() and sent.isdigit() and len(sent) < 10 else sent


def _json_body() -> dict[str, Any]:
    """The JSON object that was sent; a name that stands twice is refused, never guessed."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            raise ValueError("a name stands twice")
        return dict(pairs)

    try:
        # Flask's get_json() answers 500 to deep nesting.
        data = json.loads(request.get_data(), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise Problem(400, "bad_json", "The body is no JSON object with unique names.") from error
    if not isinstance(data, dict):
        raise Problem(400, "bad_json", "The body must be a JSON object.")
    return data


def _evidence(here: Visit, wish: Wish, language: str) -> Evidence:
    wording = neutral_wording(here, language)
    shown = wish.notice or 0
    version = next(
        (one for one in here.schedule.versions if one.number == shown), here.schedule.in_force(here.now)
    )
    return Evidence(
        action=wish.action.value,
        mechanism="script" if wants_json() else "form",
        language=language,
        signal=here.signal,
        notice_hash=version.content_hashes.get(language) if version else None,
        wording=wording,
        wording_hash=sha256(wording.encode()).hexdigest(),
        sensitive=frozenset(one.name for one in here.host.deployment.register if one.sensitive),
    )


def _store_down(here: Visit, wish: Wish, target: str | None, t: Words) -> NoReturn:
    """Say that nothing was saved, with the form as it was filled in."""
    message = t("We could not record your choice, so nothing has changed. Please try again in a few minutes.")
    if wants_json():
        raise Problem(503, "store_unavailable", message)
    page = _page(here, next_path=target or own_referrer() or "", error=message, ticked=wish.categories)
    response = Response(page, 503, {"Cache-Control": "no-store", "Retry-After": "60"})
    raise HTTPException(response=response)


def _page(
    here: Visit, *, next_path: str, error: str | None = None, ticked: frozenset[str] | None = None
) -> str:
    here.quiet = True
    consent = here.consent()
    language = current_language()
    t = WORDS[language]
    choice = consent.choice if consent.choice and consent.choice.decisions else None
    context = common_context(here, language) | preferences_context(here, language, consent)
    granted = frozenset(name for name, one in consent.decisions.items() if one is Decision.GRANTED)
    return render_template(
        "consent_widget/consent/preferences.html",
        **context
        | {
            "checked": granted if ticked is None else ticked,
            "decided_at": show_moment(here, choice.decided_at, t) if choice else None,
            "decided_notice": choice.notice or None if choice else None,
            "asked_again": show_asked_again(here, consent, t),
            "signal": here.signal,
            "next": next_path,
            "error": error,
            "no_cookie": here.no_cookie,
        },
    )


def _marked(target: str) -> str:
    path, hash_mark, fragment = target.partition("#")
    return f"{path}{'&' if '?' in path else '?'}{SAVED}=1{hash_mark}{fragment}"


def _put_right(here: Visit, response: Response, consent: Consent) -> None:
    """Let the browser keep what is on record, and nothing that it does not grant."""
    _send_choice(here, response, here.presented)
    _expire_cookies(here, response, consent)


def _send_choice(here: Visit, response: Response, choice: Choice | None) -> None:
    """The signed cookie and its readable mirror; both removed where there is no choice."""
    if choice is None:
        for name in (here.cookie_name, here.mirror_name):
            _set_cookie(here, response, name, "", max_age=0)
        return
    if not here.secure:
        _warn_of_http(here)
    # A choice that just ran out is not renewed by being shown.
    left = max(0, min(int((choice.expires_at() - here.now).total_seconds()), int(LIFETIME.total_seconds())))
    mirror = ".".join(f"{name}:{int(granted)}" for name, granted in sorted(choice.decisions.items()))
    _set_cookie(here, response, here.cookie_name, here.host.deployment.signer.seal(choice), max_age=left)
    _set_cookie(here, response, here.mirror_name, mirror, max_age=left, httponly=False)


def _warn_of_http(here: Visit) -> None:
    if not current_app.debug and not current_app.testing and "http" not in here.host.cache:
        here.host.cache["http"] = True
        logger.warning(
            "A choice is sent over plain http: its cookie has neither Secure nor the prefix %s. Serve the "
            "site over https; behind a proxy, see docs/how-to/behind-a-proxy.md.",
            here.host.deployment.settings.secure_prefix(),
        )


def _set_cookie(
    here: Visit, response: Response, name: str, value: str, *, max_age: int, httponly: bool = True
) -> None:
    response.headers.add(
        "Set-Cookie",
        dump_cookie(
            name,
            value,
            max_age=max_age,
            path="/",
            domain=here.host.deployment.settings.cookie_domain,
            secure=here.secure,
            httponly=httponly,
            samesite="Lax",
        ),
    )


def _expire_cookies(here: Visit, response: Response, consent: Consent) -> None:
    """Remove what refused categories stored, HttpOnly too, wherever it was declared to be set.

    Exact names are removed without having been seen: a cookie of another path
    is not sent here. Patterns are matched against what was sent.
    """
    sent = dict.fromkeys(name for name, _ in here.cookies)
    register = here.host.deployment.register
    for category in register:
        if category.necessary or consent.granted(category.name):
            continue
        for cookie in category.cookies:
            for name in [cookie.name] if cookie.name else [one for one in sent if cookie.covers(one)]:
                for path in cookie.paths:
                    for domain in cookie.domains:
                        response.headers.add(
                            "Set-Cookie",
                            dump_cookie(
                                name,
                                "",
                                max_age=0,
                                expires=0,
                                path=path,
                                domain=domain,
                                secure=here.secure or name.startswith("__"),
                                httponly=True,
                                samesite="Lax",
                            ),
                        )
