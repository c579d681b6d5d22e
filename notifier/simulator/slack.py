"""What a Slack incoming webhook says to a message: ``ok`` or one of its error words. Pure.

Limits: Slack's Block Kit reference (characters of a text object, blocks of a message, elements of a block).
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

MAX_BLOCKS = 50
MAX_ATTACHMENTS = 100
MAX_FIELDS = 10
MAX_CONTEXT_ELEMENTS = 10
MAX_BUTTONS = 25
SECTION_TEXT = 3000  # characters, as are the following
FIELD_TEXT = 2000
HEADER_TEXT = 150
BUTTON_TEXT = 75
URL = 3000
BLOCK_ID = 255


def slack_problem(body: bytes) -> str | None:
    """Give the error word Slack would answer with; ``None`` for a message it would post."""
    try:
        message = json.loads(body)
    except ValueError:
        return "invalid_payload"
    if not isinstance(message, dict):
        return "invalid_payload"
    attachments, blocks, text = (message.get(name) for name in ("attachments", "blocks", "text"))
    if isinstance(attachments, list) and len(attachments) > MAX_ATTACHMENTS:
        return "too_many_attachments"
    if blocks and not _blocks_fit(blocks):
        return "invalid_blocks"
    return None if blocks or attachments or (text and isinstance(text, str)) else "no_text"


def _blocks_fit(blocks: Any) -> bool:
    return isinstance(blocks, list) and len(blocks) <= MAX_BLOCKS and all(map(_block_fits, blocks))


def _block_fits(block: Any) -> bool:
    if not isinstance(block, dict) or len(str(block.get("block_id", ""))) > BLOCK_ID:
        return False
    check = _BLOCKS.get(str(block.get("type")))
    return check is not None and check(block)


def _text_fits(text: Any, longest: int, types: tuple[str, ...] = ("mrkdwn", "plain_text")) -> bool:
    if not isinstance(text, dict) or text.get("type") not in types:
        return False
    return isinstance(text.get("text"), str) and 1 <= len(text["text"]) <= longest


def _section_fits(block: Mapping[str, Any]) -> bool:
    fields = block.get("fields")
    if fields is not None:
        listed = isinstance(fields, list) and 1 <= len(fields) <= MAX_FIELDS
        if not listed or not all(_text_fits(each, FIELD_TEXT) for each in fields):
            return False
    return fields is not None if block.get("text") is None else _text_fits(block["text"], SECTION_TEXT)


def _header_fits(block: Mapping[str, Any]) -> bool:
    return _text_fits(block.get("text"), HEADER_TEXT, ("plain_text",))


def _context_fits(block: Mapping[str, Any]) -> bool:
    elements = block.get("elements")
    if not isinstance(elements, list) or not 1 <= len(elements) <= MAX_CONTEXT_ELEMENTS:
        return False
    return all(
        _image_fits(each) if isinstance(each, dict) and each.get("type") == "image" else _text_fits(each, SECTION_TEXT)
        for each in elements
    )


def _image_fits(block: Mapping[str, Any]) -> bool:
    url, alt_text = block.get("image_url"), block.get("alt_text")
    return isinstance(url, str) and 1 <= len(url) <= URL and isinstance(alt_text, str) and bool(alt_text)


def _actions_fit(block: Mapping[str, Any]) -> bool:
    elements = block.get("elements")
    if not isinstance(elements, list) or not 1 <= len(elements) <= MAX_BUTTONS:
        return False
    return all(isinstance(each, dict) and each.get("type") == "button" and _button_fits(each) for each in elements)


def _button_fits(button: Mapping[str, Any]) -> bool:
    return _text_fits(button.get("text"), BUTTON_TEXT, ("plain_text",)) and len(str(button.get("url", ""))) <= URL


_BLOCKS: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "section": _section_fits,
    "header": _header_fits,
    "context": _context_fits,
    "image": _image_fits,
    "actions": _actions_fit,
    "divider": lambda _: True,
}
