"""How many bytes are ours, as they are sent: packed by brotli at its best quality (11).

- script and style: the built files, whole function;
- what a decided visitor gets, everything granted, nothing in the cache: by how
  much the packed HTML of a page grows by the widget, and the files it names.
"""

import re
from collections.abc import Mapping

import brotli
from flask import Flask

from consent_widget.testing import decided_client

from .figures import Figure
from .site import CATEGORIES, PREFIX, Kind

_FILE = re.compile(rf'(?:src|href)="({PREFIX}/assets/[^"]+)"')


def measure_sizes(sites: Mapping[Kind, Flask]) -> list[Figure]:
    site = sites[Kind.NO_NONCE]
    urls = site.extensions["consent_widget"].host.asset_urls
    decided = decided_client(site, CATEGORIES)
    html = decided.get("/blank").text
    gained = len(_pack(html)) - len(_pack(sites[Kind.BARE].test_client().get("/blank").text))
    named = [_packed_file(site, url) for url in _FILE.findall(html)]
    with_link = len(_pack(decided.get("/page").text)) - len(
        _pack(sites[Kind.BARE].test_client().get("/page").text)
    )
    return [
        _files(site, "script, whole function", [urls["loader.js"], urls["consent.js"]], limit=3000),
        _files(site, "style, whole function", [urls["widget.css"], urls["dialog.css"]], limit=1600),
        Figure(
            name="all of ours for a decided visitor",
            value=gained + sum(named),
            unit="bytes",
            limit=700,
            detail=f"{gained} of HTML, {' + '.join(map(str, named))} of files;"
            f" a settings link adds {max(0, with_link - gained)}",
        ),
        Figure(
            name="banner markup for a decided visitor",
            value=html.count("consent-widget-banner") + html.count("consent-widget-skip"),
            unit="places",
            limit=0,
        ),
    ]


def _files(site: Flask, name: str, urls: list[str], *, limit: int) -> Figure:
    sizes = [_packed_file(site, url) for url in urls]
    return Figure(
        name=name, value=sum(sizes), unit="bytes", limit=limit, detail=" + ".join(str(one) for one in sizes)
    )


def _packed_file(site: Flask, url: str) -> int:
    """What a browser that takes brotli downloads, without headers."""
    response = site.test_client().get(url, headers={"Accept-Encoding": "br"})
    if response.status_code != 200 or response.headers.get("Content-Encoding") != "br":
        raise RuntimeError(f"{url} is not served packed by brotli: {response.status}")
    return len(response.data)


def _pack(text: str) -> bytes:
    packed: bytes = brotli.compress(text.encode(), quality=11)
    return packed
