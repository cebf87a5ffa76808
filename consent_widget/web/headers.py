"""The headers that every answer of ours leaves with unless something else set them."""

from collections.abc import Mapping

#: By lower-case name, each with its name as it is sent.
Defaults = Mapping[str, tuple[str, str]]

#: No script but our own built files, no frame around us (ASVS 3.4.3 to 3.4.6).
_POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self'; require-trusted-types-for 'script'"
)
#: Where our pages stand in the host's layout, its scripts and styles must run.
_POLICY_IN_HOST_LAYOUT = "object-src 'none'; base-uri 'none'; frame-ancestors 'self'"


def default_headers(*, own_layout: bool) -> Defaults:
    """What the gate adds to our answers where the host said nothing else."""
    return by_name(
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "strict-origin-when-cross-origin"),
        ("X-Frame-Options", "SAMEORIGIN"),
        ("Content-Security-Policy", _POLICY if own_layout else _POLICY_IN_HOST_LAYOUT),
    )


def by_name(*headers: tuple[str, str]) -> Defaults:
    return {name.lower(): (name, value) for name, value in headers}
