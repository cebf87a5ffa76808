"""How a campaign goes on, in a few honest sentences."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from babel.dates import format_timedelta
from babel.numbers import format_decimal

from ..core.campaign import Kind, State
from ..services.progress import Progress
from .desk import Words
from .page import show_moment

#: After so long without a mail something may be wrong.
_QUIET = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class Told:
    """``said`` is how it goes on, ``warning`` what may go wrong with the date; both may be empty."""

    said: str
    warning: str = ""


def say_progress(progress: Progress, now: datetime, t: Words) -> Told:
    """A correction says that a version does not come: it has no date to be in time for."""
    campaign = progress.campaign
    effective = show_moment(campaign.closes_at, t)
    if campaign.state is State.DONE:
        return Told(said=t("Every mail is settled."), warning=_late(progress, effective, t))
    if campaign.state is State.WITHDRAWN:
        return Told(said=t("The version was withdrawn, so nobody is told of it any more."))
    if campaign.state is State.PAUSED:
        if campaign.kind is Kind.CORRECTION:
            return Told(said=t("Nothing is sent until it is resumed."))
        return Told(
            said=t(
                "Nothing is sent until it is resumed. The version takes effect on %(date)s.", date=effective
            )
        )
    if campaign.prepared_at is None:
        return Told(said=t("The mails are being made, one for each subscriber. Sending begins meanwhile."))
    if not progress.counts.open:
        return Told(said=t("Every mail is settled."))
    return _sending(progress, effective, now, t)


def _sending(progress: Progress, effective: str, now: datetime, t: Words) -> Told:
    last = progress.last_accepted_at or progress.campaign.started_at or progress.campaign.created_at
    if now - last >= _QUIET or progress.left is None or progress.ends_at is None:
        said = (
            t("No mail was accepted since %(date)s.", date=show_moment(progress.last_accepted_at, t))
            if progress.last_accepted_at
            else t("No mail was accepted yet.")
        )
        if now - last < _QUIET:
            return Told(said=said)
        return Told(
            said=said,
            warning=t(
                "If this lasts, ask those who run the site whether the worker is running (`flask consent worker`)."
            ),
        )
    said = t(
        "About %(rate)s mails a minute. At this rate the rest takes about %(left)s, until %(end)s.",
        rate=_rate(progress.rate, t),
        left=_span(progress.left, t),
        end=show_moment(progress.ends_at, t),
    )
    if progress.campaign.kind is Kind.CORRECTION:
        return Told(said=said)
    if progress.is_in_time:
        before = t("That is before the version takes effect on %(date)s.", date=effective)
        return Told(said=f"{said} {before}")
    return Told(said=said, warning=_late(progress, effective, t))


def _late(progress: Progress, effective: str, t: Words) -> str:
    if progress.is_in_time is not False or progress.campaign.kind is Kind.CORRECTION:
        return ""
    if progress.campaign.state is State.DONE:
        return t("The last ones were settled after the version took effect on %(date)s.", date=effective)
    return t(
        "That is after the version takes effect on %(date)s: some will be told too late. Ask those who run the site "
        "for a faster mail server, or withdraw the version and announce it with a later date.",
        date=effective,
    )


def _rate(per_second: float, t: Words) -> str:
    return format_decimal(round(per_second * 60, 0 if per_second * 60 >= 10 else 1), locale=t.language)


def _span(left: timedelta, t: Words) -> str:
    return format_timedelta(max(left, timedelta(minutes=1)), threshold=1.5, locale=t.language)
