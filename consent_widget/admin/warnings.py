"""What the editor points out and leaves to people: the law's checklist, and characters nobody sees."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..core.checklist import Article, Finding, Item, Kind, check, lost_anchors
from ..core.draft import Draft
from ..core.hidden import Hidden, hidden_characters
from ..core.language import GOVERNING, LANGUAGES
from ..core.notice import Version
from .desk import Words
from .forms import Typed
from .page import show_moment

#: A date further ahead is more likely a slip of the keyboard.
_FAR = timedelta(days=2 * 366)

#: More hidden characters than these are counted, not listed.
_LISTED = 20


@dataclass(frozen=True, kw_only=True)
class ShownItem:
    """``finding`` as in core.checklist; ``words`` what is asked, ``note`` what was found, ``source`` the articles."""

    finding: str
    words: str
    note: str
    source: str


def show_checklist(sent: Typed, before: Mapping[str, str], t: Words) -> list[ShownItem]:
    """The checklist for what is typed, and sections whose links would break."""
    texts = {language: sent.texts[f"text_{language}"] for language in LANGUAGES}
    shown = [_item(one, t) for one in check(texts)]
    lost = {anchor for language, old in before.items() for anchor in lost_anchors(old, texts[language])}
    if lost:
        shown.append(
            ShownItem(
                finding=Finding.ABSENT,
                words=t("Links to sections keep working"),
                note=t(
                    "These sections are in force and gone here: %(anchors)s. Keep the names in braces where a "
                    "section only moved or was renamed.",
                    anchors=", ".join(f"#{one}" for one in sorted(lost)),
                ),
                source="",
            )
        )
    return shown


def say_overtaken(draft: Draft, in_force: Version | None, t: Words) -> str:
    """That announcing ``draft`` may take back what the version ``in_force`` brought; empty where it was known."""
    if in_force is None or draft.edited_at >= in_force.effective_at:
        return ""
    return t(
        "Version %(number)s has come into force since this text was last edited: look at the changes below. "
        "What it brought may be missing here.",
        number=in_force.number,
    )


def show_remarks(draft: Draft, before: Mapping[str, str], now: datetime, t: Words) -> list[str]:
    """What to look at before a button is pressed; ``before`` holds the texts in force by language."""
    said = []
    if before and all(draft.texts.get(language) == text for language, text in before.items()):
        said.append(t("As saved, both texts are word for word those of the version in force."))
    if draft.effective_at is not None and draft.effective_at > now + _FAR:
        said.append(
            t(
                "It would take effect more than two years ahead: %(date)s. Is the year right?",
                date=show_moment(draft.effective_at, t),
            )
        )
    return said


def show_hidden(text: str) -> tuple[tuple[Hidden, ...], int]:
    """The first hidden characters, and how many more there are."""
    found = hidden_characters(text)
    return found[:_LISTED], max(0, len(found) - _LISTED)


def _item(item: Item, t: Words) -> ShownItem:
    note = ""
    if item.finding is Finding.ABSENT:
        names = {GOVERNING: t("Vietnamese"), "en": t("English")}
        note = t(
            "No section of the text in %(languages)s carries the tag %(tag)s.",
            languages=" / ".join(names[one] for one in item.absent_in),
            tag=f".{item.code}",
        )
    return ShownItem(
        finding=item.finding.value,
        words=_say(item.code, t),
        note=note,
        source="; ".join(_article(one, t) for one in item.articles),
    )


def _article(article: Article, t: Words) -> str:
    values = {
        "law": article.law,
        "article": article.article,
        "clause": article.clause,
        "point": article.point,
    }
    if article.kind is Kind.DECREE:
        if article.clause:
            return t("Decree %(law)s, Art. %(article)s(%(clause)s)", **values)
        return t("Decree %(law)s, Art. %(article)s", **values)
    if article.point:
        return t("Law %(law)s, Art. %(article)s(%(clause)s)(%(point)s)", **values)
    if article.clause:
        return t("Law %(law)s, Art. %(article)s(%(clause)s)", **values)
    return t("Law %(law)s, Art. %(article)s", **values)


def _say(code: str, t: Words) -> str:
    known: Mapping[str, str] = {
        "purposes": t("For what purposes personal data is processed"),
        "recipients": t("Who receives personal data, and on what ground"),
        "retention": t("How long it is kept, for visitors and former customers too"),
        "transfers": t("Whether it leaves Vietnam: mail, analytics and cloud services count"),
        "rights": t("The rights of personal data subjects, and how to exercise them"),
        "silence": t("Does no sentence take a visit, silence or staying on the site as consent?"),
        "cookies": t(
            "Does it say which cookies are used, what for and how long, and that tracking data is sensitive?"
        ),
        "kinds": t("Are the kinds of data listed to the end, without “and other information”?"),
        "controller": t("Does it name the controller with address and contact?"),
        "requests": t(
            "Does it say on what lawful requests data is handed over, those of courts and prosecutors included?"
        ),
        "withdrawal": t("Does it say how to withdraw consent and how to object?"),
        "complaint": t("Does it say where to complain, with us and with the authority?"),
        "ground": t("Where data is processed without consent: is the ground named, such as a contract?"),
        "children": t("Does it say what holds for children?"),
        "incidents": t(
            "Does it say who is told of a breach, and does it disclaim no more than the law allows?"
        ),
        "changes": t(
            "Does it say how long ahead and how changes are announced, and that a new purpose asks anew?"
        ),
        "advertising": t("Can customers allow or refuse use for advertising?"),
        "processor": t("For data that customers store with us: is our role as processor stated?"),
        "absolute": t(
            "Does every absolute sentence, such as “we collect no data in any form”, agree with the rest of the text?"
        ),
        "languages": t("Does it say that there are two languages, and which text governs?"),
    }
    return known[code]
