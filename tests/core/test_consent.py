"""What a choice means at a moment, and which choice follows from a wish."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from consent_widget.core.category import Register
from consent_widget.core.consent import (
    LIFETIME,
    Action,
    Choice,
    Consent,
    Decision,
    Wish,
    decide,
    decided_under,
    holds,
    most_restrictive,
    nothing_decided,
    withdrawn,
)
from consent_widget.core.errors import InputError, UnknownCategory
from consent_widget.core.notice import ChangeClass, Schedule
from tests.factories import NOW, OPTIONAL, choice, register, schedule, version

GRANTED, DENIED, UNDECIDED = Decision.GRANTED, Decision.DENIED, Decision.UNDECIDED
DAY = timedelta(days=1)


def weigh(given: Choice | None, **circumstances: Any) -> Consent:
    usual: dict[str, Any] = {"register": register(), "schedule": schedule(), "now": NOW}
    return holds(given, **usual | circumstances)


def make_choice(
    wish: Wish, before: Choice | None = None, *, now: datetime = NOW, **circumstances: Any
) -> Choice:
    known: Register = circumstances.pop("register", register())
    versions: Schedule = circumstances.pop("schedule", schedule())
    held = holds(before, register=known, schedule=versions, now=now, **circumstances)
    return decide(wish, before=held, register=known, schedule=versions, now=now, new_id="a-new-identifier")


# What holds


@pytest.mark.parametrize(
    "given, signal, lowered, expected",
    [
        (None, None, (), UNDECIDED),
        (True, None, (), GRANTED),
        (False, None, (), DENIED),
        ("absent", None, (), UNDECIDED),
        # The signal speaks only where the visitor has not spoken on this site.
        (None, "gpc", (), DENIED),
        (True, "gpc", (), GRANTED),
        (False, "gpc", (), DENIED),
        ("absent", "gpc", (), DENIED),
        # The mirror takes away and never gives.
        (None, None, ("analytics",), UNDECIDED),
        (True, None, ("analytics",), DENIED),
        (False, None, ("analytics",), DENIED),
        ("absent", None, ("analytics",), UNDECIDED),
        (True, None, ("marketing", "unknown", ""), GRANTED),
        (True, "gpc", ("analytics",), DENIED),
    ],
)
def test_one_category_in_every_state(
    given: Any, signal: str | None, lowered: tuple[str, ...], expected: Decision
) -> None:
    made = None
    if given is not None:
        made = choice({} if given == "absent" else {"analytics": given})

    consent = weigh(made, register=register("analytics"), signal=signal, lowered=lowered)

    assert consent.decision("analytics") is expected
    assert consent.granted("analytics") is (expected is GRANTED)
    assert consent.asks is (expected is UNDECIDED)


def test_undecided_is_not_denied_and_grants_nothing() -> None:
    consent = nothing_decided(register())

    assert set(consent.decisions.values()) == {UNDECIDED}
    assert not any(consent.granted(name) for name in OPTIONAL)
    assert consent.undecided == OPTIONAL
    assert (consent.decided, consent.asks) == (False, True)


def test_a_necessary_category_is_always_granted() -> None:
    assert nothing_decided(register()).granted("necessary")
    assert weigh(choice(dict.fromkeys(OPTIONAL, False)), signal="gpc").granted("necessary")


def test_an_unknown_category_raises_with_the_known_ones() -> None:
    with pytest.raises(UnknownCategory) as refused:
        weigh(None).granted("analytic")

    assert refused.value.known == ("necessary", *OPTIONAL)


def test_a_choice_that_covers_every_optional_category_has_decided() -> None:
    assert weigh(choice()).decided
    assert weigh(choice(dict.fromkeys(OPTIONAL, False))).decided


def test_the_signal_alone_is_no_choice_of_the_visitors_own() -> None:
    consent = weigh(None, signal="gpc")

    assert (consent.decided, consent.asks, consent.signal) == (False, False, "gpc")


def test_the_mirror_does_not_undo_that_one_has_decided() -> None:
    consent = weigh(choice(), lowered=("analytics",))

    assert consent.decided
    assert not consent.granted("analytics")


@pytest.mark.parametrize(
    "age, stands",
    [
        pytest.param(timedelta(0), True, id="just now"),
        pytest.param(181 * DAY, True, id="day 181"),
        pytest.param(182 * DAY - timedelta(seconds=1), True, id="the last second of day 182"),
        pytest.param(182 * DAY, False, id="182 days"),
        pytest.param(183 * DAY, False, id="day 183"),
    ],
)
@pytest.mark.parametrize("granted", [True, False], ids=["an acceptance", "a refusal"])
def test_a_choice_lasts_182_days_both_ways(age: timedelta, stands: bool, granted: bool) -> None:
    given = choice(dict.fromkeys(OPTIONAL, granted), decided_at=NOW - age)

    consent = weigh(given)

    assert consent.decided is stands
    assert consent.asks is not stands
    assert consent.granted("analytics") is (granted and stands)
    assert timedelta(days=182) == LIFETIME


def test_a_category_the_register_learned_since_is_undecided() -> None:
    consent = weigh(choice(), register=register("analytics", "video"))

    assert consent.decision("video") is UNDECIDED
    assert consent.decision("analytics") is GRANTED
    assert not consent.decided


def test_a_category_the_register_has_forgotten_is_not_counted() -> None:
    consent = weigh(choice(), register=register("marketing"))

    assert dict(consent.decisions) == {"marketing": DENIED}
    assert consent.choice is not None
    assert "analytics" not in consent.choice.decisions


@pytest.mark.parametrize("change_class", list(ChangeClass))
@pytest.mark.parametrize("days_until", [-1, 0, 1], ids=["in force", "in force just now", "to come"])
def test_only_a_material_version_in_force_asks_again_and_only_its_categories(
    change_class: ChangeClass, days_until: int
) -> None:
    second = version(
        2, effective_at=NOW + days_until * DAY, change_class=change_class, ask_again=["analytics"]
    )
    given = choice(dict.fromkeys(OPTIONAL, True), decided_at=NOW - 5 * DAY)

    consent = weigh(given, schedule=schedule(version(1), second))

    asked = change_class is ChangeClass.MATERIAL and days_until <= 0
    assert consent.decision("analytics") is (UNDECIDED if asked else GRANTED)
    assert consent.decision("marketing") is GRANTED
    assert consent.decided is not asked


def test_versions_one_slept_through_ask_for_all_they_name() -> None:
    versions = schedule(
        version(1),
        version(2, effective_at=NOW - 3 * DAY, ask_again=["analytics"]),
        version(3, effective_at=NOW - 2 * DAY, ask_again=["marketing"]),
        version(4, effective_at=NOW - 1 * DAY, change_class=ChangeClass.EDITORIAL),
    )
    everything = dict.fromkeys(OPTIONAL, True)

    assert weigh(choice(everything, notice=1), schedule=versions).undecided == ("analytics", "marketing")
    assert weigh(choice(everything, notice=2), schedule=versions).undecided == ("marketing",)
    assert weigh(choice(everything, notice=3), schedule=versions).undecided == ()


def test_a_refusal_is_asked_again_by_a_material_version_too() -> None:
    versions = schedule(version(1), version(2, effective_at=NOW, ask_again=["analytics"]))

    assert weigh(choice(dict.fromkeys(OPTIONAL, False)), schedule=versions).undecided == ("analytics",)


def test_the_number_in_force_comes_with_the_consent() -> None:
    assert weigh(None).notice == 1
    assert weigh(None, schedule=Schedule()).notice is None


def test_a_choice_needs_a_time_with_a_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Choice(decisions={}, notice=0, decided_at=datetime(2026, 12, 1))  # noqa: DTZ001


# Several cookies of one name


@pytest.mark.parametrize(
    "first, second, expected",
    [
        ({"analytics": True}, {"analytics": True}, {"analytics": True}),
        ({"analytics": True}, {"analytics": False}, {"analytics": False}),
        ({"analytics": False}, {"analytics": True}, {"analytics": False}),
        ({"analytics": True}, {}, {}),
        ({}, {"analytics": True}, {}),
        ({}, {"analytics": False}, {"analytics": False}),
        (
            {"analytics": True, "marketing": False},
            {"analytics": True},
            {"analytics": True, "marketing": False},
        ),
    ],
)
def test_two_cookies_never_grant_more_than_each_of_them(
    first: Mapping[str, bool], second: Mapping[str, bool], expected: Mapping[str, bool]
) -> None:
    older = choice(first, notice=2, decided_at=NOW - DAY, subject="older")
    newer = choice(second, notice=1, decided_at=NOW, subject="newer")

    for given in ([older, newer], [newer, older]):
        found = most_restrictive(given)
        assert found is not None
        assert dict(found.decisions) == expected
        assert (found.subject, found.decided_at, found.notice) == ("older", NOW - DAY, 1)


def test_one_cookie_is_itself_and_none_is_none() -> None:
    only = choice()

    assert most_restrictive([only]) is only
    assert most_restrictive([]) is None


# What follows from a wish


def test_accepting_all_grants_every_optional_category_under_a_new_identifier() -> None:
    made = make_choice(Wish(action=Action.ACCEPT_ALL))

    assert dict(made.decisions) == dict.fromkeys(OPTIONAL, True)
    assert (made.notice, made.decided_at, made.subject) == (1, NOW, "a-new-identifier")


@pytest.mark.parametrize(
    "wish",
    [
        pytest.param(Wish(action=Action.REJECT_ALL), id="reject all"),
        pytest.param(
            Wish(action=Action.REJECT_ALL, categories=frozenset({"analytics"})), id="with boxes ticked"
        ),
        pytest.param(Wish(action=Action.SAVE), id="save nothing"),
        pytest.param(
            Wish(action=Action.SAVE, categories=frozenset({"necessary"})), id="save what is necessary"
        ),
    ],
)
@pytest.mark.parametrize("before", [None, choice()], ids=["first choice", "after an acceptance"])
def test_a_refusal_of_everything_carries_no_identifier(wish: Wish, before: Choice | None) -> None:
    made = make_choice(wish, before)

    assert dict(made.decisions) == dict.fromkeys(OPTIONAL, False)
    assert made.subject is None


def test_saving_grants_what_is_ticked_and_denies_the_rest() -> None:
    made = make_choice(Wish(action=Action.SAVE, categories=frozenset({"marketing", "necessary"})))

    assert dict(made.decisions) == {"preferences": False, "analytics": False, "marketing": True}


def test_a_later_choice_keeps_the_identifier() -> None:
    made = make_choice(Wish(action=Action.ACCEPT_ALL), choice(subject="known"))

    assert made.subject == "known"


def test_add_grants_the_named_and_leaves_the_others_as_they_are() -> None:
    add = Wish(action=Action.ADD, categories=frozenset({"marketing"}))

    assert dict(make_choice(add).decisions) == {"marketing": True}
    assert dict(make_choice(add, choice({"analytics": False})).decisions) == {
        "analytics": False,
        "marketing": True,
    }
    assert dict(make_choice(add, choice()).decisions) == {
        "preferences": False,
        "analytics": True,
        "marketing": True,
    }


def test_add_does_not_prolong_what_was_decided_before() -> None:
    add = Wish(action=Action.ADD, categories=frozenset({"marketing"}))
    before = choice(decided_at=NOW - 100 * DAY, subject="known")

    made = make_choice(add, before)

    assert made.decided_at == NOW - 100 * DAY
    assert made.subject == "known"
    assert not weigh(made, now=NOW + 82 * DAY).decided


def test_add_of_all_that_was_decided_counts_from_now() -> None:
    add = Wish(action=Action.ADD, categories=frozenset({"analytics"}))

    made = make_choice(add, choice({"analytics": False}, decided_at=NOW - 100 * DAY))

    assert (dict(made.decisions), made.decided_at) == ({"analytics": True}, NOW)


def test_save_counts_from_now() -> None:
    made = make_choice(Wish(action=Action.SAVE), choice(decided_at=NOW - 100 * DAY))

    assert made.decided_at == NOW


def test_add_under_a_newer_version_still_asks_again_for_what_it_did_not_name() -> None:
    """Allowing one video must not carry an old consent over a version that asks about it again."""
    versions = schedule(version(1), version(2, effective_at=NOW, ask_again=["analytics"]))
    before = choice({"analytics": True, "marketing": False, "preferences": True}, notice=1)
    add = Wish(action=Action.ADD, categories=frozenset({"marketing"}))

    made = make_choice(add, before, schedule=versions)

    consent = weigh(made, schedule=versions)
    assert consent.decision("analytics") is UNDECIDED
    assert consent.decision("marketing") is GRANTED
    assert consent.decision("preferences") is GRANTED


@pytest.mark.parametrize(
    "notice, expected",
    [(2, 1), (1, 1), (0, 0)],
    ids=["added to under version 2", "decided under version 1", "before the first version"],
)
def test_a_choice_was_made_under_a_version_that_was_there(notice: int, expected: int) -> None:
    versions = schedule(version(1), version(2, effective_at=NOW + DAY))

    assert decided_under(choice(notice=notice, decided_at=NOW), versions) == expected


def test_a_choice_made_before_the_first_version_was_made_under_none() -> None:
    assert decided_under(choice(notice=1), schedule(version(1, effective_at=NOW + DAY))) == 0


def test_add_after_the_choice_ran_out_starts_anew() -> None:
    add = Wish(action=Action.ADD, categories=frozenset({"marketing"}))

    made = make_choice(add, choice(decided_at=NOW - 200 * DAY))

    assert (dict(made.decisions), made.decided_at) == ({"marketing": True}, NOW)


def test_add_does_not_turn_the_signal_into_a_choice() -> None:
    """GPC denies for as long as it is sent; a record of it would outlive it."""
    add = Wish(action=Action.ADD, categories=frozenset({"marketing"}))

    made = make_choice(add, signal="gpc")

    assert dict(made.decisions) == {"marketing": True}


@pytest.mark.parametrize("categories", [[], ["analytic"], ["analytics", ""], ["x" * 5000]])
def test_add_names_at_least_one_category_and_only_known_ones(categories: list[str]) -> None:
    with pytest.raises(InputError) as refused:
        make_choice(Wish(action=Action.ADD, categories=frozenset(categories)))

    assert refused.value.field == "category"
    assert refused.value.code == ("unknown_category" if categories else "missing_category")
    assert len(str(refused.value)) < 100


@pytest.mark.parametrize("action", [Action.SAVE, Action.ACCEPT_ALL, Action.REJECT_ALL])
def test_an_unknown_category_is_refused_with_every_action(action: Action) -> None:
    with pytest.raises(InputError) as refused:
        make_choice(Wish(action=action, categories=frozenset({"analytic"})))

    assert (refused.value.code, refused.value.field) == ("unknown_category", "category")


@pytest.mark.parametrize("shown, kept", [(None, 2), (2, 2), (1, 1)])
def test_the_version_the_form_showed_is_the_one_agreed_to(shown: int | None, kept: int) -> None:
    versions = schedule(version(1), version(2, effective_at=NOW), version(3, effective_at=NOW + DAY))

    made = make_choice(Wish(action=Action.ACCEPT_ALL, notice=shown), schedule=versions)

    assert made.notice == kept


def test_agreeing_to_a_version_that_was_replaced_meanwhile_asks_again() -> None:
    versions = schedule(version(1), version(2, effective_at=NOW, ask_again=["analytics"]))

    made = make_choice(Wish(action=Action.ACCEPT_ALL, notice=1), schedule=versions)

    assert weigh(made, schedule=versions).undecided == ("analytics",)


@pytest.mark.parametrize("shown", [3, 0, -1, 99])
def test_a_version_that_was_never_in_force_is_refused(shown: int) -> None:
    versions = schedule(version(1), version(2, effective_at=NOW), version(3, effective_at=NOW + DAY))

    with pytest.raises(InputError) as refused:
        make_choice(Wish(action=Action.ACCEPT_ALL, notice=shown), schedule=versions)

    assert (refused.value.code, refused.value.field) == ("unknown_notice", "notice")


def test_a_choice_before_the_first_notice_is_made_under_version_zero() -> None:
    assert make_choice(Wish(action=Action.ACCEPT_ALL), schedule=Schedule()).notice == 0


def test_a_choice_is_never_dated_in_the_future() -> None:
    add = Wish(action=Action.ADD, categories=frozenset({"marketing"}))

    made = make_choice(add, choice(decided_at=NOW + DAY))

    assert made.decided_at == NOW


@pytest.mark.parametrize(
    "before, after, expected",
    [
        (None, {"analytics": False}, set()),
        ({"analytics": True}, {"analytics": False}, {"analytics"}),
        ({"analytics": True}, {"analytics": True}, set()),
        ({"analytics": True}, {}, {"analytics"}),
        ({"analytics": False}, {"analytics": True}, set()),
        ({"analytics": True, "marketing": True}, {"analytics": True}, {"marketing"}),
    ],
)
def test_withdrawn_is_what_was_granted_and_is_no_longer(
    before: Mapping[str, bool] | None, after: Mapping[str, bool], expected: set[str]
) -> None:
    assert withdrawn(choice(before) if before is not None else None, choice(after)) == expected
