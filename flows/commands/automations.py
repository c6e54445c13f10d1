"""`python -m flows automations install`, `list` and `remove`: what the server does about runs that died."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from flows.connection import address_of, lasting_server

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.events import Automation, AutomationCore

SILENT_SECONDS = 90

app = App(name="automations", help="What the server does about runs that died.")

Seconds = Annotated[
    int, Parameter(validator=Number(gte=60), help="How long a run may be silent; heartbeats come every 30 seconds.")
]


@app.command
def install(*, seconds: Seconds = SILENT_SECONDS) -> None:
    """Mark runs whose process died as Crashed, whoever started them. Installing again changes it."""
    with lasting_server() as client:
        from flows.automations import dead_runs_crash

        wanted = dead_runs_crash(seconds)
        print(f"{put_in_force(client, wanted)} on {address_of(client)}: {wanted.name}, after {seconds} seconds")


@app.command(name="list")
def list_installed() -> None:
    """Show what is installed on the server."""
    with lasting_server() as client:
        for one in _ours(client):
            print(f"{'on ' if one.enabled else 'off'} {one.name}. {one.description}")


@app.command
def remove() -> None:
    """Remove from the server what `install` installed."""
    with lasting_server() as client:
        for one in _ours(client):
            client.delete_automation(one.id)
            print(f"removed from {address_of(client)}: {one.name}")


def put_in_force(client: "SyncPrefectClient", wanted: "AutomationCore") -> str:
    """Create an automation, or change the one of that name; says which. One switched off in the UI stays so."""
    there = client.read_automations_by_name(wanted.name)
    if not there:
        client.create_automation(wanted)
        return "installed"
    first, *others = there
    client.update_automation(first.id, wanted.model_copy(update={"enabled": first.enabled}))
    for other in others:
        client.delete_automation(other.id)
    return "changed"


def _ours(client: "SyncPrefectClient") -> "list[Automation]":
    from flows.automations import DEAD_RUNS

    return client.read_automations_by_name(DEAD_RUNS)
