"""The visitor's choice: what it is, how it is shown, how it is saved."""

from hashlib import sha256
from typing import NoReturn

from flask import Response, jsonify, redirect, render_template, request
from werkzeug.exceptions import HTTPException

from ..core.consent import Consent, Decision, Wish, decided_under
from ..core.errors import InputError, StoreUnavailable, TooMany
from ..services.consent import Outcome, record_decision, recorded_choice
from ..services.limits import check_choice
from ..storage.consent import Evidence
from .bar import hide_bar
from .context import common_context, neutral_wording, preferences_context
from .cookies import put_right
from .language import WORDS, current_language
from .origin import own_referrer, safe_path
from .problems import Problem, wants_json
from .visit import SAVED, Visit, logger, visit
from .wish import check_origin, read_wish
from .words import show_asked_again, show_moment


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
        put_right(here, response, here.consent())
    return response


def show_preferences() -> Response:
    """GET /preferences: the page to choose on, as it is on record."""
    here = visit()
    stale = _ask_record(here)
    response = Response(_page(here, next_path=_next_for_form()))
    response.headers["Cache-Control"] = "no-store"
    if stale:
        put_right(here, response, here.consent())
    return response


def save() -> Response:
    """POST /preferences: record the choice, then answer with it; or hide the bar about a coming version."""
    here = visit()
    check_origin()
    hidden = hide_bar()
    if hidden is not None:
        return hidden
    wish, target, verify = read_wish()
    t = WORDS[current_language()]
    deployment = here.host.deployment
    try:
        check_choice(here.host.choices, request.remote_addr, here.now)
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
        message = t(
            "We could not record your choice, so nothing has changed. Please try again in a few minutes."
        )
        _not_saved(here, wish, target, 503, "store_unavailable", message, retry_after=60)
    except TooMany as error:
        message = t("Too many requests came from your network. Nothing was done; please try again later.")
        _not_saved(here, wish, target, 429, "too_many", message, retry_after=error.retry_after)
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
    put_right(here, response, consent)
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
    if presented is None:
        return False
    same = recorded is not None and (recorded.decisions, recorded.notice) == (
        presented.decisions,
        presented.notice,
    )
    if not same:
        here.correct(recorded)
    if presented.doubles:
        # What several cookies have in common is nobody's record, so it is not sealed.
        return False
    # A cookie sealed with a key that is about to go is sealed anew.
    sent = [value for name, value in here.cookies if name == here.cookie_name]
    return not same or sent != [here.host.deployment.signer.seal(presented)]


def _next_for_form() -> str:
    return safe_path(request.args.get("next", "")) or own_referrer() or ""


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


def _not_saved(
    here: Visit, wish: Wish, target: str | None, status: int, code: str, message: str, *, retry_after: int
) -> NoReturn:
    """Say that nothing was saved, with the form as it was filled in."""
    if wants_json():
        raise Problem(status, code, message, retry_after=retry_after)
    page = _page(here, next_path=target or own_referrer() or "", error=message, ticked=wish.categories)
    headers = {"Cache-Control": "no-store", "Retry-After": str(retry_after)}
    raise HTTPException(response=Response(page, status, headers))


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
            "decided_notice": decided_under(choice, here.schedule) or None if choice else None,
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
