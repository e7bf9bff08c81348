"""Takeovers in Redis: links change in one step while no sync runs, and PowerSchool's answers are kept."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import redis

from shared.adapters.redis.course_data.links import Links
from shared.adapters.redis.course_data.takeovers import TakeoverResponse, Takeovers
from shared.adapters.redis.keys import Keys
from shared.domain.passback.planning.links import Link, Takeover
from shared.domain.passback.powerschool import AssignmentKey
from shared.errors import CourseBusy

NOON = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)
KEY = AssignmentKey("7", 4711)
LINK = Link("7", 4711, "Lab 1", date(2031, 3, 4), 5, 6, taken_over=Takeover("501"))
ACCEPTED = TakeoverResponse(NOON, "101", *KEY, "501")
REFUSED = replace(ACCEPTED, cause="powerschool_403", error_text="no")


@pytest.fixture
def takeovers(client: redis.Redis, keys: Keys) -> Takeovers:
    return Takeovers(client, keys)


def test_links_are_made_and_deleted(client: redis.Redis, keys: Keys, takeovers: Takeovers) -> None:
    """In one step, from the links as they are then; others stay."""
    other = replace(LINK, assignment_id="8")
    links = Links(client, keys)
    links.save("101", other)
    assert takeovers.change_links("101", lambda now: {KEY: LINK} if KEY not in now else {}) == {KEY: LINK}
    assert links.of_course("101") == {KEY: LINK, other.key: other}
    assert takeovers.change_links("101", lambda now: {KEY: LINK} if KEY not in now else {}) == {}
    takeovers.change_links("101", dict.fromkeys)
    assert links.of_course("101") == {}


def test_nothing_changes_while_a_sync_runs(client: redis.Redis, keys: Keys, takeovers: Takeovers) -> None:
    """It has read the links."""
    client.hset(keys.taken("101"), "token", 1)
    with pytest.raises(CourseBusy):
        takeovers.change_links("101", lambda _: {KEY: LINK})
    assert Links(client, keys).of_course("101") == {}


@pytest.mark.parametrize("begins", ["sync", "link"])
def test_what_happens_in_between_is_noticed(client: redis.Redis, keys: Keys, takeovers: Takeovers, begins: str) -> None:
    """A sync that begins, or a link that changes, between the look and the step: the step is not taken."""
    looks: list[Mapping[AssignmentKey, Link]] = []

    def decide(now: Mapping[AssignmentKey, Link]) -> Mapping[AssignmentKey, Link | None]:
        looks.append(now)
        if len(looks) == 1 and begins == "sync":
            client.hset(keys.taken("101"), "token", 1)
        elif len(looks) == 1:
            Links(client, keys).save("101", replace(LINK, taken_over=None))
        return {} if KEY in now else {KEY: LINK}

    if begins == "sync":
        with pytest.raises(CourseBusy):
            takeovers.change_links("101", decide)
        assert Links(client, keys).of_course("101") == {}
    else:
        assert takeovers.change_links("101", decide) == {}
        assert len(looks) == 2
        assert Links(client, keys).of_course("101")[KEY].taken_over is None


def test_the_newest_answer_of_each_maker_is_kept(takeovers: Takeovers) -> None:
    """A teacher is a maker without a name."""
    takeovers.record_response(REFUSED)
    takeovers.record_response(replace(ACCEPTED, made_by=""))
    assert {maker: answer.is_refusal for maker, answer in takeovers.responses().items()} == {"501": True, "": False}


def test_a_refusal_is_over_with_a_new_link_or_an_accepted_change(takeovers: Takeovers) -> None:
    """Until then it stands, in its own course alone."""
    takeovers.record_response(REFUSED)
    assert takeovers.refusals("101") == {KEY: REFUSED}
    assert takeovers.refusals("102") == {}
    takeovers.record_response(replace(ACCEPTED, at=NOON + timedelta(seconds=1), course_id="102"))
    assert takeovers.refusals("101") == {}
    takeovers.record_response(replace(REFUSED, at=NOON + timedelta(seconds=2)))
    assert len(takeovers.refusals("101")) == 1
    takeovers.change_links("101", lambda _: {KEY: LINK})
    assert takeovers.refusals("101") == {}
