"""The page on which the owner of a mailbox manages its subscription, by the link in each mail."""

import json

from flask import Response, request

from ..core.errors import InputError, StoreUnavailable, TooMany
from ..core.links import MANAGE, UNDO
from ..core.subscription import State, can_undo
from ..services import self_service as service
from ..services import subscription as subscriptions
from ..services.limits import network_of
from ..services.self_service import Overview
from .body import read_fields
from .language import WORDS, Words, answer_in, current_language, render_in_layout, supported
from .problems import Problem, wants_json
from .sign_up import bad_address
from .step import Button, answer_step, enter, own_address, page_context, refuse_step, speak
from .subscription import answer_left, unknown_link
from .visit import Visit, visit
from .wish import check_origin
from .words import notice_path, show_moment


def show_subscription(token: str) -> Response:
    """GET /subscription/{token}: what there is to manage; ``?step=erase``: the question before erasing."""
    here = visit()
    enter(here)
    try:
        found = service.overview(here.host.deployment, token)
        if found is None:
            return _show_undo(here, token)
    except StoreUnavailable as error:
        return refuse_step(here, error)
    speak(found.subscription.language)
    if found.subscription.address is None:
        return _erased(here)
    if request.args.get("step") == "erase":
        return _ask_to_erase(here)
    if wants_json():
        return _export(here, token)
    return _page(here, found)


def change_subscription(token: str) -> Response:
    """POST /subscription/{token}: ``action`` is ``save``, ``export``, ``leave``, ``undo`` or ``erase``."""
    here = visit()
    enter(here)
    check_origin()
    fields = read_fields("action", "lang", "email")
    try:
        return _act(here, token, **fields)
    except (TooMany, StoreUnavailable) as error:
        return refuse_step(here, error)


def _act(here: Visit, token: str, *, action: str, lang: str, email: str) -> Response:
    deployment = here.host.deployment
    found = service.overview(deployment, token)
    if found is None:
        return _undo(here, token, UNDO) if action == "undo" else _show_undo(here, token)
    speak(found.subscription.language)
    if found.subscription.address is None:
        return _erased(here)
    t = WORDS[current_language()]
    if action == "save":
        return _save(here, token, found, lang=lang, email=email)
    if action == "export":
        return _export(here, token)
    if action == "leave":
        subscriptions.unsubscribe(deployment, token, now=here.now, how="page", purpose=MANAGE)
        return _again(here, token, said=t("You have unsubscribed. We will not write to you any more."))
    if action == "undo":
        return _undo(here, token, MANAGE)
    if action == "erase":
        service.forget(deployment, token, now=here.now)
        return _erased(here)
    raise Problem(400, "unknown_action", "action must be save, export, leave, undo or erase.", "action")


def _save(here: Visit, token: str, found: Overview, *, lang: str, email: str) -> Response:
    language = supported(lang)
    if lang and language is None:
        raise Problem(400, "bad_value", "lang must be vi or en.", "lang")
    try:
        done = service.save(
            here.host.deployment,
            token,
            language=language,
            email=email,
            network=network_of(request.remote_addr),
            now=here.now,
        )
    except InputError as error:
        message = bad_address(email)
        if wants_json():
            raise Problem(400, error.code, message, "email") from error
        return _page(here, found, status=400, error=message, typed=email)
    if language != found.subscription.language:
        answer_in(language)
    t = WORDS[current_language()]
    if not done:
        refused = t("Nothing was changed: only a confirmed subscription can be.")
        if wants_json():
            raise Problem(409, "wrong_state", refused)
        return _again(here, token, status=409, said=refused)
    waits = bool(email.strip())
    said = (
        t("Your changes are saved.")
        if not waits
        else t("Saved. If we can write to the new address, an email with a link is on its way to it.")
    )
    return _again(here, token, said=said)


def _undo(here: Visit, token: str, purpose: str) -> Response:
    found = subscriptions.undo(here.host.deployment, token, now=here.now, purpose=purpose)
    if found is None:
        raise unknown_link()
    speak(found.language)
    t = WORDS[current_language()]
    if found.state is State.CONFIRMED:
        return _is_back(here)
    return answer_step(
        here,
        t("This cannot be undone any more"),
        t("Please subscribe anew; we then ask your mailbox to confirm it."),
        status=409,
        code="wrong_state",
        links=[(f"{here.base}/subscribe?lang={t.language}", t("Subscribe again"))],
    )


def _show_undo(here: Visit, token: str) -> Response:
    """The page of a link that takes leaving back and opens nothing else."""
    found = subscriptions.show(here.host.deployment, token, UNDO)
    if found is None:
        raise unknown_link()
    speak(found.language)
    return _is_back(here) if found.state is State.CONFIRMED else answer_left(here, found)


def _is_back(here: Visit) -> Response:
    t = WORDS[current_language()]
    return answer_step(
        here,
        t("You are subscribed"),
        t("We write to you before the privacy policy changes."),
        t("Each email has a link with which you unsubscribe at once."),
        code="confirmed",
    )


def _export(here: Visit, token: str) -> Response:
    found = service.export(here.host.deployment, token)
    body = json.dumps(
        {"exported_at": here.now.isoformat(timespec="seconds"), **(found or {})}, ensure_ascii=False, indent=2
    )
    response = Response(body, content_type="application/json; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="subscription.json"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _ask_to_erase(here: Visit) -> Response:
    t = WORDS[current_language()]
    back = own_address(here)
    return answer_step(
        here,
        t("Erase your data?"),
        t("Your address is erased for good, and we will not write to you any more. This cannot be undone."),
        t("To prove later what was sent, we keep times and a code from which your address cannot be read."),
        code="open",
        buttons=[Button(path=back, label=t("Erase for good"), name="action", value="erase")],
        links=[(back, t("Back to your subscription"))],
    )


def _erased(here: Visit) -> Response:
    t = WORDS[current_language()]
    return answer_step(
        here,
        t("Your data is erased"),
        t("Your address is no longer with us, and we will not write to you any more."),
        status=200 if request.method == "POST" else 410,
        code="erased",
        links=[(f"{here.base}/subscribe?lang={t.language}", t("Subscribe again"))],
    )


def _again(here: Visit, token: str, *, said: str, status: int = 200) -> Response:
    """The page as things are now."""
    found = service.overview(here.host.deployment, token)
    if found is None:
        raise unknown_link()
    return _page(here, found, said=said, status=status)


def _page(
    here: Visit, found: Overview, *, status: int = 200, said: str = "", error: str = "", typed: str = ""
) -> Response:
    one = found.subscription
    t = WORDS[current_language()]
    if wants_json():
        return answer_step(here, said, status=status, code=one.state.value)
    context = page_context(here) | {
        "action": own_address(here),
        "erase_url": f"{own_address(here)}&step=erase",
        "subscription": one,
        "state": _state(t, one.state),
        "since": show_moment(here, one.confirmed_at, t) if one.confirmed_at else None,
        "ended_at": show_moment(here, one.ended_at, t) if one.ended_at else None,
        "may_change": service.may_change(one),
        "may_leave": one.state in (State.PENDING, State.CONFIRMED),
        "may_undo": can_undo(one),
        "told": [
            {
                "number": mail.number,
                "kind": mail.kind.value,
                "url": f"{notice_path(here, t.language)}versions/{mail.number}",
                "at": show_moment(here, mail.at, t),
            }
            for mail in found.told
        ],
        "said": said,
        "error": error,
        "typed": typed,
    }
    page = render_in_layout("consent_widget/subscription/manage.html", **context)
    return Response(page, status, {"Cache-Control": "no-store"})


def _state(t: Words, state: State) -> str:
    return {
        State.PENDING: t("Not confirmed yet"),
        State.CONFIRMED: t("Subscribed"),
        State.UNSUBSCRIBED: t("Unsubscribed"),
        State.SUPPRESSED: t("Stopped: nothing is sent to this address"),
    }[state]
