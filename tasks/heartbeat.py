"""Signs of life of a run started by hand, for the automation that marks runs whose process died."""

import contextvars
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.events import emit_event
from prefect.settings import get_current_settings

SECONDS = 30.0


@contextmanager
def heartbeats() -> Iterator[None]:
    """Emit `prefect.flow-run.heartbeat` while the block runs, where Prefect's engine was told not to.

    The command line tells it so: the engine's thread sleeps in whole seconds, and the engine waits for it at the end
    of every run, half a second on average. A run in which nothing is to be done takes little longer than that.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None or get_current_settings().flows.heartbeat_frequency is not None:
        yield
        return
    ended = threading.Event()
    beating = (_beat, context.flow_run, context.flow.name if context.flow else "", ended)
    threading.Thread(target=contextvars.copy_context().run, args=beating, daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _beat(run: FlowRun, flow_name: str, ended: threading.Event) -> None:
    """Emit one heartbeat after another, with what the engine's own hold."""
    resource = {"prefect.resource.id": f"prefect.flow-run.{run.id}", "prefect.resource.name": run.name}
    related = [
        {
            "prefect.resource.id": f"prefect.flow.{run.flow_id}",
            "prefect.resource.role": "flow",
            "prefect.resource.name": flow_name,
        },
        *({"prefect.resource.id": f"prefect.tag.{tag}", "prefect.resource.role": "tag"} for tag in run.tags),
    ]
    while not ended.is_set():
        emit_event("prefect.flow-run.heartbeat", resource=resource, related=related)
        ended.wait(SECONDS)
