"""The effective date of a version as an event for calendars (RFC 5545, RFC 5546)."""

from datetime import datetime
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event

from ..core.notice import Version
from .catalogue import Words, moment
from .characters import printable

#: RFC 5545 section 3.7.3.
_PRODUCT = "-//consent-widget//notice versions//EN"


def version_event(version: Version, t: Words, *, name: str, zone: ZoneInfo, url: str | None) -> bytes:
    """When ``version`` takes effect, in the words of ``t``; cancelled where it was withdrawn.

    ``name`` is the controller's, ``url`` the address of the version's page, None where it is not known.
    """
    withdrawn = version.withdrawn_at
    return write_event(
        uid=version.uid,
        language=t.language,
        starts_at=version.effective_at,
        changed_at=withdrawn or version.announced_at,
        cancelled=withdrawn is not None,
        summary=t("%(name)s: new version of the privacy policy takes effect", name=name),
        description="\n".join(
            (
                t("Version %(number)s", number=version.number),
                t(
                    "Effective from %(time)s",
                    time=moment(version.effective_at, zone=zone, language=t.language),
                ),
                version.summaries.get(t.language, ""),
            )
        ),
        url=url,
    )


def write_event(
    *,
    uid: str,
    language: str,
    starts_at: datetime,
    changed_at: datetime,
    cancelled: bool,
    summary: str,
    description: str,
    url: str | None,
) -> bytes:
    """One event at the exact instant ``starts_at``, as a file of its own.

    The instant is written in UTC, so that every calendar shows it in its
    owner's zone. A cancelled event has the same ``uid`` and the next SEQUENCE,
    so that calendars replace the earlier one (RFC 5546 section 3.2.5).
    """
    event = Event()
    event.add("uid", uid)
    event.add("sequence", 1 if cancelled else 0)
    event.add("status", "CANCELLED" if cancelled else "CONFIRMED")
    event.add("dtstamp", changed_at)
    event.add("last-modified", changed_at)
    event.add("dtstart", starts_at)
    event.add("summary", printable(summary), parameters={"LANGUAGE": language})
    event.add("description", printable(description), parameters={"LANGUAGE": language})
    # It reminds, it does not keep anybody busy.
    event.add("transp", "TRANSPARENT")
    if url is not None:
        event.add("url", url)
    calendar = Calendar()
    calendar.add("version", "2.0")
    calendar.add("prodid", _PRODUCT)
    calendar.add("method", "CANCEL" if cancelled else "PUBLISH")
    calendar.add_component(event)
    return bytes(calendar.to_ical())
