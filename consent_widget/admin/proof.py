"""Proof that one subscriber was told: a page to read, and the signed document that it is made of."""

from typing import Any, cast

from flask import Response, request

from ..core.address import mask_address
from ..core.campaign import DECIDERS
from ..core.delivery import State
from ..core.errors import InputError
from ..services.proof import make_named_proof, make_proof, write_proof
from ..services.subscriber_list import load_subscriber
from .desk import desk, words
from .guard import current_staff, form_token, guarded
from .mail_codes import explain_code
from .mail_words import say_kind, say_language, say_mail_error, say_row
from .page import answer_page


@guarded
def show_proof(id: int) -> Response:  # noqa: A002  # the name in the route
    """GET: the proof to read and to print."""
    return _answer(id)


@guarded
def download_proof(id: int) -> Response:  # noqa: A002
    """GET: the signed document, without the address."""
    deployment = desk().deployment
    document = make_proof(deployment, id, staff=current_staff(), now=deployment.clock())
    return _file(write_proof(document), id)


@guarded
def name_proof(id: int) -> Response:  # noqa: A002
    """POST: the signed document with the address; after an erasure with the one in the field ``address``."""
    deployment = desk().deployment
    try:
        document = make_named_proof(
            deployment,
            id,
            presented=request.form.get("address", ""),
            staff=current_staff(),
            now=deployment.clock(),
        )
    except InputError as error:
        return _answer(id, problem=say_mail_error(error.code, words()), status=400)
    return _file(write_proof(document), id)


def _file(document: bytes, subscription_id: int) -> Response:
    response = Response(document, content_type="application/json")
    name = f"proof-{subscription_id}.json"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _answer(subscription_id: int, *, problem: str = "", status: int = 200) -> Response:
    t, staff = words(), current_staff()
    deployment = desk().deployment
    now = deployment.clock()
    document = make_proof(deployment, subscription_id, staff=staff, now=now)
    body = cast(dict[str, Any], document["proof"])
    found = load_subscriber(deployment, subscription_id, staff=staff)
    by_number = {one.id: one for one in found.told}
    told = [
        {
            "proved": proved,
            "row": row,
            "version": deployment.schedule.at(now).find(row.number),
            "kind": say_kind(row.kind.value, t),
            "state_label": say_row(row.state, t),
            "is_accepted": row.state is State.ACCEPTED,
            "language": say_language(row.language, t),
            "answer": explain_code(row.code, t)[0] if row.state is State.FAILED else "",
        }
        for proved, row in zip(body["told"], by_number.values(), strict=True)
    ]
    return answer_page(
        "proof.html",
        {
            "document": document,
            "body": body,
            "one": found.subscription,
            "masked": mask_address(found.subscription.address),
            "told": told,
            "now": now,
            "key_path": f"{desk().base()}/log-key.pem",
            "problem": problem,
            "may_decide": bool(staff.roles & DECIDERS),
            "csrf_token": form_token(staff),
        },
        status,
    )
