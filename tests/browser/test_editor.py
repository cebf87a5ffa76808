"""The editor of notice versions in a real browser: toolbar, paste, autosave, preview."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Route, expect

from consent_widget import Staff
from consent_widget.core.draft import Draft
from consent_widget.render.markdown import render_notice
from consent_widget.services.decision import approve_draft
from consent_widget.services.draft import create_draft, list_drafts, load_draft, submit_draft
from tests import factories
from tests.admin.newsroom import fields
from tests.browser.axe import findings
from tests.browser.conftest import Serve
from tests.browser.visitor import LOCALES

WORD = (Path(factories.__file__).parent / "data/word.html").read_text()

LAN = Staff("lan", "Lan", frozenset({"author"}))
MINH = Staff("minh", "Minh", frozenset({"approver"}))

_WATCH = """addEventListener("securitypolicyviolation", event =>
    console.error(`violation: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`), true);"""

_PASTE = """([name, data]) => {
    const area = document.querySelector(`[name=${name}]`);
    area.focus();
    const clipboardData = new DataTransfer();
    for (const [type, text] of Object.entries(data)) clipboardData.setData(type, text);
    const event = new ClipboardEvent("paste", {clipboardData, bubbles: true, cancelable: true});
    return area.dispatchEvent(event);
}"""

_HIDE = """() => {
    Object.defineProperty(document, "visibilityState", {value: "hidden", configurable: true});
    document.dispatchEvent(new Event("visibilitychange"));
    delete document.visibilityState;
}"""


@dataclass
class Editor:
    """Lan at work on a version."""

    page: Page
    app: Flask
    url: str
    signed_in: list[Staff]
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        def listen(message: ConsoleMessage) -> None:
            if "violat" in message.text.lower() or "trusted" in message.text.lower():
                self.complaints.append(message.text)

        self.page.add_init_script(_WATCH)
        self.page.on("console", listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, path: str = "new", *, lang: str = "en") -> None:
        self.page.goto(f"{self.url}/privacy/admin/versions/{path}?lang={lang}")
        expect(self.page.locator(".cw-admin-toolbar").first).to_be_visible()

    def area(self, name: str = "text_vi") -> Locator:
        return self.page.locator(f"[name={name}]")

    @property
    def text(self) -> str:
        return self.area().input_value()

    @property
    def status(self) -> Locator:
        return self.page.locator("[data-autosave-status]")

    def tool(self, label: str) -> Locator:
        return self.page.locator("[role=toolbar][aria-controls=text_vi]").get_by_role(
            "button", name=label, exact=True
        )

    def write(self, text: str, name: str = "text_vi") -> None:
        """Put ``text`` in place of what stands in the field."""
        self.area(name).fill(text)

    def select(self, start: int, end: int) -> None:
        self.area().evaluate(
            "(area, [start, end]) => { area.focus(); area.setSelectionRange(start, end); }", [start, end]
        )

    def marked(self) -> str:
        """The text with its selection between ‹ and ›."""
        start, end = self.area().evaluate("area => [area.selectionStart, area.selectionEnd]")
        return f"{self.text[:start]}‹{self.text[start:end]}›{self.text[end:]}"

    def paste(self, html: str = "", plain: str = "", name: str = "text_vi", **more: str) -> bool:
        """Paste; true where the browser's own paste goes on."""
        data = {"text/html": html, "text/plain": plain} | {
            kind.replace("_", "-"): text for kind, text in more.items()
        }
        goes_on: bool = self.page.evaluate(
            _PASTE, [name, {kind: text for kind, text in data.items() if text}]
        )
        return goes_on

    def pasted(self, html: str) -> str:
        """What stands in an empty text after ``html`` was pasted."""
        self.write("")
        self.paste(html, "plain")
        return self.text

    def save_now(self) -> None:
        """As when the tab is left: no need to wait for the pause."""
        self.page.evaluate(_HIDE)

    def is_in(self, state: str) -> None:
        expect(self.status).to_have_attribute("data-state", state)

    def stored(self) -> Draft:
        return load_draft(factories.deployment(self.app), list_drafts(factories.deployment(self.app))[0].id)

    def warns(self) -> bool:
        """Whether the browser would ask before it leaves the page."""
        asks: bool = self.page.evaluate("!dispatchEvent(new Event('beforeunload', {cancelable: true}))")
        return asks


Sit = Callable[..., Editor]


@pytest.fixture
def sit(
    make_app: Callable[..., Flask], serve: Serve, new_context: Callable[..., BrowserContext]
) -> Iterator[Sit]:
    """`sit()` brings Lan to an editor; none of the pages may complain of policy or script."""
    made: list[Editor] = []

    def sit(*, lang: str = "en", **options: object) -> Editor:
        signed_in = [LAN]
        app = make_app(staff_loader=lambda: signed_in[0] if signed_in else None)
        page = new_context(locale=LOCALES[lang], **options).new_page()
        made.append(Editor(page=page, app=app, url=serve(app).url, signed_in=signed_in))
        return made[-1]

    yield sit
    for editor in made:
        assert editor.complaints == []


@pytest.fixture
def editor(sit: Sit) -> Editor:
    """Lan at a new version."""
    editor = sit()
    editor.open()
    return editor


#: Text before, button, text after. The selection stands between ‹ and ›.
_EDITS = {
    "bold": ("mua ‹hàng› đi", "Bold", "mua **‹hàng›** đi"),
    "bold off": ("mua **‹hàng›** đi", "Bold", "mua ‹hàng› đi"),
    "bold off with its marks": ("mua ‹**hàng**› đi", "Bold", "mua ‹hàng› đi"),
    "spaces stay outside": ("mua‹ hàng ›đi", "Bold", "mua **‹hàng›** đi"),
    "the word around the caret": ("mua hà‹›ng đi", "Bold", "mua **hà‹›ng** đi"),
    "nothing to mark yet": ("mua ‹›", "Bold", "mua **‹›**"),
    "each line of its own": ("‹một\n\n- hai›", "Bold", "‹**một**\n\n- **hai**›"),
    "each line off": ("‹**một**\n\n- **hai**›", "Bold", "‹một\n\n- hai›"),
    "italic in bold": ("mua **‹hàng›** đi", "Italic", "mua ***‹hàng›*** đi"),
    "italic off, bold stays": ("mua ***‹hàng›*** đi", "Italic", "mua **‹hàng›** đi"),
    "heading": ("một\nha‹›i\nba", "Heading", "một\n## ha‹›i\nba"),
    "heading below": ("## ha‹›i {#x .rights}", "Heading", "### ha‹›i {#x .rights}"),
    "heading off": ("### ha‹›i", "Heading", "ha‹›i"),
    "list": ("‹một\nhai›", "List", "‹- một\n- hai›"),
    "list off": ("‹- một\n- hai›", "List", "‹một\nhai›"),
    "numbers to bullets": ("‹1. một\n2. hai›", "List", "‹- một\n- hai›"),
    "numbers": ("‹một\n\nhai\n›ba", "Numbered list", "‹1. một\n\n2. hai›\nba"),
    "link": ("xem ‹luật›", "Link", "xem [luật](‹https://›)"),
    "link of an address": ("‹https://vbpl.vn/a›", "Link", "[‹›](https://vbpl.vn/a)"),
}

#: Pasted HTML and what it becomes.
_PIECES = {
    "a phrase": (
        "<p>một <b>hai</b> ba</p>",
        "một **hai** ba",
    ),
    "a mark keeps no space": (
        "<p><b>hai </b>ba</p>",
        "**hai** ba",
    ),
    "a mark that would not close": (
        "<p><b>Điều 1:</b>mua</p>",
        "**Điều 1**:mua",
    ),
    "marks in marks": (
        "<p><b>a<i>b</i></b> <i>c</i></p>",
        "**a*b*** *c*",
    ),
    "marks that meet": (
        "<p><b><b>a</b></b><b>b</b></p>",
        "**ab**",
    ),
    "Google Docs": (
        (
            '<b style="font-weight:normal" id="docs-internal-guid-1"><p dir="ltr">'
            '<span style="font-weight:700">đậm</span>'
            '<span style="font-style:italic"> nghiêng</span></p></b>'
        ),
        "**đậm** *nghiêng*",
    ),
    "a list beside its item": (
        '<ul><li aria-level="1">một</li><ul><li aria-level="2">hai</li></ul><li>ba</li></ul>',
        "- một\n  - hai\n- ba",
    ),
    "Word on the web": (
        (
            '<div><ol start="1"><li data-aria-level="1"><p>một</p></li></ol></div>'
            '<div><ol start="1"><li data-aria-level="2"><p>hai</p></li></ol></div>'
        ),
        "1. một\n   1. hai",
    ),
    "more in an item": (
        "<ol start=3><li>ba<p>thêm</p><li>bốn</ol>",
        "3. ba\n\n   thêm\n\n4. bốn",
    ),
    "letters are kept": (
        "<ol type=a><li>một<li>hai</ol>",
        "- a) một\n- b) hai",
    ),
    "typed by hand": (
        "<p>- một</p><p>+ hai</p><p>3) ba</p>",
        "- một\n- hai\n3. ba",
    ),
    "no list, no heading": (
        "<p>2026. Năm nay</p><p># không</p>",
        "2026\\. Năm nay\n\n\\# không",
    ),
    "a title above": (
        "<h1>Tên</h1><h2>Mục</h2><h3>Ý</h3>",
        "## Tên\n\n## Mục\n\n### Ý",
    ),
    "clauses": (
        "<h1>Một</h1><h2>Nhỏ</h2><h1>Hai</h1>",
        "## Một\n\n### Nhỏ\n\n## Hai",
    ),
    "a spreadsheet": (
        "<table><tr><td rowspan=2>a<td>b<tr><td><ul><li>c<li>d</ul></table>",
        "| a | b |\n| --- | --- |\n|  | • c • d |",
    ),
    "a frame is no table": (
        "<table><tr><td><p>khung</p></td></tr></table>",
        "khung",
    ),
    "links": (
        '<p><a href="javascript:alert(1)">x</a> <a href="//a.vn">y</a> <a href="https://a.vn/(b) c">z</a></p>',
        "x y [z](<https://a.vn/(b)%20c>)",
    ),
    "a line break": (
        "<p>một<br>hai</p>",
        "một\\\nhai",
    ),
    "what nobody sees": (
        "<p>a&nbsp; b\u200b\u00adc</p>",
        "a bc",
    ),
    "hidden and deleted": (
        "<p>a<span style='mso-hide:all'>x</span><del>y</del></p>",
        "a",
    ),
}


class TestToolbar:
    def test_a_button_edits_the_selection(self, editor: Editor) -> None:
        found = {}
        for name, (before, tool, _) in _EDITS.items():
            start, end = before.index("‹"), before.index("›") - 1
            editor.write(before.replace("‹", "").replace("›", ""))
            editor.select(start, end)
            editor.tool(tool).click()
            expect(editor.area()).to_be_focused()
            found[name] = editor.marked()

        # One page for all: to start one takes longer than all of these.
        assert found == {name: after for name, (_, _, after) in _EDITS.items()}

    def test_undo_takes_a_button_back(self, editor: Editor) -> None:
        editor.write("mua hàng")
        editor.select(0, 3)
        editor.tool("Bold").click()
        assert editor.text == "**mua** hàng"

        editor.page.keyboard.press("Control+z")
        assert editor.text == "mua hàng"

        editor.page.keyboard.press("Control+Shift+z")
        assert editor.text == "**mua** hàng"

    def test_keys_do_what_the_buttons_do(self, editor: Editor) -> None:
        editor.write("mua hàng")
        editor.select(0, 3)

        editor.page.keyboard.press("Control+b")
        editor.page.keyboard.press("Control+i")

        assert editor.text == "***mua*** hàng"

    def test_arrows_walk_the_toolbar_and_tab_leaves_it(self, editor: Editor) -> None:
        editor.tool("Bold").focus()

        editor.page.keyboard.press("ArrowRight")
        expect(editor.tool("Italic")).to_be_focused()
        editor.page.keyboard.press("End")
        expect(editor.tool("Link")).to_be_focused()
        editor.page.keyboard.press("ArrowRight")
        expect(editor.tool("Bold")).to_be_focused()
        editor.page.keyboard.press("Tab")
        expect(editor.area()).to_be_focused()


class TestComposition:
    """Vietnamese input methods compose a syllable before they commit it."""

    def test_nothing_interferes_while_a_syllable_is_composed(self, editor: Editor) -> None:
        editor.write("")
        editor.area().focus()
        keyboard = editor.page.context.new_cdp_session(editor.page)
        for composed in ("t", "ti", "tie", "tiê", "tiên", "tiêng", "tiếng"):
            keyboard.send(
                "Input.imeSetComposition",
                {"text": composed, "selectionStart": len(composed), "selectionEnd": len(composed)},
            )
        editor.area().dispatch_event("keydown", {"key": "b", "ctrlKey": True, "isComposing": True})
        editor.tool("Bold").dispatch_event("click")
        assert editor.text == "tiếng"

        keyboard.send("Input.insertText", {"text": "tiếng"})
        editor.page.keyboard.type(" Việt")
        assert editor.text == "tiếng Việt"

        editor.tool("Bold").click()
        assert editor.text == "tiếng **Việt**"

    def test_a_syllable_is_saved_once_it_stands(self, editor: Editor) -> None:
        editor.write("")
        editor.area().focus()
        keyboard = editor.page.context.new_cdp_session(editor.page)
        for composed in ("đ", "đô", "đông", "đồng"):
            keyboard.send(
                "Input.imeSetComposition",
                {"text": composed, "selectionStart": len(composed), "selectionEnd": len(composed)},
            )
        editor.save_now()
        editor.is_in("saved")
        assert editor.text == "đồng"

        keyboard.send("Input.insertText", {"text": "đồng"})
        editor.page.keyboard.type(" ý")
        editor.save_now()

        editor.is_in("saved")
        assert editor.stored().texts["vi"] == "đồng ý\n"


class TestPaste:
    def test_a_document_from_word_becomes_markdown(self, editor: Editor) -> None:
        """Headings, both kinds of lists, a table, emphasis, links; of the rest nothing is left."""
        text = editor.pasted(WORD)

        assert text == (factories.DATA / "word.md").read_text().rstrip("\n")
        assert unicodedata.is_normalized("NFC", text)
        assert editor.page.title() != "ran"

    def test_what_came_from_word_shows_as_it_did_there(self, editor: Editor) -> None:
        rendered = render_notice(editor.pasted(WORD))

        assert [clause.title for clause in rendered.clauses] == ["Thông tin thu thập", "Thời hạn lưu trữ"]
        html = re.sub(r"\s*\n\s*", "", rendered.html)
        assert (
            "<li>Họ tên, địa chỉ thư điện tử<ul><li>do khách hàng tự điền</li><li>do đối tác cung cấp</li></ul></li>"
            in html
        )
        assert (
            "<ol><li>Chủ thể dữ liệu có quyền:<ul><li>a) được biết;</li><li>b) rút lại sự đồng ý.</li></ul></li>"
            in html
        )
        assert "<td>5 năm | từ ngày kết thúc</td>" in html
        assert "5 * 3, giữ nguyên dấu *sao*, &lt;b&gt; và [1](ghi chú)." in html
        assert "mso" not in html

    def test_undo_takes_a_paste_back_in_one_step(self, editor: Editor) -> None:
        editor.write("Trước.")
        editor.select(6, 6)
        editor.paste(WORD, "plain")
        assert editor.text.startswith("Trước.\n\n**Thông báo bảo mật**\n\n## Thông tin")

        editor.page.keyboard.press("Control+z")

        assert editor.text == "Trước."

    def test_a_piece_becomes_markdown(self, editor: Editor) -> None:
        found = {name: editor.pasted(html) for name, (html, _) in _PIECES.items()}

        assert found == {name: text for name, (_, text) in _PIECES.items()}

    def test_pasted_code_never_runs_and_nothing_is_fetched(self, editor: Editor) -> None:
        asked: list[str] = []
        editor.page.on("request", lambda request: asked.append(request.url))

        editor.pasted(
            "<p>a<img src='https://evil.example/x' onerror='document.title=1'><script>document.title=1</script>"
            "<svg onload='document.title=1'></svg><style>@import 'https://evil.example'</style>"
            "<iframe src='https://evil.example'></iframe><a style='color:red'href='https://a.vn'>b</a></p>"
        )
        editor.page.wait_for_timeout(200)

        assert editor.text == "a[b](https://a.vn)"
        assert not [url for url in asked if "evil" in url]

    def test_program_text_is_pasted_by_the_browser(self, editor: Editor) -> None:
        code = "<div style='white-space:pre'><b>## Mục {#a .rights}</b></div>"
        assert editor.paste(code, "## Mục {#a .rights}", vscode_editor_data="{}")
        assert editor.paste("<pre>## Mục</pre>", "## Mục")
        assert editor.paste(plain="## Mục")

    def test_plain_text_is_composed(self, editor: Editor) -> None:
        editor.write("")
        plain = unicodedata.normalize("NFD", "Tiếng Việt\x00\r\nhai")

        editor.paste(plain=plain)

        assert editor.text == "Tiếng Việt\nhai"

    def test_a_summary_takes_the_plain_text(self, editor: Editor) -> None:
        assert editor.paste("<p><b>a</b></p>", "a", name="summary_vi")

    def test_a_long_document_is_pasted_at_once(self, editor: Editor) -> None:
        """20,000 words in 1,000 paragraphs; a person waits for it, and takes it back."""
        html = "".join(f"<h2>Mục {n}</h2><p>{'bảo vệ dữ liệu ' * 6}</p>" for n in range(1_000))
        editor.write("Trước.\n\nSau.")
        editor.select(8, 8)

        began = editor.page.evaluate("performance.now()")
        editor.paste(html, "plain")
        spent = editor.page.evaluate("performance.now()") - began

        text = editor.text
        assert text.startswith("Trước.\n\n## Mục 0\n\nbảo vệ")
        assert text.endswith("dữ liệu\n\nSau.")
        assert text.count("\n\n## Mục") == 1_000
        assert len(text.split()) > 20_000
        # Line by line, as the browser would, it takes more than a minute.
        assert spent < 15_000, f"{spent} ms"
        editor.page.keyboard.press("Control+z")
        assert editor.text == "Trước.\n\nSau."


class TestAutosave:
    def test_what_was_typed_is_saved_by_itself(self, editor: Editor) -> None:
        editor.write("Chính sách mới", "title_vi")
        editor.is_in("unsaved")
        expect(editor.status).to_have_text("Not saved yet")
        assert editor.warns()

        editor.is_in("saved")
        expect(editor.status).to_have_text(re.compile(r"^Saved at .*\d:\d\d"))
        assert not editor.warns()
        stored = editor.stored()
        assert stored.titles["vi"] == "Chính sách mới"
        assert editor.page.url == f"{editor.url}/privacy/admin/versions/{stored.id}"

        editor.write("Chính sách khác", "title_vi")
        editor.save_now()
        editor.is_in("saved")
        assert editor.stored().titles["vi"] == "Chính sách khác"
        assert len(list_drafts(factories.deployment(editor.app))) == 2  # version 1 and this draft

        editor.page.reload()
        expect(editor.area("title_vi")).to_have_value("Chính sách khác")

    def test_the_time_is_that_of_the_deployment(self, sit: Sit) -> None:
        """As every other time of the page, wherever the browser is."""
        editor = sit(timezone_id="Asia/Tokyo")
        editor.open()
        editor.write("Tên", "title_vi")
        editor.save_now()
        editor.is_in("saved")

        shown = editor.stored().edited_at.astimezone(ZoneInfo("Asia/Ho_Chi_Minh"))
        expect(editor.status).to_have_text(re.compile(rf"\b{shown:%I:%M}|\b{shown:%H:%M}"))

    @pytest.mark.parametrize("stage", ["in_review", "approved"])
    def test_what_was_submitted_is_saved_by_hand_alone(self, sit: Sit, stage: str) -> None:
        """Saving takes it back to draft and makes the reader its editor: never for one stray key."""
        editor = sit()
        deployment = factories.deployment(editor.app)
        draft = create_draft(deployment, fields(), staff=LAN, now=deployment.clock())
        draft = submit_draft(deployment, draft.id, revision=draft.revision, staff=LAN, now=deployment.clock())
        if stage == "approved":
            draft = approve_draft(
                deployment, draft.id, revision=draft.revision, staff=MINH, now=deployment.clock()
            )
        editor.signed_in[:] = [MINH]
        editor.page.goto(f"{editor.url}/privacy/admin/versions/{draft.id}?edit=1&lang=en")
        expect(editor.page.locator(".cw-admin-toolbar").first).to_be_visible()

        editor.page.clock.install()
        editor.area("title_vi").press_sequentially("x")
        editor.is_in("unsaved")
        editor.page.clock.run_for(60_000)
        editor.save_now()
        editor.page.wait_for_timeout(200)

        assert editor.stored() == draft
        assert editor.warns()
        editor.page.locator("button[name=action][value=save]").last.click()
        expect(editor.page.locator(".cw-admin-done")).to_be_visible()
        assert (editor.stored().state, editor.stored().edited_by) == ("draft", "minh")

    def test_nothing_is_sent_where_nothing_changed(self, editor: Editor) -> None:
        editor.save_now()
        editor.page.wait_for_timeout(200)

        assert len(list_drafts(factories.deployment(editor.app))) == 1
        expect(editor.status).not_to_have_attribute("data-state", "saved")

    def test_nothing_is_lost_while_the_server_is_away(self, editor: Editor) -> None:
        editor.page.context.set_offline(True)
        editor.write("Tên", "title_vi")
        editor.is_in("failed")
        expect(editor.status).to_have_text("Not saved: no connection. Trying again …")
        assert editor.warns()
        editor.write("Tên mới", "title_vi")

        editor.page.context.set_offline(False)

        editor.is_in("saved")
        assert editor.stored().titles["vi"] == "Tên mới"

    def test_an_error_of_the_server_is_tried_again(self, editor: Editor) -> None:
        answers = [503, 500]

        def answer(route: Route) -> None:
            if route.request.method == "POST" and "preview" not in route.request.url and answers:
                route.fulfill(status=answers.pop(), body="busy")
            else:
                route.continue_()

        editor.page.route("**/admin/versions/**", answer)
        editor.write("Tên", "title_vi")
        editor.save_now()
        editor.is_in("failed")

        editor.page.clock.install()
        editor.write("Tên khác", "title_vi")
        editor.save_now()
        editor.is_in("failed")
        editor.page.clock.run_for(60_000)

        editor.is_in("saved")
        assert editor.stored().titles["vi"] == "Tên khác"

    def test_two_editors_never_overwrite_each_other(self, editor: Editor) -> None:
        editor.write("Của Lan", "title_vi")
        editor.save_now()
        editor.is_in("saved")
        other = Editor(
            page=editor.page.context.new_page(), app=editor.app, url=editor.url, signed_in=editor.signed_in
        )
        other.open(str(editor.stored().id))
        other.write("Của Minh", "title_vi")
        other.save_now()
        other.is_in("saved")

        editor.write("Của Lan, lần hai", "title_vi")
        editor.save_now()

        editor.is_in("conflict")
        expect(editor.status).to_have_text("Somebody else has saved meanwhile. Press Save to see both texts.")
        assert editor.stored().titles["vi"] == "Của Minh"
        assert editor.warns()
        editor.write("Của Lan, lần ba", "title_vi")
        editor.save_now()
        editor.page.wait_for_timeout(200)
        assert editor.stored().titles["vi"] == "Của Minh"

        editor.page.locator("button[name=action][value=save]").last.click()
        expect(editor.page.locator(".cw-admin-conflict")).to_be_visible()
        expect(editor.area("title_vi")).to_have_value("Của Lan, lần ba")
        assert editor.warns()
        editor.save_now()
        editor.page.wait_for_timeout(200)
        assert editor.stored().titles["vi"] == "Của Minh"

    def test_a_button_pressed_during_a_save_waits_for_it(self, editor: Editor) -> None:
        """Else the form would carry the revision from before and meet its own save as a conflict."""
        editor.write("Một", "title_vi")
        editor.save_now()
        editor.is_in("saved")
        held: list[Route] = []

        def hold_first(route: Route) -> None:
            held.append(route)
            if len(held) > 1:
                route.continue_()

        editor.page.route("**/admin/versions/*", hold_first)
        editor.write("Hai", "title_vi")
        editor.save_now()
        editor.is_in("saving")

        editor.page.locator("button[name=action][value=save]").last.click(no_wait_after=True)
        editor.page.wait_for_timeout(200)
        assert len(held) == 1
        held[0].continue_()

        expect(editor.page.locator(".cw-admin-done")).to_be_visible()
        assert editor.stored().titles["vi"] == "Hai"

    def test_a_session_that_ended_is_told_and_then_goes_on(self, editor: Editor) -> None:
        editor.signed_in.clear()
        editor.write("Tên", "title_vi")
        editor.save_now()
        editor.is_in("failed")
        expect(editor.status).to_have_text("Not saved: you are signed out. Sign in again in another tab.")

        editor.signed_in.append(LAN)
        editor.save_now()

        editor.is_in("saved")

    def test_a_field_that_cannot_be_saved_is_told(self, editor: Editor) -> None:
        editor.write("x" * 201, "title_vi")
        editor.save_now()
        editor.is_in("refused")
        assert editor.status.inner_text()

        editor.write("x", "title_vi")
        editor.save_now()

        editor.is_in("saved")

    def test_the_word_that_the_translation_fits_counts_once(self, editor: Editor) -> None:
        editor.write("Một.")
        editor.write("One.", "text_en")
        editor.save_now()
        editor.is_in("saved")
        box = editor.area("in_step")
        expect(box).to_be_hidden()
        editor.write("Một!")
        editor.save_now()
        expect(box).to_be_visible()
        assert editor.stored().stale

        box.check()
        editor.save_now()
        expect(box).to_be_hidden()
        assert not editor.stored().stale

        editor.write("Hai!")
        editor.save_now()
        expect(box).to_be_visible()
        expect(box).not_to_be_checked()
        assert editor.stored().stale


class TestPreview:
    @staticmethod
    def frame(editor: Editor) -> Locator:
        """The heading in the frame that is shown."""
        shown = editor.page.locator("iframe[data-preview]:not(.cw-admin-preview-loading)")
        return shown.content_frame.locator("article[data-notice]")

    def test_the_page_follows_the_text(self, editor: Editor) -> None:
        before = editor.page.evaluate("history.length")
        editor.write("## Mục mới\n\nChữ **đậm**.")
        expect(self.frame(editor).locator("strong")).to_have_text("đậm")
        expect(editor.page.get_by_role("button", name="Vietnamese", exact=True)).to_have_attribute(
            "aria-pressed", "true"
        )

        editor.write("## New\n\nA *word*.", "text_en")
        expect(self.frame(editor).locator("em")).to_have_text("word")
        expect(editor.page.get_by_role("button", name="English", exact=True)).to_have_attribute(
            "aria-pressed", "true"
        )

        editor.page.get_by_role("button", name="Vietnamese", exact=True).click()
        expect(self.frame(editor).locator("strong")).to_have_text("đậm")
        assert editor.page.evaluate("history.length") == before
        assert len(editor.page.locator("iframe[data-preview]").all()) == 1

    def test_it_opens_at_the_section_that_is_being_written(self, editor: Editor) -> None:
        editor.write(
            "".join(f"## Mục {n}\n\n{'chữ ' * 300}\n\n" for n in range(1, 9)) + "## Cuối {#cuoi}\n\nHết"
        )
        editor.area().press("Control+End")
        editor.page.keyboard.type(".")

        last = self.frame(editor).locator("#notice-cuoi")
        expect(last).to_be_visible()
        editor.page.locator("iframe[data-preview]").last.scroll_into_view_if_needed()
        expect(last).to_be_in_viewport()

    def test_it_is_not_a_save(self, editor: Editor) -> None:
        editor.page.get_by_role("button", name="English", exact=True).click()
        expect(self.frame(editor)).to_be_visible()

        assert len(list_drafts(factories.deployment(editor.app))) == 1

    def test_no_script_of_a_text_runs_in_it(self, editor: Editor) -> None:
        editor.write("## Mục\n\n<script>top.document.title = 'ran'</script>\n\n[x](javascript:alert(1))")
        expect(self.frame(editor).locator("#notice-1")).to_have_text("Mục")

        assert editor.page.title() != "ran"
        expect(self.frame(editor).locator("a[href^=javascript]")).to_have_count(0)


@pytest.mark.parametrize("lang", ["vi", "en"])
class TestLook:
    def test_it_fits_a_phone(self, sit: Sit, lang: str) -> None:
        editor = sit(lang=lang, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
        editor.open(lang=lang)

        width = editor.page.evaluate("document.documentElement.scrollWidth")
        boxes = [tool.bounding_box() for tool in editor.page.locator(".cw-admin-tool").all()]
        editor.write("mua hàng")
        editor.select(0, 3)
        editor.page.locator("[aria-controls=text_vi] button").first.tap()

        assert width <= 360
        assert all(box and box["width"] >= 44 and box["height"] >= 44 for box in boxes)
        assert editor.text == "**mua** hàng"

    def test_axe_finds_nothing(self, sit: Sit, lang: str) -> None:
        editor = sit(lang=lang)
        editor.open(lang=lang)
        editor.write("Tên", "title_vi")
        editor.save_now()
        editor.is_in("saved")

        assert findings(editor.page) == []
