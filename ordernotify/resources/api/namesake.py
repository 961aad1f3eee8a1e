"""Kinds whose names are not unique in API Gateway: found by name and tag, told apart by the id."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

from ordernotify.aws.errors import ignore_codes
from ordernotify.resources.api.listing import Found
from ordernotify.resources.api.quota import NOT_FOUND
from ordernotify.resources.base import Live, Resource, State, Step

Entry = TypeVar("Entry", bound=Found)


class Namesake(Resource[State], Generic[State, Entry]):
    """A kind whose names are not unique.

    AWS-FACTS 21: a create that was cut off after it was applied, and repeated, leaves a second one.
    """

    @abstractmethod
    def named(self) -> Sequence[Entry]:
        """List those of exactly this name, with their tags; the one to keep comes first."""

    @abstractmethod
    def read(self, entry: Entry, copies: int) -> State:
        """Read what is compared; `copies` is how many the stack has of it."""

    @abstractmethod
    def remove(self, entry: Entry, step: Step) -> None:
        """Delete one; raises what AWS answers."""

    def find(self) -> Live[State] | None:
        """Read one; the stack's own wins over others of its name."""
        entries = self.named()
        if not entries:
            return None
        ours = [entry for entry in entries if self.owns(entry.tags)]
        entry = (ours or entries)[0]
        state = self.read(entry, max(len(ours), 1))
        return Live(entry.arn, state, self.owns(entry.tags), entry.tags)

    def put_tags(self, live: Live[State]) -> None:
        self.cloud.apigateway.tag_resource(resourceArn=live.arn, tags=self.settings.all_tags)

    def has_rival(self, live: Live[State]) -> bool:
        """Whether the stack has another one; a listing that lags may not show any yet (AWS-FACTS 35)."""
        return any(entry.arn != live.arn for entry in self.named() if self.owns(entry.tags))

    def delete(self, live: Live[State], step: Step) -> None:
        self.delete_all_but("", step)

    def delete_all_but(self, kept_arn: str, step: Step) -> None:
        """Delete the stack's own of this name but one; what is gone already is no error."""
        for entry in self.named():
            if entry.arn != kept_arn and self.owns(entry.tags):
                with ignore_codes(NOT_FOUND):
                    self.remove(entry, step)
