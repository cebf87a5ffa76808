"""Signing up to hear of changes: the page, the form for the notice and the footer, the answer."""

from time import monotonic, sleep

from flask import Response, request
from markupsafe import Markup

from ..core.errors import InputError, StoreUnavailable, TooMany
from ..services.limits import network_of
from ..services.sign_up import request_subscription
from .body import read_fields
from .context import common_context, render
from .language import WORDS, answer_in, current_language, render_in_layout
from .problems import Problem, wants_json
from .step import answer_step, for_now, own_address, page_context
from .visit import Visit, visit
from .wish import check_origin

#: An answer to a sign-up takes at least so long, in seconds: what is written differs by a hair between an
#: address that is new and one that is known, and nobody shall measure it.
EVEN_TIME = 0.05


def show_subscribe() -> Response:
    """GET /subscribe: the form."""
    here = visit()
    here.form_printed = True
    return _form(here, 200)


def subscribe() -> Response:
    """POST /subscribe: 202 for every address, whoever it belongs to."""
    started = monotonic()
    here = visit()
    here.form_printed = True
    check_origin()
    fields = read_fields("email", "lang")
    answer_in(fields["lang"])
    deployment = here.host.deployment
    try:
        request_subscription(
            deployment,
            fields["email"],
            current_language(),
            network=network_of(request.remote_addr),
            now=here.now,
            salt=deployment.new_id(),
        )
    except InputError as error:
        return _refused(here, 400, error.code, bad_address(fields["email"]), typed=fields["email"])
    except (TooMany, StoreUnavailable) as error:
        status, code, message, retry_after = for_now(error)
        return _refused(here, status, code, message, typed=fields["email"], retry_after=retry_after)
    wait_even(started)
    return answer_sent(here, typed=fields["email"])


def wait_even(started: float) -> None:
    """Let the answer to what began at ``started`` take as long as every other."""
    sleep(max(0.0, started + EVEN_TIME - monotonic()))


def answer_sent(here: Visit, *, typed: str = "") -> Response:
    """202: a letter is on its way, if one may be sent; ``typed`` is shown, and of it nothing else depends."""
    t = WORDS[current_language()]
    hint, links = t("Nothing came? Look into the spam folder."), []
    if typed:
        hint = t(
            "Nothing came? Look into the spam folder, and check that the address was typed correctly: %(address)s",
            address=_short(typed),
        )
        links.append((f"{here.base}/subscribe?lang={t.language}", t("Enter another address")))
    return answer_step(
        here,
        t("Look into your mailbox"),
        t("If we can write to this address, an email is on its way to it. It may take some minutes."),
        t(
            "Open the link in it and press the button there: only then are you subscribed. The link holds for 72 hours."
        ),
        hint,
        status=202,
        code="accepted",
        links=links,
    )


def bad_address(typed: str) -> str:
    """What is wrong with an address, in the reader's words."""
    t = WORDS[current_language()]
    if not typed.strip():
        return t("Enter your email address.")
    if not typed.strip().rpartition("@")[0].isascii():
        return t(
            "“%(typed)s” has letters with marks before the @. Write the address without them, as in an@example.vn.",
            typed=_short(typed),
        )
    return t("“%(typed)s” is not an email address. It should look like an@example.vn.", typed=_short(typed))


def consent_subscribe_form() -> Markup:
    """The form alone, for the notice and a host's footer. It is the same for everybody and has no style of its own.

    Once in a page, and empty on the pages of a subscription: two would be one too many for whoever reads by ear.
    """
    here = visit()
    if here.form_printed:
        return Markup("")
    here.form_printed = True
    language = current_language()

    def form() -> Markup:
        return render("subscription/form.html", common_context(here, language))

    return here.host.kept(("subscribe form", language, here.language_from_header, here.mount), form)


def _short(typed: str) -> str:
    shown = " ".join(typed.split())
    return shown if len(shown) <= 80 else f"{shown[:80]}…"


def _refused(
    here: Visit, status: int, code: str, message: str, *, typed: str, retry_after: int | None = None
) -> Response:
    if wants_json():
        raise Problem(status, code, message, "email" if status == 400 else None, retry_after=retry_after)
    response = _form(here, status, typed=typed, **{"error" if status == 400 else "alert": message})
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def _form(here: Visit, status: int, *, typed: str = "", error: str = "", alert: str = "") -> Response:
    context = page_context(here) | {
        "action": own_address(here),
        "typed": typed,
        "error": error,
        "alert": alert,
    }
    page = render_in_layout("consent_widget/subscription/subscribe.html", **context)
    return Response(page, status, {"Cache-Control": "no-store"})
