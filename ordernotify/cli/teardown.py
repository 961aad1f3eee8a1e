"""`teardown`: the end of a stack."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from ordernotify.cli import app
from ordernotify.cli.options import JsonOption, option
from ordernotify.cli.questions import OrdersFate, ask_teardown, export_files
from ordernotify.cli.run import Run, command
from ordernotify.cli.stack import YesOption, apply_plan
from ordernotify.errors import OrderNotifyError
from ordernotify.settings.model import Settings
from ordernotify.settings.names import STACK_TAG, Names, Target

if TYPE_CHECKING:
    from ordernotify.aws.session import Cloud
    from ordernotify.executor import Item, Plan
    from ordernotify.resources.base import Resource


@command(app, "teardown")
def teardown(
    run: Run,
    delete_orders: Annotated[
        bool | None,
        option(
            "--delete-orders/--keep-orders",
            help="Delete the table with all its orders, or keep it; otherwise you are asked, or it is kept.",
        ),
    ] = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Remove exactly what setup made; the orders are kept unless told.

    It ends with the exit status 1, and says what to do, where something else carries the stack's tag.

    Example: ordernotify teardown --yes --delete-orders
    """
    cloud, names = run.open()
    from ordernotify import provision
    from ordernotify.render import json_document, note, plans
    from ordernotify.stack.discovery import no_stack, recorded_settings, stacks_present, with_own_role
    from ordernotify.stack.former import find_former
    from ordernotify.stack.left import left_over

    names = with_own_role(cloud, names, run.stack)
    settings = Settings(run.stack, names, **recorded_settings(cloud, names, run.stack))
    former = find_former(cloud, names, run.stack)
    if former.unread:
        note(former.unread)
    resources = provision.declare(settings, cloud, former.names)
    planned = provision.plan_teardown(resources, delete_orders=bool(delete_orders))
    provision.check_not_managed_elsewhere(planned, run.stack)
    left = left_over(cloud, resources, planned, former.tagged)
    if planned.changes:
        plans.show_plan(replace(planned, items=(*planned.items, *left)))
        fate = (
            OrdersFate.KEEP
            if yes
            else ask_teardown(cloud, run.stack, _tables(settings, planned), ask_fate=delete_orders is None)
        )
        planned = _carry_out(cloud, settings, resources, planned, fate)
    if json:
        json_document(plans.teardown_document(planned, left))
    else:
        exists = planned.items or left
        nothing = "" if exists else no_stack(run.stack, stacks_present(cloud)).message
        plans.show_teardown_result(planned, left, nothing)
    _stop_unused_cloud(cloud)
    if left:
        raise _left_behind(run.stack)


def _left_behind(stack: str) -> OrderNotifyError:
    return OrderNotifyError(
        f"what is left carries the tag of the stack {stack}, and is nothing that setup makes",
        f"Remove it by hand; or take its tag {STACK_TAG} away, if it is not the stack's. "
        "AWS may list for some minutes what is gone already.",
    )


def _carry_out(
    cloud: Cloud, settings: Settings, resources: tuple[Resource[Any], ...], planned: Plan, fate: OrdersFate
) -> Plan:
    """Remove what the plan says, and the orders as `fate` says; returns the plan that was carried out."""
    from ordernotify import provision

    if fate is OrdersFate.DELETE:
        planned = provision.plan_teardown(resources, delete_orders=True)
    apply_plan(resources, planned)
    planned = replace(planned, items=(*planned.items, *_remove_late(resources, planned)))
    if fate is not OrdersFate.EXPORT:
        return planned
    # Only then: nobody can store an order any more that the files would not hold.
    if cloud.target is Target.AWS:
        _let_requests_end(settings)
    _export(cloud, settings.stack, _tables(settings, planned))
    rest = provision.plan_teardown(resources, delete_orders=True)
    apply_plan(resources, rest)
    return replace(rest, items=(*planned.changes, *rest.items))


def _remove_late(resources: tuple[Resource[Any], ...], planned: Plan) -> Sequence[Item]:
    """Remove what AWS did not know yet when the plan was made; returns what that was."""
    from ordernotify.render.progress import waiting
    from ordernotify.stack.left import look_again

    with waiting() as tell:
        late = look_again(resources, planned, tell)
    if late.changes:
        apply_plan(resources, late)
    return late.items


def _let_requests_end(settings: Settings) -> None:
    from ordernotify.render.progress import waiting
    from ordernotify.stack.left import let_requests_end

    with waiting() as tell:
        let_requests_end(settings, tell)


def _tables(settings: Settings, planned: Plan) -> list[Names]:
    """List the tables that the plan keeps for their orders, each as the stack's names with that table."""
    return [replace(settings.names, table=item.name) for item in planned.items if item.keeps_orders]


def _export(cloud: Cloud, stack: str, tables: Iterable[Names]) -> None:
    from ordernotify.orders.export import export_orders
    from ordernotify.orders.files import Format
    from ordernotify.render.orders import show_exported
    from ordernotify.render.progress import counting

    for names in tables:
        file = str(next(export_files(stack)))
        with counting("exporting") as tick:
            count = export_orders(cloud, names, file, Format.JSONL, progress=tick)
        show_exported(count, file)


def _stop_unused_cloud(cloud: Cloud) -> None:
    """Stop the embedded cloud if nothing is left in it and nobody else uses it."""
    if cloud.target is Target.LOCAL:
        from ordernotify.local.unused import stop_if_unused

        stop_if_unused()
