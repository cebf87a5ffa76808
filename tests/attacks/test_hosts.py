"""HH: no header of a stranger gets into a link, a redirect, a cookie or a record."""

import re

import pytest
from werkzeug.middleware.proxy_fix import ProxyFix

from tests.attacks.cases import Case, attack
from tests.attacks.conftest import MakeTarget
from tests.attacks.subscribers import READER, make_readers
from tests.attacks.target import NOTHING, OPTIONAL, Target, ask, granted_in
from tests.attacks.wire import Answer, Wire
from tests.factories import Clock

EVIL = "evil.example"

#: Every visitor's page with links, and the ones that redirect.
PAGES = (
    "/",
    "/privacy/",
    "/privacy",
    "/privacy/vi",
    "/privacy/en/",
    "/privacy/preferences",
    "/privacy/no-such-page",
)

SPOOFED = {
    "X-Forwarded-Host": EVIL,
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Scheme": "http",
    "X-Forwarded-Port": "666",
    "X-Forwarded-Prefix": f"//{EVIL}",
    "X-Forwarded-Server": EVIL,
    "X-Script-Name": f"//{EVIL}",
    "X-Host": EVIL,
    "X-Original-URL": f"//{EVIL}/",
    "X-Rewrite-URL": f"//{EVIL}/",
    "Forwarded": f"host={EVIL};proto=http",
}


#: What X-Forwarded-Prefix may say that is no path below this host.
STRANGE_PREFIXES = (
    f"//{EVIL}",
    f"https://{EVIL}",
    f"https:{EVIL}",
    EVIL,
    "javascript:alert(1)//",
    f"/\\{EVIL}",
    f"/\t/{EVIL}",
    f"\\\\{EVIL}",
    "/\x7f",
)


def _raw_post(host: bytes, *lines: bytes) -> bytes:
    """A refusal of everything as a browser's form sends it."""
    body = b"action=reject_all"
    head = [
        b"POST /privacy/preferences HTTP/1.1",
        b"Host: " + host,
        b"Content-Type: application/x-www-form-urlencoded",
        b"Content-Length: %d" % len(body),
        *lines,
    ]
    return b"\r\n".join([*head, b"", body])


def _assert_not_poisoned(answer: Answer) -> None:
    """Every redirect and every address in the page is a path of this very host."""
    for name, value in answer.headers.items():
        if name.lower() in ("location", "content-location", "link", "refresh"):
            assert _OWN.match(value), name
        assert EVIL not in value, name
    assert EVIL not in answer.text
    for address in re.findall(r'(?:href|src|action)="([^"]*)"', answer.text):
        assert _OWN.match(address) or _THIRD_PARTY.match(address), address


#: One slash and no host, or a place in the page.
_OWN = re.compile(r"/(?![/\\])|#")
_THIRD_PARTY = re.compile("https://(" + "|".join(OPTIONAL) + r")\.example/")


@attack("HH-001")
def test_mail_after_a_subscription_under_a_foreign_host(
    case: Case, make_target: MakeTarget, sqlite_url: str, clock: Clock
) -> None:
    """Its links are those of PUBLIC_URL, whatever the request said."""
    readers = make_readers(make_target, sqlite_url, clock=clock)

    assert readers.sign_up(headers=SPOOFED | {"Host": case.payload}).status_code == 202

    assert readers.box.collect() == [READER]
    (mail,) = readers.box.relay.mails[READER]
    assert case.payload.encode() not in mail
    assert readers.send(readers.box.link(READER, "confirm")).status_code == 200


@attack("HH-001")
@pytest.mark.parametrize("path", PAGES)
def test_pages_under_a_foreign_host(case: Case, path: str, site: Target, wire: Wire) -> None:
    """Links and redirects carry no host at all, so none that was sent."""
    answer = wire.get(path.encode(), host=case.payload.encode())

    assert answer.status < 500
    _assert_not_poisoned(answer)


@attack("HH-001")
def test_decision_under_a_foreign_host(case: Case, site: Target, wire: Wire) -> None:
    """It goes back to a path, never to the host that was named."""
    for lines in ((), (b"Referer: https://evil.example/x",), (b"Origin: https://evil.example",)):
        answer = wire.send(_raw_post(case.payload.encode(), *lines))
        assert answer.status in (303, 403)
        assert answer.headers.get("Location", "/").startswith("/")
        _assert_not_poisoned(answer)


@attack("HH-002")
@pytest.mark.parametrize("header", SPOOFED)
def test_proxy_headers_of_an_untrusted_peer(case: Case, header: str, site: Target) -> None:
    """Without ProxyFix they change nothing: the answer is the one without them."""
    for path in PAGES:
        plain = ask(site, "", path)
        spoofed = ask(site, "", path, headers={header: SPOOFED[header]})
        assert spoofed.status_code == plain.status_code
        del spoofed.headers["Date"], plain.headers["Date"]
        assert spoofed.headers == plain.headers
        assert spoofed.data == plain.data
    saved = ask(
        site,
        "",
        "/privacy/preferences",
        method="POST",
        data={"action": "reject_all"},
        headers={header: SPOOFED[header]},
    )

    assert saved.headers["Location"] == "/"
    assert all(
        "; Secure;" in one and one.startswith("__Host-") for one in saved.headers.getlist("Set-Cookie")[:2]
    )


@attack("HH-002")
def test_proxy_headers_that_the_case_lists(case: Case, site: Target) -> None:
    for line in case.payloads:
        name, _, value = line.partition(": ")
        for path in PAGES:
            answer = ask(site, "", path, headers={name: value})
            assert answer.status_code < 500
            assert EVIL not in f"{answer.headers}{answer.text}"


@attack("HH-002")
@pytest.mark.parametrize("prefix", STRANGE_PREFIXES)
def test_prefix_that_a_believed_proxy_passes_on(
    case: Case, prefix: str, make_target: MakeTarget, sqlite_url: str
) -> None:
    """With ProxyFix(x_prefix=1) and a proxy that does not overwrite the header: what is no path is none."""
    target = make_target(sqlite_url)
    target.app.wsgi_app = ProxyFix(target.app.wsgi_app, x_prefix=1)  # type: ignore[method-assign]

    for path in PAGES:
        plain = ask(target, "", path)
        spoofed = ask(target, "", path, headers={"X-Forwarded-Prefix": prefix})
        del spoofed.headers["Date"], plain.headers["Date"]
        assert spoofed.headers == plain.headers, path
        assert spoofed.data == plain.data, path


@attack("HH-003")
def test_malformed_host(case: Case, site: Target, wire: Wire) -> None:
    for payload in case.payloads:
        sent = str(payload).replace("x*300", "x" * 300).replace("{HOST}", wire.host.decode())
        host = sent.encode("utf-8")
        before = site.stored()
        for path in PAGES:
            answer = wire.get(path.encode(), host=host)
            assert answer.status < 500, (sent, path)
            assert answer.granted == NOTHING
            _assert_not_poisoned(answer)
        assert site.stored() == before

        answer = wire.send(_raw_post(host))
        assert answer.status in (0, 303, 400, 403), sent
        if answer.status != 303:
            assert site.stored() == before
        assert _OWN.match(answer.headers.get("Location", "/"))
        cookies = answer.headers.get_all("Set-Cookie", [])
        assert not any("domain=" in one.lower() for one in cookies)


@attack("HH-003")
def test_missing_and_doubled_host(case: Case, site: Target, wire: Wire) -> None:
    for lines in (b"", b"Host: a.example\r\nHost: evil.example\r\n"):
        for path in PAGES:
            answer = wire.send(b"GET %s HTTP/1.1\r\n%sConnection: close\r\n\r\n" % (path.encode(), lines))
            assert answer.status < 500
            _assert_not_poisoned(answer)


@attack("HH-005")
def test_spoofed_client_address_is_not_recorded(case: Case, target: Target) -> None:
    """A record holds no address at all, neither the peer's nor one that was claimed."""
    claimed = [*case.payloads, ", ".join(f"10.1.{one // 256}.{one % 256}" for one in range(5000))]
    choices = []

    for value in claimed:
        headers = {
            "X-Forwarded-For": value,
            "X-Real-IP": value,
            "Forwarded": f'for="{value}"',
            "Client-IP": value,
        }
        answer = ask(
            target, "", "/privacy/preferences", method="POST", json={"action": "reject_all"}, headers=headers
        )
        choices.append((answer.status_code, granted_in(answer)))

    assert choices == [(200, NOTHING)] * len(claimed)
    assert len(target.recorded()) == len(claimed)
    stored = target.everything_stored()
    for value in ("1.2.3.4", "127.0.0.1", "DROP TABLE", "eth0", "10.1.0.1"):
        assert value not in stored


@attack("HH-005")
def test_spoofed_client_address_does_not_widen_a_limit(case: Case, site: Target) -> None:
    """Each request claims another address; the limit counts the real peer."""
    claimed = [*case.payloads, ", ".join(["1.2.3.4"] * 500)]
    statuses = [
        ask(
            site,
            "",
            "/privacy/subscribe",
            method="POST",
            data={"email": f"reader{one}@example.com"},
            headers={"X-Forwarded-For": f"{claimed[one % len(claimed)]}, 192.0.2.{one}"},
        ).status_code
        for one in range(30)
    ]

    assert statuses == [202] * 20 + [429] * 10
