"""``notifier config`` and the example that comes with it."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from configs import ENVIRON, GOOD, SIGNING, write

from notifier.cli.config import config
from notifier.config import load
from notifier.config.json_schema import json_schema
from notifier.config.schema import FileForm, form_at
from notifier.delivery.formats import FORMATS

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
EXAMPLE_ENVIRON = {
    "HUBSPOT_TOKEN": "pat-na1-0123456789",
    "ERP_WEBHOOK_SECRET": SIGNING,
    "SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T/B/x",
    "HOME": "/home/nobody",
}


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program as a person does."""
    command = [sys.executable, "-m", "notifier", "config", *arguments]
    return subprocess.run(command, env=ENVIRON, capture_output=True, text=True, check=False, timeout=30)


def test_check_says_ok_in_one_line(tmp_path: Path) -> None:
    """The summary on stdout, nothing on stderr, exit code 0."""
    path = write(tmp_path, GOOD)
    done = _run("check", "-c", str(path))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{path}: ok (1 account, 1 callback, 1 task)\n", "")


def test_check_tells_warnings_on_stderr(tmp_path: Path) -> None:
    """They don't fail, but with --strict they do."""
    path = write(tmp_path, GOOD.replace("https://", "http://"))
    done = _run("check", "-c", str(path))
    assert (done.returncode, done.stdout) == (0, f"{path}: ok (1 account, 1 callback, 1 task, 1 warning)\n")
    assert done.stderr.startswith(f"{path}:6:10: warning: http://")
    strict = _run("check", "-c", str(path), "--strict")
    assert (strict.returncode, strict.stderr) == (78, done.stderr)
    assert "refused" in strict.stdout


def test_check_tells_every_error_on_stderr(tmp_path: Path) -> None:
    """Exit code 78, nothing on stdout."""
    path = write(tmp_path, GOOD.replace("tasks:", "tsks:").replace("url:", "ulr:"))
    done = _run("check", "-c", str(path))
    assert (done.returncode, done.stdout) == (78, "")
    assert f"{path}:6:5: error: " in done.stderr
    assert f"{path}:9:1: error: " in done.stderr
    assert done.stderr.endswith(f"{path}: 2 errors\n")


def test_check_as_json(tmp_path: Path) -> None:
    """The same for programs, also when it fails; a missing file too."""
    good = _run("check", "--json", "-c", str(write(tmp_path, GOOD)))
    assert json.loads(good.stdout) == {
        "file": str(tmp_path / "config.yaml"),
        "ok": True,
        "errors": 0,
        "warnings": 0,
        "problems": [],
        "counts": {"accounts": 1, "callbacks": 1, "tasks": 1},
    }
    bad = _run("check", "--json", "-c", str(write(tmp_path, GOOD + "lgo: {}\n")))
    [problem] = json.loads(bad.stdout)["problems"]
    assert (bad.returncode, bad.stderr, json.loads(bad.stdout)["ok"]) == (78, "", False)
    assert problem == {
        "level": "error",
        "file": str(tmp_path / "config.yaml"),
        "line": 11,
        "column": 1,
        "path": "lgo",
        "message": 'unknown key "lgo"',
        "hint": "did you mean `log`?",
    }
    missing = _run("check", "--json", "-c", str(tmp_path / "none.yaml"))
    assert (missing.returncode, json.loads(missing.stdout)["errors"]) == (78, 1)


def test_show_fills_in_and_masks(tmp_path: Path) -> None:
    """YAML and JSON say the same, no secret in either; of a URL the host remains."""
    path = write(tmp_path, GOOD)
    as_yaml, as_json = _run("show", "-c", str(path)), _run("show", "--json", "-c", str(path))
    shown = json.loads(as_json.stdout)
    assert yaml.safe_load(as_yaml.stdout) == shown
    assert shown["accounts"]["main"]["token"] == "****"
    assert shown["callbacks"]["erp"]["url"] == "https://erp.example.com/****"
    assert shown["callbacks"]["erp"]["timeout"] == "15s"
    assert shown["polling"]["deadline"] == "1d"
    for secret in (ENVIRON["HUBSPOT_TOKEN"], SIGNING, "hooks/hubspot"):
        assert secret not in as_yaml.stdout + as_json.stdout


def test_help_needs_no_models() -> None:
    """pydantic and PyYAML are imported only when a file is read."""
    code = (
        "import sys, notifier.cli.config, notifier.config, notifier.config.settings\n"
        "from notifier.config import Settings\n"
        "assert not {'pydantic', 'yaml'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_the_schema_is_printed() -> None:
    """Valid JSON that says which JSON Schema it is."""
    printed = json.loads(CliRunner().invoke(config, ["schema"]).stdout)
    assert printed["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert printed == json_schema()


def test_the_schema_knows_the_forms() -> None:
    """Short tasks, three spellings, patterns that accept what the loader accepts, and no null."""
    schema = json_schema()
    tasks = schema["properties"]["tasks"]["items"]["anyOf"]
    assert tasks == [{"type": ["string", "number", "boolean"]}, {"$ref": "#/$defs/TaskForm"}]
    assert schema["$defs"]["TaskForm"]["required"] == ["id"]
    [token] = schema["$defs"]["AccountForm"]["allOf"]
    assert [entry["required"] for entry in token["oneOf"]] == [["token"], ["token_file"], ["token_credential"]]
    pattern = schema["$defs"]["PollingForm"]["properties"]["timeout"]["pattern"]
    assert [bool(re.search(pattern, text)) for text in ("1h30m", "${T}", "30", "", "s")] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert '"null"' not in json.dumps(schema)
    assert schema["$defs"]["CallbackForm"]["properties"]["format"]["anyOf"][0] == {"enum": [*FORMATS]}
    assert set(re.findall(r"#/\$defs/(\w+)", json.dumps(schema))) == set(schema["$defs"])


def test_the_example_loads_without_a_word(tmp_path: Path) -> None:
    """With the variables it names, and none besides."""
    path = write(tmp_path, EXAMPLE.read_text())
    answer = load(path, EXAMPLE_ENVIRON)
    assert answer.warnings == ()
    assert (len(answer.settings.accounts), len(answer.settings.callbacks), len(answer.settings.tasks)) == (1, 2, 2)


def _forms(schema: Any) -> Iterator[str]:
    for form in (schema, *schema["$defs"].values()):
        yield from form.get("properties", {})


def test_the_example_has_every_key() -> None:
    """Commented out where it is optional."""
    text = EXAMPLE.read_text()
    missing = [key for key in _forms(json_schema()) if not re.search(rf"^[ #-]*{key}:", text, re.MULTILINE)]
    assert missing == []


DEFAULTS = re.compile(r"^( *)# (\w+): ([^#\n]+?)(?: +#.*)?$", re.MULTILINE)


def test_the_examples_defaults_are_right(tmp_path: Path) -> None:
    """Putting every commented default in force changes nothing."""
    text = EXAMPLE.read_text()
    alternatives = {
        "token_file",
        "token_credential",
        "url_file",
        "url_credential",
        "secret_file",
        "secret_credential",
        "proxy",
        "proxy_file",
        "proxy_credential",
        "rate",
        "store",
        "value",
    }
    known = set(_forms(json_schema())) - alternatives
    spelt = DEFAULTS.sub(lambda found: f"{found[1]}{found[2]}: {found[3]}" if found[2] in known else found[0], text)
    assert spelt.count("\n") == text.count("\n")
    assert spelt != text
    before = load(write(tmp_path, text), EXAMPLE_ENVIRON).settings
    assert load(write(tmp_path, spelt), EXAMPLE_ENVIRON).settings == before


def test_every_mapping_has_its_model() -> None:
    """Suggestions and masks look models up by path."""
    paths: list[tuple[str | int, ...]] = [
        ("accounts", "x"),
        ("callbacks", "x"),
        ("tasks", 0),
        ("polling",),
        ("delivery",),
        ("log",),
    ]
    assert form_at(()) is FileForm
    assert None not in map(form_at, paths)
    assert [form_at(path) for path in (("accounts",), ("accounts", "x", "token"), ("nothing",))] == [None, None, None]


@pytest.mark.parametrize("arguments", [[], ["check"], ["show"], ["schema"]])
def test_help(arguments: list[str]) -> None:
    """Every command explains itself."""
    done = CliRunner().invoke(config, [*arguments, "--help"])
    assert done.exit_code == 0
    assert "Usage:" in done.stdout
