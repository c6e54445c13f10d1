"""`python -m flows corpus changed NAME`: tell the deployments that retrain on a corpus."""

from typing import TYPE_CHECKING

from cyclopts import App

from flows.connection import address_of, lasting_server
from seq2seq.errors import UserError

if TYPE_CHECKING:
    from prefect.events import Automation, Resource

EVENT = "seq2seq.corpus.changed"

app = App(name="corpus", help="Say that a corpus changed.")


@app.command
def changed(name: str, /) -> None:
    """Say that a corpus changed: the deployments that wait for it start a run each.

    Parameters
    ----------
    name
        Name of the configuration that trains on the corpus, as in prefect.yaml.
    """
    with lasting_server() as client:
        from prefect.events import Event, Resource

        resource = Resource({"prefect.resource.id": f"seq2seq.corpus.{name}", "prefect.resource.name": name})
        listening = [one.name for one in client.read_automations() if _waits_for(one, resource)]
        if not listening:
            raise UserError(
                f"Nothing waits for a change of the corpus {name} on {address_of(client)}. prefect.yaml says which "
                "deployments wait for which corpus (triggers); `python -m flows deploy` puts it into force."
            )
        event = Event(event=EVENT, resource=resource)
        client.request("POST", "/events", json=[event.model_dump(mode="json")]).raise_for_status()
        print(f"told: {', '.join(listening)}")


def _waits_for(automation: "Automation", resource: "Resource") -> bool:
    from prefect.events import EventTrigger

    trigger = automation.trigger
    return (
        automation.enabled
        and isinstance(trigger, EventTrigger)
        and EVENT in trigger.expect
        and trigger.match.matches(resource)
    )
