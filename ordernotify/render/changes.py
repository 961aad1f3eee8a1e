"""Differences between what is there and what is described, a line each, in a person's words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

from ordernotify.executor import Action, Item
from ordernotify.iam.documents import json_statements
from ordernotify.render import clean
from ordernotify.resources.base import TAGS, Change

_MAX_VALUE = 60
_ARN = re.compile(r"arn:aws[\w-]*:[\w-]*:[\w-]*:\d*:([^\s\",]+)")
_MAX_STATEMENT = 110
_INVOKED = re.compile(r"arn:\S+/functions/arn:\S+:function:([^\s/]+)/invocations")
_ACCOUNT = re.compile(r"arn:aws[\w-]*:iam::(\d+):root")


def change_lines(changes: Iterable[Change]) -> list[str]:
    """Write the differences of one resource, its tags apart: they are told once for all resources."""
    told = [change for change in changes if change.label != TAGS]
    shown = [change for change in told if not change.internal]
    if not shown:
        return [change.internal for change in told]
    return [line for change in shown for line in _lines(change)]


def _lines(change: Change) -> list[str]:
    if change.after is True and change.before is None:
        return [f"+ {clean(change.label)}"]
    if change.before is True and change.after is None:
        return [f"- {clean(change.label)}"]
    return [f"{change.label}: {part}" for part in _parts(change)]


def tag_lines(items: Iterable[Item]) -> list[str]:
    """Write each difference of tags once, with the number of the resources that it concerns."""
    concerned: dict[str, list[Item]] = {}
    for item in items:
        for change in item.changes:
            if change.label == TAGS:
                for part in _mapping_parts(change.before or {}, change.after or {}):
                    concerned.setdefault(f"{TAGS}: {part}", []).append(item)
    return [f"{line} ({_whose(those)})" for line, those in concerned.items()]


def together(items: Iterable[Item]) -> Iterator[tuple[list[str], list[Item]]]:
    """Bring updates of the same lines together; every other item stands alone with its own lines."""
    groups: dict[object, tuple[list[str], list[Item]]] = {}
    for item in items:
        lines = change_lines(item.changes)
        if item.action is Action.UPDATE and not lines:
            continue
        alike = item.action is Action.UPDATE and not item.reason
        groups.setdefault(tuple(lines) if alike else item.key, (lines, []))[1].append(item)
    yield from groups.values()


def _whose(items: Sequence[Item]) -> str:
    if len(items) == 1:
        return f"{kind_word(items[0].kind)} {clean(items[0].name)}"
    return counted_items(items)


def counted_items(items: Sequence[Item]) -> str:
    """Count items, by their kind where it is one: `5 alarms`, `12 resources`."""
    kinds = {item.kind for item in items}
    return f"{len(items)} {f'{kind_word(kinds.pop())}s' if len(kinds) == 1 else 'resources'}"


def kind_word(kind: str) -> str:
    return kind.replace("-", " ")


def _parts(change: Change) -> list[str]:
    before, after = _plain(change.before), _plain(change.after)
    if _is_policy(before) or _is_policy(after):
        return _list_parts(_statements(before), _statements(after))
    if isinstance(before, Mapping) or isinstance(after, Mapping):
        return _joined(_mapping_parts(before or {}, after or {}))
    if isinstance(before, list | tuple) or isinstance(after, list | tuple):
        return _joined(_list_parts(_texts(before), _texts(after)))
    old, new = _distinct(_text(before), _text(after))
    return [f"{old} -> {new}"]


def _joined(parts: list[str]) -> list[str]:
    line = ", ".join(parts)
    return [line] if len(line) <= _MAX_VALUE else parts


def _mapping_parts(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    parts = []
    for key in [*after, *(key for key in before if key not in after)]:
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if old is None:
            parts.append(f"+ {clean(key)}{_assigned(new)}")
        elif new is None:
            parts.append(f"- {clean(key)}{_assigned(old)}")
        else:
            parts.append(f"{clean(key)}: {' -> '.join(_distinct(_text(old), _text(new)))}")
    return parts


def _assigned(value: Any) -> str:
    return "" if isinstance(value, Mapping) else f"={_cut(_text(value), _MAX_VALUE)}"


def _list_parts(before: Sequence[str], after: Sequence[str]) -> list[str]:
    gone = [f"- {_cut(one)}" for one in before if one not in after]
    return gone + [f"+ {_cut(one)}" for one in after if one not in before] or ["in another order"]


def _texts(values: Any) -> list[str]:
    return [_text(value) for value in values or ()]


def _is_policy(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("{") and '"Statement"' in value


def _statements(policy: str | None) -> list[str]:
    return [_statement(one) for one in json_statements(policy)]


def _statement(statement: Mapping[str, Any]) -> str:
    """Write a statement of a policy: `Allow sns:Publish on file-upload-notification to 123456789012`."""
    words = [str(statement.get("Effect", ""))]
    words += [_names(statement[key]) for key in ("Action", "NotAction") if key in statement]
    if "Resource" in statement:
        words += ["on", _names(statement["Resource"])]
    if "Principal" in statement:
        principal = statement["Principal"]
        parts = principal.values() if isinstance(principal, Mapping) else (principal,)
        words += ["to", ", ".join(map(_names, parts))]
    if "Condition" in statement:
        words += ["if", json.dumps(statement["Condition"], sort_keys=True)]
    return clean(" ".join(words))


def _names(value: Any) -> str:
    return ", ".join(map(_short, value)) if isinstance(value, list) else _short(str(value))


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _text(value: Any) -> str:
    if value is None or value == "":
        return "(none)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return clean(
        _short(value if isinstance(value, str) else json.dumps(_plain(value), sort_keys=True, default=str))
    )


def _short(text: str) -> str:
    """Leave of each ARN the part that names the resource."""
    text = _INVOKED.sub(r"function \1", _ACCOUNT.sub(r"account \1", text))
    return _ARN.sub(lambda found: found[1], text)


def _cut(text: str, most: int = _MAX_STATEMENT) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _distinct(before: str, after: str) -> tuple[str, str]:
    """Cut long values to where they differ."""
    if max(len(before), len(after)) <= _MAX_VALUE:
        return before, after
    start = next(
        (i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b),
        min(len(before), len(after)),
    )
    begin = max(start - 15, 0)

    def cut(text: str) -> str:
        part = text[begin : begin + _MAX_VALUE]
        return ("…" if begin else "") + part + ("…" if begin + _MAX_VALUE < len(text) else "")

    return cut(before), cut(after)
