"""What PowerSchool makes of what it is sent."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.passback.planning.diff import (
    CLEARED,
    echoes_after_read,
    echoes_after_write,
    is_echo,
    is_repeated,
    score_code,
    score_digest,
    scores_to_write,
    stored_differently,
)
from shared.domain.passback.planning.links import Echo, Link
from shared.domain.passback.planning.plan import UpdateLinkStep, WriteScoresStep, make_plan
from shared.domain.passback.powerschool import AssignmentKey, Score
from shared.domain.passback.rules.reasons import Finding, Reason
from tests.unit.domain.passback.baseline import MARKS, actual, desired, linked


def _with(link: Link, echoes: dict[str, Echo]) -> Link:
    return replace(link, echoes=echoes)


SCORE = Score(Decimal("7.333333"))
SENT = Echo(score_digest(SCORE))


@pytest.mark.parametrize(
    ("stored", "weight", "echo"),
    [
        (Score(Decimal("7.33")), None, True),
        (Score(Decimal(7)), None, True),
        (Score(Decimal(8)), None, True),
        (Score(Decimal("14.666666")), Decimal(2), True),
        (Score(Decimal("7.43")), None, False),
        (Score(Decimal(6)), None, False),
        (Score(Decimal("7.333334")), None, False),
        (Score(Decimal("14.666666")), Decimal(1), False),
        (Score(Decimal("7.33"), missing=True), None, False),
        (Score(Decimal("7.33"), is_code=True), None, False),
        (Score(None), None, False),
        (None, None, False),
    ],
)
def test_at_first_sight(stored: Score | None, weight: Decimal | None, echo: bool) -> None:
    """What may be a rounding or a weighting is PowerSchool's; anything else may be a person's."""
    assert is_echo(SENT, SCORE, stored, weight) is echo


def test_only_of_what_was_sent() -> None:
    """A score that changed in Canvas since is no echo, however near the old one is."""
    assert not is_echo(SENT, Score(Decimal("7.4")), Score(Decimal(7)), None)
    assert not is_echo(None, SCORE, Score(Decimal(7)), None)


@pytest.mark.parametrize("score", [Score(Decimal("7.33")), Score(Decimal("-0.5"), missing=True)])
def test_a_code_stands_for_a_digest(score: Score) -> None:
    """Until the look after the write, two characters are enough; an earlier version's digest is known as well."""
    (link,) = linked((desired(), actual())).values()
    link = _with(link, dict(echoes_after_write(link, {501: score})))
    rounded = Score(score.points.quantize(Decimal(1)), missing=score.missing)
    assert len(link.echoes["501"].sent) == 2
    for echo in (link.echoes["501"], Echo(score_digest(score))):
        assert is_echo(echo, score, rounded, None)
        assert is_repeated(_with(link, {"501": echo}), 501, score)
    assert not is_repeated(link, 501, Score(score.points, score.missing, exempt=True))


def test_more_decimals_than_a_code_can_say() -> None:
    """Such a score is remembered by its digest."""
    assert score_code(SCORE) == SENT.sent


@given(st.decimals(-200, 200, places=2), st.decimals(-3, 3, places=2), st.booleans(), st.booleans())
def test_no_code_for_two_scores_near_each_other(points: Decimal, more: Decimal, missing: bool, exempt: bool) -> None:
    """What PowerSchool rounds is less than a point away; flags count too."""
    code = score_code(Score(points, missing, exempt))
    assert (score_code(Score(points + more, missing, exempt)) == code) == (not more)
    assert score_code(Score(points, not missing, exempt)) != code
    assert score_code(Score(points, missing, not exempt)) != code
    assert code[0].isalpha()


def test_a_code_never_outlives_the_look() -> None:
    """What is remembered for good is remembered as a digest: 7.97 points more would have the same code."""
    wanted, there = desired(students={501: "12"}), actual(scores={501: Score(Decimal(10))})
    (link,) = linked((wanted, there)).values()
    known = echoes_after_read(
        wanted, there, _with(link, dict(echoes_after_write(link, wanted.scores))), after_write=True
    )
    assert known["501"].sent == score_digest(wanted.scores[501])
    assert len(scores_to_write(desired(students={501: "19.97"}), there, known)) == 1


def test_what_is_known_need_not_be_plausible() -> None:
    """Once PowerSchool was looked at right after the write, its value is known, and no other is."""
    wanted, there = desired(students={501: "12"}), actual(scores={501: Score(Decimal(10))})
    (link,) = linked((wanted, there)).values()
    written = echoes_after_read(
        wanted, there, _with(link, {"501": Echo(score_digest(wanted.scores[501]))}), after_write=True
    )
    assert scores_to_write(wanted, there, written) == {}
    assert len(scores_to_write(wanted, actual(scores={501: Score(Decimal(9))}), written)) == 1


def test_what_agrees_is_forgotten() -> None:
    """The memory holds differences alone, so that it stays small."""
    wanted, there = desired(), actual()
    links = {k: _with(link, {"501": Echo("ab"), "name": Echo("a", "b")}) for k, link in linked((wanted, there)).items()}
    assert make_plan([wanted], [there], links, MARKS).steps == (
        UpdateLinkStep(AssignmentKey("11", 4001), frozenset(), {}),
    )


def test_scores_that_were_not_read_are_left_alone() -> None:
    """A grade elsewhere in the course is no reason to forget what is remembered of these."""
    wanted, there = desired(students={}), actual(scores={})
    echoes = {"501": Echo("ab", "cd"), "502": Echo(CLEARED)}
    links = {k: _with(link, echoes) for k, link in linked((wanted, there)).items()}
    assert not make_plan([wanted], [there], links, MARKS).steps


def test_one_finding() -> None:
    """Of all fields and scores together; what waits for a look is none, nor is what was emptied."""
    echoes = {"501": Echo("a", "b"), "502": Echo("a", "b"), "503": Echo("a"), "504": Echo(CLEARED, "b")}
    assert list(stored_differently({**echoes, "name": Echo("a", "b"), "scores_published": Echo("a", "b")})) == [
        Finding(Reason.STORED_DIFFERENTLY, "name, scores published, 2 scores")
    ]
    assert list(stored_differently({"503": Echo("a")})) == []


@given(st.decimals(0, 100, places=6), st.integers(0, 5), st.decimals(0, 100, places=6))
def test_a_new_score_always_goes(old: Decimal, places: int, new: Decimal) -> None:
    """Whatever PowerSchool rounded the old one to."""
    rounded = old.quantize(Decimal(1).scaleb(-places))
    wanted, there = desired(students={501: str(new)}), actual(scores={501: Score(rounded)})
    echoes = {"501": Echo(score_digest(Score(old)))}
    links = {k: _with(link, echoes) for k, link in linked((wanted, there)).items()}
    writes = [step for step in make_plan([wanted], [there], links, MARKS).steps if isinstance(step, WriteScoresStep)]
    assert bool(writes) == (new not in (old, rounded))
