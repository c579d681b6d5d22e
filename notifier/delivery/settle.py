"""What a verdict makes of a delivery: the row it becomes, the attempt's row, and what else must be told. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from notifier import operator_events
from notifier.delivery.verdict import Dead, Delivered, DisableCallback, Hold, PauseCallback, RetryAt, Verdict
from notifier.http import Failure, Response
from notifier.model import Attempt, Claim, Delivery, DeliveryState, Event, NewDelivery, check_transition
from notifier.store.contract import Disabling, Settlement, Telling

Owe = Callable[[Event, tuple[str, ...] | None], Sequence[NewDelivery]]


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt that is over."""

    claim: Claim
    exchange: Response | Failure
    answer: str  # what is kept of it, redacted
    started_at: float
    finished_at: float


def settlement(tried: Tried, verdict: Verdict, event: Event | None, owe: Owe) -> Settlement:
    """Give everything that is recorded after an attempt, in one piece.

    :param event: what was told, read only when the delivery died.
    :param owe: gives the deliveries that an operator event owes.
    """

    def tell(each: Event) -> Telling:
        return Telling(each, owe(each, None))

    after = _delivery_after(tried, verdict)
    check_transition(tried.claim.delivery.state, after.state) if after.state is not DeliveryState.PENDING else None
    return Settlement(
        delivery=after,
        attempt=_attempt(tried, after),
        pause_until=verdict.until if isinstance(verdict, PauseCallback) else None,
        disabling=_disabling(tried, verdict, tell),
        tellings=[tell(each) for each in _operator_events(tried, verdict, event)],
    )


def dies(verdict: Verdict) -> bool:
    """Tell whether a delivery is given up by this verdict."""
    return isinstance(verdict, Dead | DisableCallback)


def _delivery_after(tried: Tried, verdict: Verdict) -> Delivery:
    before = tried.claim.delivery
    failures = before.failures + 1
    match verdict:
        case Delivered():
            return replace(before, state=DeliveryState.DELIVERED, reason=None, delivered_at=tried.finished_at)
        case RetryAt():
            return replace(
                before,
                next_attempt_at=verdict.at,
                failures=failures if verdict.charged else before.failures,
                plain=verdict.plain or before.plain,
                reason=verdict.reason,
            )
        case PauseCallback():
            return replace(before, next_attempt_at=verdict.until, reason=verdict.reason)
        case Dead() | DisableCallback():
            return replace(before, state=DeliveryState.DEAD, failures=failures, reason=verdict.reason)
        case Hold():
            return replace(before, state=DeliveryState.HELD, failures=failures, reason=f"unknown: {verdict.reason}")


def _attempt(tried: Tried, after: Delivery) -> Attempt:
    accepted = after.state is DeliveryState.DELIVERED
    if isinstance(tried.exchange, Failure):
        reach, reason, status = str(tried.exchange.reach), tried.exchange.reason, None
    else:
        status = tried.exchange.status
        reach, reason = ("accepted", "delivered") if accepted else ("rejected", f"status_{status}")
    return Attempt(
        delivery_id=tried.claim.delivery.delivery_id,
        number=tried.claim.number,
        started_at=tried.started_at,
        finished_at=tried.finished_at,
        reach=reach,
        reason=reason if status is None or accepted or after.reason is None else _worded(reason, after.reason),
        status_code=status,
        answer=tried.answer,
    )


def _worded(by_status: str, by_verdict: str) -> str:
    """Prefer the format's word for a refusal (``invalid_blocks``) over its status, but not the name of a ruling."""
    return by_status if by_verdict in {"rejected", "exhausted", "gone"} else by_verdict


def _disabling(tried: Tried, verdict: Verdict, tell: Callable[[Event], Telling]) -> Disabling | None:
    if not isinstance(verdict, DisableCallback):
        return None
    callback, reason, now = tried.claim.delivery.callback, verdict.reason, tried.finished_at
    return Disabling(
        reason, lambda buried: tell(operator_events.callback_disabled(callback, reason, now, buried=buried))
    )


def _operator_events(tried: Tried, verdict: Verdict, event: Event | None) -> list[Event]:
    """Tell of a death; that of a callback, which stands for those it takes along, is told by ``_disabling``."""
    before, now = tried.claim.delivery, tried.finished_at
    if isinstance(verdict, Dead | DisableCallback) and event is not None:
        return [operator_events.delivery_dead(before, event, verdict.reason, tried.claim.number, now)]
    return []
