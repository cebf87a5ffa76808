"""``flask consent verify-proof``: whether a proof of notification is good."""

import json
from typing import IO

import click

from ..core.proof import ProofReport
from ..services.proof import verify_proof
from .group import commands, current_deployment, json_option, one_line
from .log import trusted_keys


@commands.command("verify-proof")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--key", "pem", type=click.File("rb"), help="The public keys you trust (PEM); default: our own."
)
@click.option("--log", type=click.File("rb"), help="A published log to compare the versions with.")
@click.option("--address", metavar="EMAIL", help="Whom it should be about; needs the key that made it.")
@json_option
def check_proof_file(
    file: IO[bytes], pem: IO[bytes] | None, log: IO[bytes] | None, address: str | None, as_json: bool
) -> None:
    """Check a proof of notification, FILE, without database or network."""
    report = verify_proof(
        current_deployment(),
        file.read(),
        trusted=trusted_keys(pem.read()) if pem else None,
        log=log,
        address=address,
    )
    click.echo(json.dumps(_shown(report)) if as_json else _told(report))
    if report.body is None:
        raise SystemExit(1)


def _shown(report: ProofReport) -> dict[str, object]:
    return {
        "ok": report.body is not None,
        "problem": report.problem or None,
        "notes": report.notes,
        "proof": report.body,
    }


def _told(report: ProofReport) -> str:
    if report.body is None:
        return f"wrong: {report.problem}."
    lines = [f"ok: of {report.body['issued_at']}, by {one_line(report.body['issuer']['name'])}."]
    for one in report.body["told"]:
        mail = one["mail"]
        when = f" {mail['settled_at']}" if mail["settled_at"] else ""
        lines.append(
            f"version {one['version']} ({one['kind']}): {mail['state']}{when}, {mail['message_id']}."
        )
    return "\n".join([*lines, *(f"note: {one}." for one in report.notes)])
