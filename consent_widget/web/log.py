"""The transparency log, for everybody alike: these answers never ask who is reading."""

from datetime import timedelta
from itertools import chain

from flask import Response, request

from ..core.errors import StoreUnavailable
from ..core.ledger import Head
from ..services.ledger import newest_head, public_keys, read_lines
from .problems import Problem
from .visit import Visit, visit

#: How long a shared cache may keep the log: so late may a new entry be seen.
MAX_AGE = timedelta(seconds=60)


def show_log() -> Response:
    """GET /log.jsonl: every entry on a line of its own, the newest signed head on the last one."""
    here = visit()
    try:
        head = newest_head(here.host.deployment, now=here.now)
        lines = read_lines(here.host.deployment.database, head)
        first = next(lines)
    except StoreUnavailable as error:
        raise _unavailable() from error
    response = Response(chain([first], lines), content_type="application/jsonl; charset=utf-8")
    # Werkzeug would read all of the log into memory to count its bytes.
    response.automatically_set_content_length = False
    response.set_etag(_tag(head))
    return _for_everybody(here, response)


def show_log_key() -> Response:
    """GET /log-key.pem: the public keys of the log, the current one first; no database is asked."""
    here = visit()
    keys = public_keys(here.host.deployment)
    response = Response("".join(key.pem for key in keys), content_type="application/x-pem-file")
    response.add_etag()
    return _for_everybody(here, response)


def _tag(head: Head) -> str:
    """The head says all of what stands above it; an empty log's is signed anew each time, hence its time."""
    return f"{head.size}-{head.signature[:32]}"


def _unavailable() -> Problem:
    return Problem(503, "store_unavailable", "The log cannot be read just now.")


def _for_everybody(here: Visit, response: Response) -> Response:
    """Cacheable by all for a short while; the gate takes that back if the host read something personal."""
    here.public_seconds = int(MAX_AGE.total_seconds())
    response.make_conditional(request)
    return response
