"""The sites that are measured: one host, without the widget and with it.

The page is what a small company's home page is made of: a stylesheet, a
picture, some two thousand words of markup. The other page is blank: nothing
of the host's hides what the widget costs.
"""

import struct
import zlib
from enum import StrEnum
from functools import cache
from pathlib import Path
from random import Random
from secrets import token_urlsafe
from typing import Any

from flask import Flask, Response, g, render_template

from consent_widget import ConsentWidget

HERE = Path(__file__).parent
PREFIX = "/privacy"
CATEGORIES = ("analytics", "marketing", "preferences")


class Kind(StrEnum):
    """Which host; ``NONCE`` gives the widget its nonce, so that the banner's style stands in the page."""

    BARE = "bare"
    NONCE = "nonce"
    NO_NONCE = "no nonce"


#: The names the template calls, for a host that has no widget.
FUNCTIONS = ("consent_head", "consent_skip_link", "consent_settings_link", "consent_banner")


def make_site(kind: Kind, folder: Path) -> Flask:
    """A host of ``kind`` with its data in ``folder``, ready to serve, the first notice in force."""
    app = Flask(
        __name__, instance_path=str(folder), template_folder=HERE / "page", static_folder=HERE / "page"
    )
    folder.mkdir()
    app.config.update(
        TESTING=True,
        SECRET_KEY=token_urlsafe(32),
        CONSENT_WIDGET_CONTROLLER={
            "name": "Công ty Cổ phần Doanh nghiệp số",
            "contact": "privacy@site.example",
        },
    )
    app.add_url_rule("/<any(page, blank):kind>", view_func=show_page)
    app.add_url_rule("/picture.png", view_func=show_picture)
    app.after_request(_set_policy)
    if kind is Kind.BARE:
        app.jinja_env.globals.update(dict.fromkeys(FUNCTIONS, lambda: ""))
        return app
    ConsentWidget(app, csp_nonce=_nonce if kind is Kind.NONCE else None)
    notices = HERE.parent / "demo_site" / "notices"
    for command in (["upgrade"], ["import-notice", str(notices), "--announce"]):
        done = app.test_cli_runner().invoke(args=["consent", *command])
        if done.exit_code:
            raise RuntimeError(f"flask consent {command[0]} failed: {done.output}")
    return app


def show_page(kind: str) -> str:
    return render_template(f"{kind}.html", **_words())


def show_picture() -> Response:
    return Response(_picture(), mimetype="image/png")


def _nonce() -> str:
    if "nonce" not in g:
        g.nonce = token_urlsafe(16)
    return str(g.nonce)


def _set_policy(response: Response) -> Response:
    """Every host of the three sends a policy, with the widget or without."""
    script = f"'self' 'nonce-{_nonce()}'"
    response.headers["Content-Security-Policy"] = (
        f"default-src 'self'; script-src {script}; style-src {script}"
    )
    return response


@cache
def _words() -> dict[str, Any]:
    names = ("Bán hàng", "Kho vận", "Kế toán", "Nhân sự", "Báo cáo", "Hỗ trợ")
    sentences = (
        "Mỗi dự án bắt đầu từ việc lắng nghe cách doanh nghiệp đang làm việc mỗi ngày.",
        "Nhóm triển khai ghi lại quy trình, chỉ ra chỗ tốn thời gian và đề xuất thay đổi nhỏ trước.",
        "Phần mềm được giao theo từng phần, dùng được ngay, kèm hướng dẫn bằng tiếng Việt.",
        "Dữ liệu được sao lưu hằng ngày và luôn có thể xuất ra để mang đi nơi khác.",
        "Chi phí được thỏa thuận trước cho từng giai đoạn, không phát sinh ngoài hợp đồng.",
    )
    return {
        "navigation": [(f"/{name}", name) for name in ("dich-vu", "khach-hang", "bang-gia", "lien-he")],
        "services": [(name, sentences[at % len(sentences)]) for at, name in enumerate(names)],
        "paragraphs": [" ".join(sentences[at:] + sentences[:at]) for at in range(len(sentences))] * 2,
    }


@cache
def _picture() -> bytes:
    """A PNG of 720 by 405 grey pixels and about 40 kB: a slope with grain, so that it hardly packs."""
    width, height, grain = 720, 405, Random(1)
    rows = bytearray()
    for y in range(height):
        rows.append(0)  # no filter
        rows += bytes(60 + (x + y) // 8 + grain.getrandbits(1) for x in range(width))

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(rows), 9)) + chunk(b"IEND", b"")
