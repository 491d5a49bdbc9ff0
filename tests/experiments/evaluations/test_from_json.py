"""Results that are read are what they are taken for, or refused with the place of the fault."""

import dataclasses
from typing import Any

import pytest

from experiments.errors import EvaluationError
from experiments.evaluations.from_json import restore


@dataclasses.dataclass(frozen=True)
class Inner:
    ratio: float | None
    names: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Outer:
    count: int
    inner: Inner
    shares: dict[str, float]
    pair: tuple[float, float]
    more: dict[str, Any]
    finished: bool = True


GOOD = {
    "count": 3,
    "inner": {"ratio": None, "names": ["a", "b"]},
    "shares": {"x": 0.5, "y": 1},
    "pair": [0.25, 0.5],
    "more": {"anything": [1, None]},
}


def test_an_object_is_what_json_held_of_it():
    expected = Outer(3, Inner(None, ("a", "b")), {"x": 0.5, "y": 1}, (0.25, 0.5), GOOD["more"])
    assert restore(Outer, GOOD | {"unknown": 1}, "file") == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": "3"}, r"file\.count: must be of type int\. Received: '3'"),
        ({"count": True}, r"file\.count: must be of type int"),
        ({"count": 3.5}, r"file\.count: must be of type int"),
        ({"inner": []}, r"file\.inner: must be of type dict\. Received: \[\]"),
        ({"inner": {"names": []}}, r"file\.inner: lacks 'ratio'"),
        ({"inner": {"ratio": "x"}}, r"file\.inner\.ratio: must be of type float or NoneType"),
        ({"inner": {"ratio": 1.0, "names": "ab"}}, r"file\.inner\.names: must be of type tuple"),
        (
            {"inner": {"ratio": 1.0, "names": ["a", 1]}},
            r"file\.inner\.names\[1\]: must be of type str",
        ),
        ({"shares": {"x": None}}, r"file\.shares\.x: must be of type float"),
        (
            {"shares": {"x": float("nan")}},
            r"file\.shares\.x: must be of type float\. Received: nan",
        ),
        ({"shares": [0.5]}, r"file\.shares: must be of type dict"),
        ({"pair": [0.5]}, r"file\.pair: must hold 2 values\. Received: 1"),
        ({"finished": 1}, r"file\.finished: must be of type bool"),
    ],
)
def test_a_wrong_part_is_named(change, message):
    with pytest.raises(EvaluationError, match=message):
        restore(Outer, GOOD | change, "file")


def test_a_value_that_the_class_refuses_is_named():
    @dataclasses.dataclass
    class Positive:
        n: int

        def __post_init__(self):
            if self.n < 1:
                raise ValueError("`n` must be positive")

    with pytest.raises(EvaluationError, match=r"file\[1\]: `n` must be positive"):
        restore(tuple[Positive, ...], [{"n": 1}, {"n": 0}], "file")
