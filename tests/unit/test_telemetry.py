"""Facts and their subscribers."""

from dataclasses import dataclass

import pytest

from notifier.telemetry import Fact, Telemetry, crashed


@dataclass(frozen=True, slots=True)
class Seen(Fact):
    """A fact to report."""

    name = "thing.seen"
    text: str


def test_every_subscriber_gets_every_fact_in_order() -> None:
    """Subscribers are called in the order they came."""
    told: list[tuple[str, Fact]] = []
    telemetry = Telemetry(lambda fact: told.append(("first", fact)), lambda fact: told.append(("second", fact)))
    telemetry(Seen("x"))
    assert told == [("first", Seen("x")), ("second", Seen("x"))]


def test_crashed_names_the_innermost_error() -> None:
    """Groups of one, as task groups make them, are looked through; the traceback is whole."""
    try:
        try:
            raise ValueError("deep")
        except ValueError as error:
            raise ExceptionGroup("outer", [ExceptionGroup("inner", [error])]) from None
    except ExceptionGroup as group:
        fact = crashed(group)
    assert fact.error == "ValueError: deep"
    assert "ExceptionGroup: outer" in fact.traceback
    assert "raise ValueError" in fact.traceback
    assert (fact.name, fact.level) == ("daemon.crashed", "critical")


def test_crashed_keeps_a_group_of_many() -> None:
    """Several errors at once are told as the group they are."""
    assert (
        crashed(ExceptionGroup("both", [ValueError("a"), KeyError("b")])).error
        == "ExceptionGroup: both (2 sub-exceptions)"
    )


def test_crashed_survives_an_error_that_can_not_be_printed() -> None:
    """Telling of a crash never crashes."""

    class BrokenError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert crashed(BrokenError()).error == "BrokenError: <BrokenError that can't be printed>"


def test_facts_are_frozen() -> None:
    """Nobody changes what another reads."""
    with pytest.raises(AttributeError):
        Seen("x").text = "y"  # type: ignore[misc]  # what must not work
