"""Tables of states: what is not in them is refused, in words that name what it was."""

from collections.abc import Mapping
from enum import StrEnum

import pytest

from consent_widget.core import campaign, delivery, subscription, workflow
from consent_widget.core.errors import Conflict
from consent_widget.core.transition import follow

_ROOMS = {
    "A campaign": (campaign.State, campaign.Event, campaign.advance),
    "A delivery": (delivery.State, delivery.Event, delivery.advance),
    "A subscription": (subscription.State, subscription.Event, subscription.advance),
    "A version": (workflow.State, workflow.Event, workflow.advance),
}


class _Light(StrEnum):
    RED = "red"
    GREEN = "green"


class _Turn(StrEnum):
    GO = "go"
    STOP = "stop"


_TABLE: Mapping[_Light, Mapping[_Turn, _Light]] = {_Light.RED: {_Turn.GO: _Light.GREEN}}


def test_an_event_leads_where_the_table_says() -> None:
    assert follow(_TABLE, _Light.RED, _Turn.GO, of="a light") is _Light.GREEN


@pytest.mark.parametrize("state, event", [(_Light.RED, _Turn.STOP), (_Light.GREEN, _Turn.GO)])
def test_what_is_not_in_the_table_is_refused(state: _Light, event: _Turn) -> None:
    with pytest.raises(Conflict, match=f"^A light that is {state} cannot be changed by {event}") as refused:
        follow(_TABLE, state, event, of="a light")

    assert refused.value.code == "wrong_state"


@pytest.mark.parametrize("name", _ROOMS)
def test_every_pair_leads_somewhere_or_is_refused_by_its_name(name: str) -> None:
    states, events, advance = _ROOMS[name]
    led, refused = set(), []
    for state in states:
        for event in events:
            try:
                led.add(advance(state, event))  # type: ignore[operator]
            except Conflict as error:
                refused.append((str(error), f"{name} that is {state} cannot be changed by {event}"))

    assert led <= {*states, None}
    assert refused
    assert all(told.startswith(words) for told, words in refused)
