"""Runs the receivers of docs/verify.md, cut out of the page, on requests made by the tests."""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from documents import ROOT, blocks

PAGE = (ROOT / "docs" / "verify.md").read_text("utf-8")

ACCEPTED = "accepted"

_NODE = """
import { readFileSync } from "node:fs";
import { verify } from "./verify.mjs";

const request = JSON.parse(readFileSync(0, "utf8"));
try {
  verify(request.headers, Buffer.from(request.body, "base64"), request.keys);
  console.log("accepted");
} catch (error) {
  console.log(error.constructor === Error ? error.message : error.stack);
}
"""

_GO = """
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"try/receiver"
)

func main() {
	var request struct {
		Headers map[string]string
		Body    []byte
		Keys    []string
	}
	if err := json.NewDecoder(os.Stdin).Decode(&request); err != nil {
		panic(err)
	}
	header := http.Header{}
	for name, value := range request.Headers {
		header.Set(name, value)
	}
	if err := receiver.Verify(header, request.Body, request.Keys); err != nil {
		fmt.Println(err)
	} else {
		fmt.Println("accepted")
	}
}
"""

_BASH = 'set -euo pipefail\n. ./verify.sh\nif verify "$@"; then echo accepted; else echo refused; fi\n'


@dataclass(frozen=True)
class Request:
    """What arrives."""

    headers: Mapping[str, str]  # names in lower case
    body: bytes


class Python:
    """The first block, run in this process."""

    says_why = True

    @staticmethod
    def missing() -> str | None:
        return None

    def __init__(self, folder: Path) -> None:
        self.names: dict[str, Any] = {}
        [block] = blocks(PAGE, "python")
        exec(block, self.names)  # the page's own words

    def ruling(self, request: Request, keys: Sequence[str]) -> str:
        try:
            event = self.names["verify"](request.headers, request.body, list(keys))
        except ValueError as error:
            return str(error)
        assert event == json.loads(request.body)
        return ACCEPTED


class Node:
    """A module, and a few lines that call it."""

    says_why = True

    @staticmethod
    def missing() -> str | None:
        return None if shutil.which("node") else "no node on this machine"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        [block] = blocks(PAGE, "js")
        (folder / "verify.mjs").write_text(block)
        (folder / "main.mjs").write_text(_NODE)

    def ruling(self, request: Request, keys: Sequence[str]) -> str:
        return _run(["node", "main.mjs"], self.folder, _as_json(request, keys))


class Go:
    """A package, and a program that imports it."""

    says_why = True

    @staticmethod
    def missing() -> str | None:
        return None if shutil.which("go") else "no go on this machine"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        [block] = blocks(PAGE, "go")
        (folder / "receiver").mkdir()
        (folder / "receiver" / "verify.go").write_text(block)
        (folder / "main.go").write_text(_GO)
        (folder / "go.mod").write_text("module try\n\ngo 1.19\n")
        _run(["go", "vet", "./..."], folder)
        assert _run(["gofmt", "-l", "receiver"], folder) == "", "the block is not as gofmt wants it"
        _run(["go", "build", "-o", "verify", "."], folder)

    def ruling(self, request: Request, keys: Sequence[str]) -> str:
        return _run(["./verify"], self.folder, _as_json(request, keys))


class Openssl:
    """The functions, sourced by bash. They tell yes from no, and not why."""

    says_why = False

    @staticmethod
    def missing() -> str | None:
        if absent := [name for name in ("bash", "openssl", "curl") if not shutil.which(name)]:
            return f"no {absent[0]} on this machine"
        words = subprocess.run(["openssl", "version"], capture_output=True, text=True, check=True).stdout.split()
        return (
            None
            if words[0] == "OpenSSL" and int(words[1].split(".")[0]) >= 3
            else f"{words[0]} {words[1]} is not OpenSSL 3"
        )

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "verify.sh").write_text(blocks(PAGE, "bash")[0])
        (folder / "main.sh").write_text(_BASH)

    def ruling(self, request: Request, keys: Sequence[str]) -> str:
        (self.folder / "body").write_bytes(request.body)
        signed = [request.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")]
        return _run(["bash", "main.sh", *signed, "body", *keys], self.folder)

    def send(self, url: str, secret: str, body: bytes) -> int:
        """Send ``body`` with the second block, and give curl's exit code."""
        (self.folder / "body.json").write_bytes(body)
        (self.folder / "send.sh").write_text("set -euo pipefail\n. ./verify.sh\n" + blocks(PAGE, "bash")[1])
        environ = {**os.environ, "URL": url, "SECRET": secret, "no_proxy": "127.0.0.1"}
        return subprocess.run(["bash", "send.sh"], cwd=self.folder, env=environ, timeout=30, check=False).returncode


Receiver = Python | Node | Go | Openssl


def _as_json(request: Request, keys: Sequence[str]) -> bytes:
    body = base64.b64encode(request.body).decode()
    return json.dumps({"headers": dict(request.headers), "body": body, "keys": list(keys)}).encode()


def _run(command: Sequence[str], folder: Path, fed: bytes = b"") -> str:
    """Give what a program says; that it complains is a failure."""
    environ = {"GOCACHE": str(folder / "cache"), "GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOTOOLCHAIN": "local"}
    if "HOME" in os.environ:
        del environ["GOCACHE"]  # what was compiled before is there
    ran = subprocess.run(
        command, cwd=folder, input=fed, capture_output=True, env={**os.environ, **environ}, timeout=240, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, b""), ran.stderr.decode()
    return ran.stdout.decode().strip()
