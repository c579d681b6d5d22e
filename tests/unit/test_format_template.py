"""Bodies of the operator's own: what a template sees, what it may not do, and what becomes of one that fails."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from notifier.delivery.formats import FORMATS, Format, Unusable
from notifier.delivery.formats.sandbox import LARGEST_OUTPUT, LARGEST_TEMPLATE, MOST_STEPS
from notifier.delivery.samples import CHECKED_AT, sample_event
from notifier.model import Claim, Delivery, DeliveryState, Event, EventType
from notifier.secret import Secret

TEMPLATE = FORMATS["template"]
SECRET = "whsec_" + "QUFB" * 8
SAMPLES = [sample_event(each, CHECKED_AT, "evt_0123456789") for each in EventType]


def event(event_type: EventType = EventType.TASK_FAILED, **facts: Any) -> Event:
    """Give the sample of this type that says something else."""
    made = sample_event(event_type, CHECKED_AT, "evt_0123456789")
    return Event(made.event_id, made.type, made.occurred_at, {**made.data, **facts})


def configured(text: str, content_type: str = "text/plain") -> Format:
    """Give the format with this template."""
    return TEMPLATE.configured({"template": text, "content_type": content_type})


def rendered(text: str, told: Event | None = None, content_type: str = "text/plain") -> str:
    """Render a template that must not fail."""
    body = configured(text, content_type).render(told or event())
    assert body.degraded is None, body.degraded
    assert body.content_type == content_type
    return body.content.decode()


def why(text: str, told: Event | None = None, content_type: str = "text/plain") -> str:
    """Render a template that must fail, and give the reason; what is sent instead is the webhook's payload."""
    told = told or event()
    body = configured(text, content_type).render(told)
    assert body.degraded is not None
    assert body.content_type == "application/json"
    sent, usual = json.loads(body.content), json.loads(FORMATS["webhook"].render(told).content)
    assert sent == usual | {"degraded": body.degraded}
    return body.degraded


def refusal(text: str, content_type: str = "text/plain") -> Unusable:
    """Give why the check of the configuration refuses a template."""
    with pytest.raises(Unusable) as caught:
        configured(text, content_type).check(SAMPLES)
    return caught.value


def test_what_a_template_sees() -> None:
    """The payload's names, and what happened in words."""
    assert (
        rendered("{{ type }} {{ timestamp }} {{ event_id }}") == "task.failed 2026-11-21T19:08:00.123Z evt_0123456789"
    )
    assert rendered("{{ data.task_id }} {{ data.errors[0].message }}") == "TEST This error is made up."
    assert rendered("{{ data.event_id }} {{ data.result }}") == "evt_0123456789 None"
    assert rendered("{{ title }}") == "Import “A test from notifier” failed: 1 error"
    assert rendered("{{ summary }}").splitlines()[1:] == ["• This error is made up."]
    assert rendered("{{ link }}") == "None"
    assert rendered("{{ link }}", event(EventType.TASK_SUCCEEDED)) == "https://example.com/test.png"


def test_json_is_written_by_a_filter() -> None:
    """``tojson`` gives JSON and nothing else: no HTML is made safe, and nothing else is escaped."""
    told = event(label='a "b" <c> & \\ é\n')
    text = rendered('{"label": {{ data.label | tojson }}, "all": {{ data | tojson }}}', told, "application/json")
    assert json.loads(text)["label"] == told.data["label"]
    assert json.loads(text)["all"]["errors"] == told.data["errors"]
    assert rendered("{{ data.label | tojson }}", told) == r'"a \"b\" <c> & \\ \u00e9\n"'
    assert rendered("{{ data.label ~ '<' }}", told) == 'a "b" <c> & \\ é\n<'
    assert rendered("{{ {'a': 1} | tojson(indent=2) }}") == '{\n  "a": 1\n}'


def test_a_line_end_at_the_end_is_kept() -> None:
    """The output is what the file says."""
    assert rendered("a\n") == "a\n"


def test_it_is_signed_when_it_has_a_secret() -> None:
    """The same headers as a webhook's; without a secret nothing is warned of."""
    told = event()
    body = configured('{"x": 1}', "application/json").render(told)
    delivery = Delivery("dlv_1", told.event_id, told.type, "team", DeliveryState.PENDING, 0.0, 0.0)
    headers = TEMPLATE.headers(Claim(delivery, 1, body), body, int(time.time()), [Secret(SECRET)])
    assert Webhook(SECRET).verify(body.content, headers) == {"x": 1}
    assert (TEMPLATE.takes_secret, TEMPLATE.expects_secret) == (True, False)


def test_the_same_settings_are_compiled_once() -> None:
    """Callbacks that are set alike share a format, hence a body."""
    assert configured("{{ title }}") is configured("{{ title }}")
    assert configured("{{ title }}") is not configured("{{ title }}", "text/html")
    assert TEMPLATE.configured({}) is TEMPLATE


@pytest.mark.parametrize(
    ("text", "message", "line", "column"),
    [
        ("a\n b {{ nope }}", "'nope' is undefined", 2, 7),
        ("a\n{% if false %}{{ nope }}{% endif %}", "'nope' is undefined", 2, 18),
        ("{{ data.nope }}", "'dict object' has no attribute 'nope' (for task.succeeded)", 1, 9),
        ("{{ data.nope | tojson }}", "'dict object' has no attribute 'nope' (for task.succeeded)", 1, 9),
        ("\n\n{{ data.task_id }}", "'dict object' has no attribute 'task_id' (for account.rejected)", 3, 9),
        ("{{ data.label | nope }}", "No filter named 'nope'.", 1, 17),
        ("x{{", "unexpected 'end of template'", 1, 2),
        ("{% include 'x' %}", "a template stands alone: no include, import or extends", 1, 1),
        ("{{ 1 // 0 }}", "ZeroDivisionError: integer division or modulo by zero (for task.succeeded)", 1, 1),
        ("{{ ''.__class__ }}", "not allowed: access to attribute '__class__' of 'str' object is unsafe.", 1, 7),
    ],
)
def test_faults_are_told_with_their_place(text: str, message: str, line: int, column: int) -> None:
    """Line and column of the template, in the words of whoever found it, and what to do."""
    fault = refusal(text)
    assert fault.message.startswith(message)
    assert (fault.key, fault.line, fault.column) == ("template", line, column)
    assert "the names are type, timestamp, event_id, data, title, summary, link" in fault.hint


def test_what_may_be_missing_can_be_said() -> None:
    """A default makes a template fit every event."""
    configured("{{ data.task_id | default('none') }}{% if data.nope is defined %}{{ data.nope }}{% endif %}").check(
        SAMPLES
    )


@pytest.mark.parametrize(
    "text", ['{"a": "{{ title }}"}', '{"a": "{{ data.label | default }}"}', '{"a": "{{ data.problem | default }}"}']
)
def test_unquoted_texts_are_found_before_they_hurt(text: str) -> None:
    """JSON put together by hand holds until a label holds a quotation mark: the check tries one."""
    fault = refusal(text, "application/json")
    assert "is not JSON" in fault.message
    assert "when a text holds a quotation mark or a backslash" in fault.message
    assert "tojson" in fault.hint


@pytest.mark.parametrize("text", ["", "{", "NaN", '{"a": 1,}', "[" * 100_000 + "]" * 100_000])
def test_what_is_no_json_is_refused(text: str) -> None:
    """Where the content type is JSON, in whichever spelling."""
    for content_type in ("application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json"):
        with pytest.raises(Unusable):
            configured(text, content_type).check(SAMPLES)


@pytest.mark.parametrize("content_type", ["json", "a/b\nX-Evil: 1", "text/plain; charset", "", "a b/c", "text/é"])
def test_content_types_are_checked(content_type: str) -> None:
    """It becomes a header."""
    assert refusal("x", content_type).key == "content_type"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
            f"more than {MOST_STEPS} rounds",
        ),
        ("{% for a in range(1000000) %}{% endfor %}", "Range too big"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "no macro"),
        (
            "{% set m = 'x' * 1000000 %}{% set b %}{% for i in range(1000) %}{{ m }}{% endfor %}{% endset %}",
            "set block",
        ),
        ("{{ ('a'.encode() * 1000000000) | length }}", "'encode' of 'str'"),
        ("{{ (1).to_bytes(1000000000, 'big') | length }}", "'to_bytes' of 'int'"),
        ("{{ ('a ' * 10000) | wordwrap(1, true, 'x' * 100000) | length }}", "No filter named 'wordwrap'"),
        ("{{ ('a\n' * 10000) | indent('x' * 100000) | length }}", "a filling longer than 100"),
        ("{{ [1] | batch(100000000, 'x') | list | length }}", "No filter named 'batch'"),
        ("{{ 1.5 | round(3000000, 'ceil') }}", "wider than 15"),
        ("{{ ([range(100000) | list] * 3000) | map('sort') | map('first') | list | length }}", "map is for attributes"),
        ("{% for a in range(3000) %}{{ 'x' * 1000 }}{% endfor %}", f"larger than {LARGEST_OUTPUT}"),
        ("{% set n = namespace(x='x') %}{% for a in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}", "longer than"),
        ("{% set n = namespace(x='x') %}{% for a in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}", "longer than"),
        (
            "{% set n = namespace(x='x') %}{% for a in range(99) %}{% set n.x = [n.x, n.x] | join %}{% endfor %}",
            "longer than",
        ),
        ("{% set x = 'x' * 100000 %}{{ x | replace('x', x) }}", "longer than"),
        ("{{ 'x' * 9999999999 }}", "longer than"),
        ("{{ 10 ** 9999999999 }}", "longer than"),
        ("{{ '%9999999999d' % 1 }}", "wider than"),
        ("{{ '%*d' | format(9999999999, 1) }}", "wider than"),
        ("{{ 'x' | center(9999999999) }}", "wider than"),
        ("{{ 'x' | indent(9999999999) }}", "wider than"),
        ("{{ 'x'.ljust(9999999999) }}", "not allowed"),
        ("{{ '{:>9999999999}'.format(1) }}", "not allowed"),
        ("{{ data | tojson(indent=9999999999) }}", "more than 16 spaces"),
        ("{{ lipsum(n=999999) }}", "'lipsum' is undefined"),
        ("x" * (LARGEST_TEMPLATE + 1), "longer than"),
    ],
)
def test_nothing_runs_away(text: str, reason: str) -> None:
    """Every way to make much of little ends soon, with a reason; memory and time stay small."""
    began = time.monotonic()
    assert reason in refusal(text).message
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("text", ["{{ data.update({'a': 1}) }}", "{{ data.errors.append(1) }}", "{{ data.clear() }}"])
def test_a_template_changes_nothing(text: str) -> None:
    """The event is told to others, too."""
    assert "not allowed" in refusal(text).message


def test_loops_know_where_they_are() -> None:
    """What counts their rounds takes nothing from them."""
    loop = "{% for a in data.errors %}{{ loop.index }}/{{ loop.length }}{{ ',' if not loop.last }}{% else %}none{% endfor %}"
    assert rendered(loop, event(errors=[1, 2, 3])) == "1/3,2/3,3/3"
    assert rendered(loop, event(errors=[])) == "none"


def test_what_fails_when_an_event_comes_is_told_in_the_default_format() -> None:
    """An event is never lost for a template: the payload says why."""
    assert why("{{ data.result.url }}") == "template, line 1: 'None' has no attribute 'url'"
    assert "is not JSON" in why("{{ title }}", content_type="application/json")
    assert why("\n{% if true %}{{ data.label | int(base=99) + data.label }}{% endif %}").startswith(
        "template, line 2: "
    )


def test_a_large_event_degrades_to_one_that_fits() -> None:
    """The reason stands in what is left."""
    body = configured("{{ data.response.text }}").render(event(response={"text": "y" * (LARGEST_OUTPUT + 1)}))
    assert json.loads(body.content)["degraded"] == f"template: the output is larger than {LARGEST_OUTPUT} bytes"
    assert len(body.content) < LARGEST_OUTPUT


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(
    st.sampled_from(EventType), st.dictionaries(st.sampled_from(["label", "errors", "result", "response"]), anything)
)
def test_render_is_total(event_type: EventType, facts: dict[str, Any]) -> None:
    """Whatever HubSpot sends, there is a body; with ``tojson`` it is always the template's."""
    told = event(event_type, **facts)
    careless = configured('{"a": {{ data.label }}, "b": {{ data.result.url ~ data.errors[0] }}}', "application/json")
    json.loads(careless.render(told).content)
    careful = configured('{"a": {{ data | tojson }}, "b": {{ title | tojson }}}', "application/json").render(told)
    assert careful.degraded is None
    assert json.loads(careful.content)["a"]["event_id"] == told.event_id
