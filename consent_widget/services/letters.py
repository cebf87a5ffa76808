"""The mails of rows: composed once for a campaign and language, filled in for each recipient."""

from collections.abc import Iterable
from datetime import datetime
from email.utils import parseaddr

from sqlalchemy import Connection

from ..config import PREFIX
from ..core.campaign import Campaign
from ..core.delivery import Delivery
from ..core.envelope import message_id, verp
from ..core.errors import SettingError
from ..core.links import MANAGE, UNSUBSCRIBE
from ..render.mail import Letterhead, Stencil, campaign_mail, letter_mail
from ..storage.fence import Recipient
from ..storage.notice import load_schedule, load_text
from .audience import mail_domain
from .deployment import Deployment


def letterhead_of(deployment: Deployment) -> Letterhead:
    """Who writes, and where our pages are.

    Raises:
        SettingError: MAIL_FROM or PUBLIC_URL is missing; no mail can be written without.
    """
    settings = deployment.settings
    address = parseaddr(settings.mail_from or "")[1]
    if not address:
        raise SettingError(f"{PREFIX}MAIL_FROM", "is needed to send mail: the address that it comes from.")
    if settings.public_url is None:
        raise SettingError(f"{PREFIX}PUBLIC_URL", "is needed to send mail: links in mails begin with it.")
    return Letterhead(
        name=settings.controller.name,
        address=settings.controller.address,
        contact=settings.controller.contact,
        mail_from=address,
        public_base=settings.public_url + settings.url_prefix,
        timezone=settings.timezone,
        mail_domain=mail_domain(deployment),
    )


class Letters:
    """Writes mails; keeps what the recipients of one campaign and language have in common."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._letterhead = letterhead_of(deployment)
        self._stencils: dict[tuple[int, str], Stencil] = {}

    def compose(self, campaign: Campaign, languages: Iterable[str]) -> None:
        """Write what the recipients have in common, where that is not done yet.

        Raises:
            StoreUnavailable: the version could not be read.
        """
        for language in languages:
            if (campaign.id, language) not in self._stencils:
                with self._deployment.database.reading() as connection:
                    made = _compose(connection, campaign, language, self._letterhead)
                self._stencils[campaign.id, language] = made

    def envelope_sender(self, one: Delivery) -> str:
        """Where a report of this mail comes back to."""
        return verp(self._deployment.links, self._letterhead.mail_from, one.id)

    def of_campaign(self, one: Delivery, campaign: Campaign, to: Recipient) -> bytes:
        """The mail of a campaign's row, whose language was composed before: the same bytes each time."""
        links = self._deployment.links
        return self._stencils[campaign.id, one.language].fill(
            recipient=to.address,
            unsubscribe=links.seal(UNSUBSCRIBE, one.subscription_id, to.salt),
            manage=links.seal(MANAGE, one.subscription_id, to.salt),
            message_id=message_id(campaign.secret, campaign.id, one.id, campaign.mail_domain),
            date=one.created_at,
        )

    def of_letter(self, one: Delivery, to: Recipient, *, token: str, now: datetime) -> bytes:
        """The mail of a row without campaign; ``token`` confirms, empty where nothing is to be confirmed."""
        links = self._deployment.links
        theirs = {} if token else {
            "manage": links.seal(MANAGE, one.subscription_id, to.salt),
            "unsubscribe": links.seal(UNSUBSCRIBE, one.subscription_id, to.salt),
        }  # fmt: skip
        return letter_mail(
            one.kind,
            language=to.language,
            letterhead=self._letterhead,
            recipient=to.address,
            message_id=message_id(to.salt, None, one.id, self._letterhead.mail_domain),
            date=now,
            confirm=token,
            **theirs,
        )


def _compose(connection: Connection, campaign: Campaign, language: str, letterhead: Letterhead) -> Stencil:
    schedule = load_schedule(connection)
    version = schedule.find(campaign.number)
    text = load_text(connection, number=campaign.number, language=language)
    assert version is not None, campaign.number
    assert text is not None, campaign.number
    before = schedule.before(version)
    return campaign_mail(
        campaign,
        version=version,
        text=text,
        before=before,
        text_before=load_text(connection, number=before.number, language=language) if before else None,
        language=language,
        letterhead=letterhead,
    )
