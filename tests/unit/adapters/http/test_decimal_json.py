import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.http.wire import MAX_DEPTH, Json, dumps, loads, plain


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-10_000, max_value=10_000))
def test_every_score_survives_the_wire(score: Decimal) -> None:
    """Whatever number is written, exactly it is read."""
    assert loads(dumps({"scorepoints": score})) == {"scorepoints": score}


@pytest.mark.parametrize(
    ("number", "written"),
    [("10.5", "10.5"), ("10.50", "10.5"), ("100", "100"), ("0.1", "0.1"), ("1E+2", "100"), ("0.000001", "0.000001")],
)
def test_numbers_are_written_plainly(number: str, written: str) -> None:
    """Neither exponents nor trailing zeros nor the noise of floats."""
    assert plain(Decimal(number)) == dumps(Decimal(number)) == written


NOT_DECIMAL = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(NOT_DECIMAL)
def test_everything_else_is_written_as_the_standard_library_writes_it(value: Json) -> None:
    """Text, whole numbers, flags, nothing, lists and objects, however deep."""
    assert dumps(value) == json.dumps(value, separators=(",", ":"))


def test_fractions_are_not_read_as_floats() -> None:
    """33.33 is 33.33."""
    assert loads('{"score": 33.33, "points": 5}') == {"score": Decimal("33.33"), "points": 5}


def test_what_is_no_json_is_refused() -> None:
    """NaN is no number that a gradebook could hold."""
    with pytest.raises(ValueError, match="NaN"):
        loads('{"score": NaN}')


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf"], ids=["read fast", "read by the standard library"])
@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 1_000, 5_000, 200_000])
def test_what_nests_too_deeply_is_refused(before: bytes, depth: int) -> None:
    """Every interpreter refuses the same, whatever its recursion limit."""
    with pytest.raises(ValueError, match="nested too deeply"):
        loads(before + b'{"a":[' * (depth // 2) + b"[" * (depth % 2) + b"]" * (depth % 2) + b"]}" * (depth // 2))


def test_what_may_be_read_may_be_written() -> None:
    """The deepest value that is read is within the recursion limit of what caches it."""
    deepest = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert dumps(loads(deepest)) == deepest


@pytest.mark.parametrize(
    "text", [b'\xef\xbb\xbf{"a": 1.10}', '{"a": 1.10, "b": "\\ud83d"}'], ids=["byte order mark", "half"]
)
def test_what_only_the_standard_library_reads_is_read(text: str | bytes) -> None:
    """A byte order mark, or half of a surrogate pair in a teacher's text, spoils no answer."""
    value = loads(text)
    assert isinstance(value, dict)
    assert value["a"] == Decimal("1.1")


@pytest.mark.parametrize(
    "number",
    ["1e999999999999999999999", "1e999999", "-1E-9999999", "1" * 5000, "0." + "1" * 500, "9" * 10**6],
)
def test_a_number_beyond_all_bounds_is_none_and_takes_nothing_with_it(number: str) -> None:
    """It is NaN, which no field takes; what stands beside it is read; written again it is null, not a gigabyte."""
    read = loads(f'[{{"id": 7, "points": {number}}}, 10.50]')
    assert isinstance(read, list)
    odd, fine = read
    assert fine == Decimal("10.50")
    assert isinstance(odd, dict)
    assert (odd["id"], str(odd["points"])) == (7, "NaN")
    assert len(dumps(read)) < 100
