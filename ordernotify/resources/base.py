"""What every resource is: `find`, `described`, `diff`, `create`, `update`, `delete`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, fields
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeAlias, TypeVar

from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Patience
from ordernotify.iam.calls import Calls
from ordernotify.settings.model import Settings
from ordernotify.settings.names import STACK_TAG

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

TAGS = "tags"
"""The label of a difference in the tags."""
UNKNOWN = "(known after apply)"
"""A value that depends on a resource that does not exist yet."""
_LABEL = "label"
_INTERNAL = "internal"

State = TypeVar("State", bound="DataclassInstance")
"""A kind's frozen dataclass: what `find` reads and `described` wants.

A field with `compare=False` is never described: it holds what AWS chose, such as an id.
"""


def shown_as(label: str) -> Mapping[str, str]:
    """Return a field's metadata: what the plan calls the field, where its name will not do."""
    return {_LABEL: label}


def internal(words: str) -> Mapping[str, str]:
    """Return the metadata of a field that the tool keeps for itself, see `Change.internal`."""
    return {_INTERNAL: words}


@dataclass(frozen=True, slots=True)
class Live(Generic[State]):
    """A resource as it was found or left in the account."""

    arn: str
    state: State
    owned: bool = True
    """Whether it carries the stack's tag; what cannot carry tags belongs to what it is part of."""
    tags: Mapping[str, str] | None = None
    """The tags as found; None where the resource cannot carry any."""


AnyLive: TypeAlias = Live[Any]
Needed: TypeAlias = Mapping[str, AnyLive]
"""The existing resources that another one needs, by key."""


def needed_state(needed: Needed, state: type[State]) -> State | None:
    """Return the state of this type among the needed resources; None if that resource does not exist yet."""
    return next((live.state for live in needed.values() if isinstance(live.state, state)), None)


@dataclass(frozen=True, slots=True)
class Change:
    """A part of a resource that is not as described."""

    label: str
    before: Any
    after: Any
    internal: str = ""
    """What the plan says instead of the values, and only if nothing else differs; empty for most."""


def differences(found: State, wanted: State) -> tuple[Change, ...]:
    """Compare two states field by field."""
    changes = []
    for field in fields(wanted):
        before, after = getattr(found, field.name), getattr(wanted, field.name)
        if field.compare and before != after:
            label = field.metadata.get(_LABEL, field.name.replace("_", " "))
            changes.append(Change(label, before, after, field.metadata.get(_INTERNAL, "")))
    return tuple(changes)


@dataclass(frozen=True, slots=True)
class Step:
    """What a changing verb works with: the resources it needs, and bounded waiting."""

    needed: Needed
    patience: Patience


class Verb(Enum):
    """The kinds of work by which calls are declared; tagging belongs to UPDATE."""

    FIND = auto()
    CREATE = auto()
    UPDATE = auto()
    DELETE = auto()


class Resource(ABC, Generic[State]):
    """One resource of a stack. All verbs may be repeated; each continues what an earlier one left undone.

    The verbs raise botocore's errors; their callers translate them.
    """

    kind: str
    needs: tuple[str, ...] = ()
    """Keys of the resources that must exist first."""
    deleted_after: tuple[str, ...] = ()
    """Keys of further resources that must be deleted before this one."""
    removed_before: tuple[str, ...] = ()
    """Keys of those that change only after it is deleted: they hold what tells that it is the stack's."""
    part_of: str | None = None
    """Key of the resource that this one lives in: it is made anew with it, and without tags owned with it."""
    removed_when_unwanted: bool = False
    """Setup deletes it when the description no longer has it."""
    stays_when_renamed: bool = False
    """Setup leaves it under its former name: it holds what nobody can make again."""
    keeps_orders: bool = False
    """Deleting it deletes customers' orders."""
    unknown_when_new: ClassVar[bool] = False
    """For some seconds after it was made, AWS may say that it does not exist (AWS-FACTS 24, 34)."""
    takes_place_of: ClassVar[str | None] = None
    """Key of an unwanted resource that this one is made in place of; the plan shows a replacement."""
    shared: ClassVar[bool] = False
    """Others may use it too: setup makes it where it is missing, and teardown keeps it."""
    notice: ClassVar[str] = ""
    """What the person should know before it is made; the plan shows it."""

    def __init__(self, settings: Settings, cloud: Cloud) -> None:
        self.settings = settings
        self.cloud = cloud

    def under_former_name(self, settings: Settings) -> Self:
        """Return the resource by the name that `settings` give it, to find what is left there."""
        former = copy(self)
        former.settings = settings
        return former

    @property
    def key(self) -> str:
        """The resource's name within the stack, by which others need it."""
        return self.kind

    @property
    @abstractmethod
    def name(self) -> str:
        """The resource's name in the account."""

    @property
    def arn(self) -> str:
        """The resource's ARN, computed; empty where AWS chooses it or there is none."""
        return ""

    @property
    def wanted(self) -> bool:
        """Whether the stack as described has this resource at all."""
        return True

    @property
    def own_tags(self) -> dict[str, str]:
        """The tags that it is to carry: the person's and the stack's."""
        return self.settings.all_tags

    def refuse_missing(self) -> None:
        """Raise OrderNotifyError if only the person can make what is missing; it says what to do."""

    @property
    @abstractmethod
    def calls(self) -> Mapping[Verb, Calls]:
        """What each verb calls, and what AWS checks along with it; every verb may call what FIND does."""

    @abstractmethod
    def find(self) -> Live[State] | None:
        """Read the resource; None only if AWS says that it does not exist."""

    @abstractmethod
    def described(self, needed: Needed) -> State:
        """Return the state that it is to have; UNKNOWN where a needed resource is missing."""

    def diff(self, live: Live[State], needed: Needed) -> tuple[Change, ...]:
        """Return what is not as described; empty when nothing is to be done."""
        return differences(live.state, self.described(needed)) + self._missing_tags(live)

    def _missing_tags(self, live: Live[State]) -> tuple[Change, ...]:
        # Tags that somebody else added are left alone.
        wanted = self.own_tags
        if live.tags is None or all(live.tags.get(key) == value for key, value in wanted.items()):
            return ()
        return (Change(TAGS, {key: live.tags.get(key) for key in wanted}, wanted),)

    def refuse(self, found: State, wanted: State) -> None:
        """Raise OrderNotifyError for a difference that setup must not change; it says what to do."""

    def must_replace(self, found: State, wanted: State) -> bool:
        """Whether only deleting the resource and making it again leads from `found` to `wanted`."""
        return False

    def replacement(self, old: AnyLive) -> tuple[Change, ...]:
        """Return what changes when this one takes the place of `old`, see `takes_place_of`."""
        return ()

    def removal_notice(self, live: Live[State]) -> str:
        """Say what the person should know before it is removed; the plan of teardown shows it."""
        return ""

    def kept_for(self, live: Live[State]) -> str:
        """Say why setup keeps it though it is no longer described; empty: it does not keep it."""
        return ""

    def staying(self, live: Live[State]) -> tuple[str, ...]:
        """Say, one sentence each, what is no longer described and that setup cannot remove."""
        return ()

    def notes_after(self) -> tuple[str, ...]:
        """Say what the person should know once it was made or updated."""
        return ()

    def has_rival(self, live: Live[State]) -> bool:
        """Whether the stack has another one of this name, where AWS lets several have it.

        Another setup made it at the same moment, or a create that was cut off was repeated (AWS-FACTS 21).
        """
        return False

    @abstractmethod
    def create(self, step: Step) -> Live[State]:
        """Make the resource, or complete the one that an interrupted create left behind."""

    def update(self, live: Live[State], step: Step) -> Live[State]:
        """Change what differs between `live.state` and what is described; nothing where setup may not."""
        return live

    def put_tags(self, live: Live[State]) -> None:
        """Add the stack's tags and the person's; needed where `find` reads tags."""
        raise NotImplementedError(self.kind)

    @abstractmethod
    def delete(self, live: Live[State], step: Step) -> None:
        """Delete the resource and wait until it is gone; succeeds if it is gone already."""

    def owns(self, tags: Mapping[str, str]) -> bool:
        return tags.get(STACK_TAG) == self.settings.stack

    def live(self, state: State, tags: Mapping[str, str]) -> Live[State]:
        """Build what `find` returns for a resource with a computed ARN."""
        return Live(self.arn, state, self.owns(tags), tags)

    def is_ours(self) -> bool:
        """Read whether the resource exists and belongs to this stack."""
        live = self.find()
        return live is not None and live.owned


class Leftover(Resource[State]):
    """What the stack is not described with: it is found in order to be removed, if it is the stack's."""

    @property
    def wanted(self) -> bool:
        return False

    def described(self, needed: Needed) -> State:
        raise NotImplementedError(self.key)

    def create(self, step: Step) -> Live[State]:
        raise NotImplementedError(self.key)


class Given(Resource[State]):
    """What is the person's own: looked at before anything is changed, never made, changed or deleted.

    `refuse_missing` refuses one that does not exist.
    """

    shared = True

    def create(self, step: Step) -> Live[State]:
        raise NotImplementedError(self.key)

    def delete(self, live: Live[State], step: Step) -> None:
        """Do nothing: it is the person's."""
