"""Whose fault a refusal is, read from a server's own words."""

import pytest

from consent_widget.core.reply import (
    CONNECTION,
    TIMEOUT,
    Outcome,
    Reply,
    Stage,
    lost,
    one_line,
    read_reply,
)


def flags(reply: Reply) -> set[str]:
    names = ("slows_domain", "suppresses", "pauses", "is_ours", "concerns_all", "refuses_content")
    return {name for name in names if getattr(reply, name)}


@pytest.mark.parametrize(
    "stage, number, words, outcome, code, expected",
    [
        (Stage.CONNECT, 421, "4.3.2 Closing", "certain_failure", "4.3.2", "slows_domain is_ours concerns_all"),
        (Stage.CONNECT, 554, "No", "certain_failure", "554", "pauses is_ours concerns_all"),
        (Stage.CONNECT, 554, "5.7.1 You are blocked", "certain_failure", "5.7.1", "pauses is_ours concerns_all"),
        (Stage.MAIL, 451, "4.3.0 Later", "temporary", "4.3.0", "is_ours concerns_all"),
        (Stage.MAIL, 421, "4.7.0 Slowly", "temporary", "4.7.0", "slows_domain is_ours concerns_all"),
        (Stage.MAIL, 550, "5.1.0 Sender unknown", "permanent", "5.1.0", "pauses is_ours concerns_all"),
        (Stage.MAIL, 530, "5.7.0 Sign in first", "permanent", "5.7.0", "pauses is_ours concerns_all"),
        (Stage.MAIL, 552, "5.3.4 Too big", "permanent", "5.3.4", "pauses is_ours concerns_all"),
        (Stage.RCPT, 450, "4.2.1 Busy", "temporary", "4.2.1", ""),
        (Stage.RCPT, 451, "Greylisted", "temporary", "451", ""),
        (Stage.RCPT, 452, "4.2.2 Full", "temporary", "4.2.2", ""),
        (Stage.RCPT, 421, "Too many", "temporary", "421", "slows_domain"),
        (Stage.RCPT, 454, "4.7.1 Not now", "temporary", "4.7.1", "slows_domain"),
        (Stage.RCPT, 454, "Not now", "temporary", "454", "slows_domain"),
        (Stage.RCPT, 450, "4.7.25 No reverse name", "temporary", "4.7.25", "slows_domain"),
        (Stage.RCPT, 550, "5.1.1 No such mailbox", "permanent", "5.1.1", "suppresses"),
        (Stage.RCPT, 550, "5.1.10 Null MX", "permanent", "5.1.10", "suppresses"),
        (Stage.RCPT, 553, "5.1.3 Bad syntax", "permanent", "5.1.3", "suppresses"),
        # Without an enhanced code it may be a matter of policy (RFC 5321 section 4.2.2).
        (Stage.RCPT, 550, "No such user", "permanent", "550", ""),
        (Stage.RCPT, 552, "5.2.2 Full", "permanent", "5.2.2", ""),
        (Stage.RCPT, 550, "5.7.1 Rejected by policy", "permanent", "5.7.1", "pauses is_ours concerns_all"),
        # Postfix says at the recipient what it has against the sender.
        (Stage.RCPT, 550, "5.1.8 Sender's domain", "permanent", "5.1.8", "pauses is_ours concerns_all"),
        (Stage.RCPT, 553, "5.1.7 Sender's syntax", "permanent", "5.1.7", "pauses is_ours concerns_all"),
        (Stage.DATA, 554, "5.5.1 No recipients", "permanent", "5.5.1", "refuses_content"),
        (Stage.DOT, 250, "2.0.0 Queued", "accepted", "2.0.0", ""),
        (Stage.DOT, 250, "Ok", "accepted", "250", ""),
        (Stage.DOT, 451, "4.3.0 Later", "temporary", "4.3.0", ""),
        (Stage.DOT, 421, "4.3.2 Closing", "temporary", "4.3.2", "slows_domain"),
        (Stage.DOT, 554, "5.6.0 Bad content", "permanent", "5.6.0", "refuses_content"),
        (Stage.DOT, 552, "Too much", "permanent", "552", "refuses_content"),
        (Stage.DOT, 550, "5.1.1 No such mailbox", "permanent", "5.1.1", "suppresses"),
        (Stage.DOT, 554, "5.7.1 Spam", "permanent", "5.7.1", "pauses is_ours concerns_all refuses_content"),
        (Stage.DOT, 250, "5.1.1 Contradiction", "accepted", "250", ""),
        (Stage.RCPT, 450, "5.1.1 Contradiction", "temporary", "450", ""),
    ],
)  # fmt: skip
def test_a_reply_blames_whom_it_is_about(
    stage: Stage, number: int, words: str, outcome: str, code: str, expected: str
) -> None:
    reply = read_reply(number, words, stage=stage)

    assert (reply.outcome, reply.code, reply.number, reply.stage) == (outcome, code, number, stage)
    assert flags(reply) == set(expected.split())


@pytest.mark.parametrize("number", [-1, 0, 2, 25, 199, 300, 354, 600, 999])
@pytest.mark.parametrize("stage", list(Stage))
def test_what_no_server_may_say_is_unknown_after_the_dot_alone(stage: Stage, number: int) -> None:
    reply = read_reply(number, "What?", stage=stage)

    assert reply.outcome is (Outcome.UNKNOWN if stage is Stage.DOT else Outcome.CERTAIN_FAILURE)
    assert not reply.suppresses
    assert not reply.pauses


@pytest.mark.parametrize("stage", [Stage.CONNECT, Stage.MAIL, Stage.RCPT, Stage.DATA])
def test_a_success_before_the_dot_is_no_acceptance(stage: Stage) -> None:
    assert read_reply(250, "Ok", stage=stage).outcome is Outcome.CERTAIN_FAILURE


@pytest.mark.parametrize("code", [CONNECTION, TIMEOUT])
@pytest.mark.parametrize("stage", list(Stage))
def test_a_lost_connection_never_blames_the_address(stage: Stage, code: str) -> None:
    reply = lost(code, "gone", stage=stage)

    assert reply.outcome is (Outcome.UNKNOWN if stage is Stage.DOT else Outcome.CERTAIN_FAILURE)
    assert reply.is_ours
    assert not reply.suppresses
    assert not reply.slows_domain
    assert not reply.pauses


@pytest.mark.parametrize(
    "words, expected",
    [
        ("5.1.1 <alice@good.example>: unknown", "5.1.1 [address] unknown"),
        ("Mailbox Alice is full", "Mailbox [address] is full"),
        ("alice-smith and malice stay", "[address]-smith and malice stay"),
        ("SRS0=x=y=good.example=alice@relay.example refused", "[address] refused"),
        (
            "Blocked for <https://www.demo.example/privacy/unsubscribe/u1.AbC-d_9>, see http://x.example?a=b.",
            "Blocked for <https://www.demo.example/[path] see http://x.example/[path]",
        ),
        ("Blocked for www.demo.example/privacy/confirm/AbC.", "Blocked for www.demo.example/[path]"),
        ("HTTPS://demo.example:8443/#AbC", "HTTPS://demo.example:8443/[path]"),
        ("see https://x.example for 5.7.1 and/or TLS", "see https://x.example for 5.7.1 and/or TLS"),
        ("a" + ".a" * 100_000, "a" + ".a" * 99 + "."),
        ("one\r\n\ttwo\x1b[31m\x00three", "one two [31m three"),
        ("x" * 500, "x" * 200),
        ("x" * 200_000, "x" * 200),
        ("a/" * 100_000, "a/" * 100),
    ],
)
def test_words_for_staff_are_one_short_line_without_addresses(words: str, expected: str) -> None:
    assert one_line(words, "alice@good.example") == expected
