"""``notifier simulate``: a HubSpot to try things with, and a receiver that verifies."""

import base64
import contextlib
import errno
import json
import os
import re
import secrets
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from notifier.errors import NotifierError

if TYPE_CHECKING:
    from notifier.model import RateLimit
    from notifier.simulator.hubspot import Served, SimulatedHubSpot
    from notifier.simulator.receiver import Arrival, Receiver

_EPILOG = """\b
A task's id can be a script; any other id is a task that begins when first asked for:
  ok-5s  complete-5s-spring           COMPLETE after 5 s
  errors-8s                           COMPLETE with errors
  canceled-3s                         CANCELED
  forever-1                           never ends: the watch's deadline will pass
  lost-10s                            forgotten (404) after 10 s
  unknown-1                           never known (404)
  pending-2s-processing-4s-complete   both phases at will
"""


@dataclass(frozen=True, slots=True)
class _FaultOption:
    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class _Options:
    """The command line, read. Durations in seconds; a port of 0 is any free one."""

    host: str
    port: int
    tokens: Sequence[str]
    rate_limit: "RateLimit | None"
    shortest: float
    longest: float
    faults: Sequence[_FaultOption]
    receiver_port: int | None
    secrets: Sequence[str]
    as_json: bool


def _read_fault(_ctx: click.Context, _param: click.Parameter, given: Sequence[str]) -> list[_FaultOption]:
    from notifier.simulator.modes import MODES

    faults = []
    for text in given:
        name, _, probability = text.partition(":")
        if name not in MODES:
            raise click.BadParameter(f"{name!r} is no fault; --list-faults names them")
        if not re.fullmatch(r"|0?\.\d+|[01](\.0+)?", probability):
            raise click.BadParameter(f"{text!r}: the probability lies between 0 and 1")
        faults.append(_FaultOption(name, float(probability or 1)))
    return faults


def _read_rate_limit(_ctx: click.Context, _param: click.Parameter, text: str) -> "RateLimit | None":
    from notifier.model import RateLimit
    from notifier.simulator.tasks import parse_duration

    if text == "none":
        return None
    requests, _, window = text.partition("/")
    try:
        limit = RateLimit(int(requests), parse_duration(window))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not a rate limit; write 100/10s, or none") from error
    if limit.requests < 1 or limit.seconds <= 0:
        raise click.BadParameter(f"{text!r} lets nothing through")
    return limit


def _read_duration(_ctx: click.Context, _param: click.Parameter, text: str) -> float:
    from notifier.simulator.tasks import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _read_secrets(_ctx: click.Context, _param: click.Parameter, given: Sequence[str]) -> Sequence[str]:
    from notifier.simulator.signatures import signing_key

    try:
        for secret in given:
            signing_key(secret)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return given


def _list_faults(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    from notifier.simulator.modes import MODES

    if not wanted:
        return
    width = max(map(len, MODES))
    for name, mode in MODES.items():
        click.echo(f"{name:{width}}  {mode.description}")
    ctx.exit()


@click.command(epilog=_EPILOG)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Where to listen; anything but loopback lets others in."
)
@click.option("--port", default=8788, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--token", "tokens", multiple=True, help="The bearer token to accept; default: any. Repeatable.")
@click.option(
    "--rate-limit",
    default="100/10s",
    show_default=True,
    callback=_read_rate_limit,
    help="Requests per window, or none.",
)
@click.option(
    "--min-duration",
    "shortest",
    default="2s",
    show_default=True,
    callback=_read_duration,
    help="Of a task whose id is no script.",
)
@click.option("--max-duration", "longest", default="20s", show_default=True, callback=_read_duration)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME[:PROBABILITY]",
    callback=_read_fault,
    help="Misbehave. Repeatable.",
)
@click.option(
    "--receiver-port",
    type=click.IntRange(0, 65535),
    help="Receive callbacks here, and verify them; 0 takes a free one.",
)
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="whsec_…|whpk_…",
    callback=_read_secrets,
    help="Verifies the callbacks: a shared secret or a public key; default: a new secret. Repeatable.",
)
@click.option(
    "--list-faults",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_faults,
    help="Name the faults and exit.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line (stable, documented).")
def simulate(**given: Any) -> None:
    """Serve a HubSpot that behaves over time, with faults.

    Prints one line per request and per callback until it is interrupted.
    """
    import anyio

    options = _Options(**given)
    if options.shortest > options.longest:
        raise click.UsageError("--min-duration is longer than --max-duration")
    anyio.run(_serve, options)


async def _serve(options: _Options) -> None:
    import anyio

    from notifier.simulator.receiver import Receiver

    made_up = None if options.secrets else "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    printer = _Printer(options, made_up)
    receiver = Receiver(options.secrets or [made_up or ""], report=printer.arrived)
    # The signals first: whoever reads the addresses may end us at once.
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with contextlib.AsyncExitStack() as stack:
            url = await _listen(stack, _hubspot(options, printer), options.host, options.port)
            receiver_url = None
            if options.receiver_port is not None:
                receiver_url = await _listen(stack, receiver, options.host, options.receiver_port)
            printer.serving(url, receiver_url)
            async for _ in signals:
                return


def _hubspot(options: _Options, printer: "_Printer") -> "SimulatedHubSpot":
    from notifier.simulator.hubspot import SimulatedHubSpot

    hubspot = SimulatedHubSpot(
        tokens=options.tokens or None,
        rate_limit=options.rate_limit,
        create_unknown=True,
        durations=(options.shortest, options.longest),
        report=printer.served,
    )
    for fault in options.faults:
        hubspot.faults.set(fault.name, probability=fault.probability)
    return hubspot


async def _listen(stack: contextlib.AsyncExitStack, server: "SimulatedHubSpot | Receiver", host: str, port: int) -> str:
    try:
        return await stack.enter_async_context(server.serve(host, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise NotifierError(f"port {port} of {host} is taken; choose another, or 0 for any free one") from error
        reason = (
            os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        )  # names give negative ones
        raise NotifierError(f"can't listen on port {port} of {host}: {reason}") from error


class _Printer:
    """Prints what happens: lines for people, JSON for programs."""

    def __init__(self, options: _Options, made_up_secret: str | None) -> None:
        self._options = options
        self._made_up_secret = made_up_secret

    def serving(self, url: str, receiver_url: str | None) -> None:
        """Tell the addresses, and how to use them."""
        receiver_secret = self._made_up_secret if receiver_url else None
        self._line(
            f"HubSpot is {url}" + (f", the receiver {receiver_url}" if receiver_url else ""),
            "serving",
            {"base_url": url, "receiver_url": receiver_url, "receiver_secret": receiver_secret},
        )
        if not self._options.as_json:
            click.echo(_snippet(url, receiver_url, self._options, receiver_secret), err=True)

    def served(self, request: "Served") -> None:
        """Tell of a request to HubSpot."""
        answer = [str(request.http_status or "-"), request.task_status or "-"]
        if request.fault:
            answer.append(f"({request.fault})")
        self._line(
            _row(request.at, request.method, request.task_id or request.path, *answer), "request", asdict(request)
        )

    def arrived(self, arrival: "Arrival") -> None:
        """Tell of a callback. Its headers stay untold: they may hold credentials."""
        content = _content(arrival.body)
        told = {
            "at": arrival.received_at,
            "method": arrival.method,
            "path": arrival.path,
            "webhook_id": arrival.webhook_id,
            "verified": arrival.verified,
            "problem": arrival.problem,
            "body": content,
        }
        kind = str(content.get("type", "-")) if isinstance(content, dict) else "-"
        ruling = "verified" if arrival.verified else f"refused: {arrival.problem}"
        self._line(
            _row(arrival.received_at, arrival.method, arrival.path, kind, arrival.webhook_id or "-", ruling),
            "callback",
            told,
        )

    def _line(self, text: str, event: str, told: Mapping[str, Any]) -> None:
        try:
            click.echo(json.dumps({"event": event, **told}) if self._options.as_json else text)
        except BrokenPipeError:
            # Nobody listens any more (`| head`): end in order, and let nothing more be written.
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  # stays open to the end
            signal.raise_signal(signal.SIGTERM)


def _row(at: float, *cells: str) -> str:
    shown = ("".join(character if character.isprintable() else "\ufffd" for character in cell) for cell in cells)
    return "  ".join([datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S"), *shown])


def _content(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


def _snippet(url: str, receiver_url: str | None, options: _Options, secret: str | None) -> str:
    """Write a configuration to begin with. A secret that was given is never repeated."""
    token = "${HUBSPOT_TOKEN}    # what --token says" if options.tokens else "any"
    lines = ["accounts:", "  simulated:", f"    token: {token}", f"    base_url: {url}"]
    if receiver_url is not None:
        lines += [
            "callbacks:",
            "  here:",
            f"    url: {receiver_url}/",
            f"    secret: {secret or '${WEBHOOK_SECRET}    # what --secret says, of a public key the private one'}",
        ]
    lines.append("tasks: [ok-5s, errors-8s, canceled-3s]")
    return "\n".join(["", "A configuration to try it with:", "", *(f"  {line}" for line in lines), ""])
