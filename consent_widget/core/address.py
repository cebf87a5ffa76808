"""E-mail addresses: checked, compared, shown masked."""

from email_validator import EmailNotValidError, validate_email

from .errors import InputError

#: RFC 5321 section 4.5.3.1.3, without the angle brackets.
MAX_ADDRESS = 254
#: RFC 5321 section 4.5.3.1.1.
_MAX_LOCAL = 64

_MASK = "•••"

#: Some servers still forward by these (RFC 5321 appendix F.2, source routes); no mailbox needs them.
_ROUTING = frozenset("%!")


def clean_address(typed: str) -> str:
    """The address as mail is sent to it: its domain in lower case and ASCII (IDNA), the rest as typed.

    Neither the DNS nor the mailbox is asked.

    Raises:
        InputError: ``email``: it is no address to which mail can be sent over the Internet.
    """
    try:
        found = validate_email(
            typed.strip(),
            check_deliverability=False,
            allow_smtputf8=False,
            allow_domain_literal=False,
            allow_quoted_local=False,
            test_environment=True,  # names reserved for tests (RFC 2606) are addresses like others
        )
    except (EmailNotValidError, ValueError) as error:
        raise InputError("email", "This is no e-mail address.", "email") from error
    address = str(found.ascii_email or "")
    local, _, domain = address.rpartition("@")
    is_short = len(address) <= MAX_ADDRESS and len(local) <= _MAX_LOCAL
    # A program that decodes words where none may stand (RFC 2047 section 5) would read another mailbox.
    if not is_short or "." not in domain or _ROUTING & set(address) or "=?" in address:
        raise InputError("email", "This is no e-mail address.", "email")
    return address


def identity_of(address: str) -> str:
    """What two spellings of one mailbox have in common: hardly any server tells A from a."""
    return address.strip().lower()


def mailbox_of(address: str) -> str:
    """The mailbox behind tags (``name+tag@``), for limits alone: some servers ignore them, as some ignore dots."""
    local, _, domain = identity_of(address).rpartition("@")
    return f"{local.partition('+')[0].replace('.', '')}@{domain}"


def domain_of(address: str) -> str:
    return address.rpartition("@")[2].lower()


def mask_address(address: str | None) -> str:
    """Enough to recognise a mailbox by, too little to write to it: ``a•••@e•••.vn``; empty for None."""
    if not address:
        return ""
    local, _, domain = address.rpartition("@")
    name, _, ending = domain.rpartition(".")
    return f"{local[:1]}{_MASK}@{name[:1]}{_MASK}.{ending}"
