"""The links of mails: one confirms, one unsubscribes. GET shows a page, and POST acts."""

from time import monotonic
from urllib.parse import parse_qs

from flask import Response, request

from ..core.errors import StoreUnavailable, TooMany
from ..core.links import MANAGE, UNDO, UNSUBSCRIBE
from ..core.subscription import Purpose, Standing, State, Subscription, can_undo
from ..services import subscription as service
from ..services.limits import network_of
from ..services.sign_up import request_again
from .body import FORMS, limit_body, read_fields
from .language import WORDS, current_language
from .problems import Problem
from .sign_up import answer_sent, wait_even
from .step import Button, answer_step, enter, own_address, refuse_step, speak
from .visit import Visit, visit
from .wish import check_origin
from .words import show_moment


def show_confirm(token: str) -> Response:
    """GET /confirm/{token}: the button, or what the link is no longer good for. It changes nothing."""
    here = visit()
    enter(here)
    try:
        found = service.look_up(here.host.deployment, token, now=here.now)
    except StoreUnavailable as error:
        return refuse_step(here, error)
    if found is None:
        raise unknown_link()
    speak(found.subscription.language)
    t = WORDS[current_language()]
    if found.standing is not Standing.OPEN:
        return _explain(here, found)
    name = here.host.deployment.settings.controller.name
    button = Button(path=own_address(here), label=t("Confirm"))
    if found.link.purpose is Purpose.ADDRESS:
        words = (
            t("Confirm your new address"),
            t(
                "From then on the emails about changes of the privacy policy of %(name)s come to this mailbox.",
                name=name,
            ),
        )
    else:
        words = (
            t("Confirm your subscription"),
            t(
                "%(name)s writes to this mailbox before important changes of its privacy policy, and for nothing else.",
                name=name,
            ),
        )
    return answer_step(here, *words, code="open", buttons=[button])


def confirm_subscription(token: str) -> Response:
    """POST /confirm/{token}: confirm, or with ``action=again`` send a new link in place of one that expired."""
    started = monotonic()
    here = visit()
    enter(here)
    check_origin()
    action = read_fields("action")["action"]
    if action not in ("", "again"):
        raise Problem(400, "unknown_action", "action must be again, or left out.", "action")
    try:
        if action == "again":
            return _send_again(here, token, started)
        found = service.confirm(here.host.deployment, token, now=here.now)
    except (TooMany, StoreUnavailable) as error:
        return refuse_step(here, error)
    if found is None:
        raise unknown_link()
    speak(found.subscription.language)
    return _explain(here, found) if found.standing is not Standing.OPEN else _confirmed(here, found)


def _send_again(here: Visit, token: str, started: float) -> Response:
    deployment = here.host.deployment
    found = service.look_up(deployment, token, now=here.now)
    if found is None:
        raise unknown_link()
    speak(found.subscription.language)
    request_again(
        deployment,
        token,
        current_language(),
        network=network_of(request.remote_addr),
        now=here.now,
        salt=deployment.new_id(),
    )
    wait_even(started)
    return answer_sent(here)


def _confirmed(here: Visit, found: service.Found) -> Response:
    t = WORDS[current_language()]
    subscription = found.subscription
    manage = here.host.deployment.links.seal(MANAGE, subscription.id, subscription.salt)
    heading = (
        t("Your new address is confirmed")
        if found.link.purpose is Purpose.ADDRESS
        else t("You are subscribed")
    )
    return answer_step(
        here,
        heading,
        t("We write to you before the privacy policy changes."),
        t("Each email has a link with which you unsubscribe at once."),
        code="confirmed",
        links=[(f"{here.base}/subscription/{manage}", t("Manage your subscription"))],
    )


def _explain(here: Visit, found: service.Found) -> Response:
    """What a link is that confirms nothing (any more)."""
    t = WORDS[current_language()]
    sign_up = (f"{here.base}/subscribe?lang={t.language}", t("Subscribe again"))
    if found.standing is Standing.USED and found.link.used_at is not None:
        return answer_step(
            here,
            t("This is confirmed already"),
            t(
                "You confirmed it on %(time)s; there is nothing left to do.",
                time=show_moment(here, found.link.used_at, t),
            ),
            code="already_confirmed",
        )
    if found.standing is Standing.LEFT:
        return answer_step(
            here,
            t("You have unsubscribed since"),
            t("This link was used before and does not bring you back."),
            t("If you want to hear of changes again, please subscribe anew."),
            code="unsubscribed",
            links=[sign_up],
        )
    if found.subscription.state is State.CONFIRMED and found.link.purpose is Purpose.CONFIRM:
        return answer_step(
            here,
            t("This link is no longer valid"),
            t("You need not do anything: you are subscribed."),
            status=410,
            code="expired",
        )
    may_sign_up = found.link.purpose is Purpose.CONFIRM
    return answer_step(
        here,
        t("This link is no longer valid"),
        t("Links hold for 72 hours, and only the newest one counts. We can send you a new one."),
        status=410,
        code="expired",
        buttons=[Button(path=own_address(here), label=t("Send a new link"), name="action", value="again")],
        links=[sign_up] if may_sign_up else [],
    )


def show_unsubscribe(token: str) -> Response:
    """GET /unsubscribe/{token}: one button. It changes nothing."""
    here = visit()
    enter(here)
    try:
        found = service.show(here.host.deployment, token, UNSUBSCRIBE)
    except StoreUnavailable as error:
        return refuse_step(here, error)
    if found is None:
        raise unknown_link()
    speak(found.language)
    if found.state is State.UNSUBSCRIBED:
        return answer_left(here, found)
    t = WORDS[current_language()]
    name = here.host.deployment.settings.controller.name
    button = Button(
        path=own_address(here), label=t("Unsubscribe"), name="List-Unsubscribe", value="One-Click"
    )
    return answer_step(
        here,
        t("Unsubscribe?"),
        t("%(name)s will no longer write to you before its privacy policy changes.", name=name),
        code="open",
        buttons=[button],
    )


def unsubscribe(token: str) -> Response:
    """POST /unsubscribe/{token}: send nothing more (RFC 8058). The link authorises, wherever it is posted from."""
    here = visit()
    enter(here)
    if not _is_one_click():
        raise Problem(400, "not_one_click", "Send List-Unsubscribe=One-Click.", "List-Unsubscribe")
    try:
        found = service.unsubscribe(here.host.deployment, token, now=here.now)
    except StoreUnavailable as error:
        return refuse_step(here, error)
    if found is None:
        raise unknown_link()
    speak(found.language)
    return answer_left(here, found)


def _is_one_click() -> bool:
    limit_body()
    if request.mimetype in FORMS:
        sent = request.form.getlist("List-Unsubscribe")
    else:
        # Some mail services send the field without saying what it is.
        sent = parse_qs(request.get_data().decode("latin-1")).get("List-Unsubscribe", [])
    return sent == ["One-Click"]


def answer_left(here: Visit, found: Subscription) -> Response:
    """That nothing is sent any more, since when, and how to take it back."""
    t = WORDS[current_language()]
    said = [t("We will not write to you any more.")]
    if found.ended_at is not None:
        said.append(t("Received on %(time)s.", time=show_moment(here, found.ended_at, t)))
    buttons = []
    if can_undo(found):
        undo = here.host.deployment.links.seal(UNDO, found.id, found.salt)
        path = f"{here.base}/subscription/{undo}?lang={t.language}"
        buttons.append(Button(path=path, label=t("Undo: subscribe me again"), name="action", value="undo"))
    return answer_step(here, t("You have unsubscribed"), *said, code="unsubscribed", buttons=buttons)


def unknown_link() -> Problem:
    """404: the link is not of ours, was cut off, or what it was for was erased."""
    return Problem(404, "unknown_link", "There is no such link.")
