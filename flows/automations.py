"""What Prefect's server does by itself about runs of these flows."""

from datetime import timedelta

from prefect.client.schemas.objects import StateType
from prefect.events import AutomationCore, ChangeFlowRunState, EventTrigger, Posture, ResourceSpecification

FLOWS = ("train-translator", "evaluate-translator", "retrain-translator")
DEAD_RUNS = "seq2seq-flows: a run without a sign of life has crashed"


def dead_runs_crash(seconds: float) -> AutomationCore:
    """Mark a run as Crashed when nothing was heard of it for some seconds (at least 10) after a heartbeat.

    A run of a worker is marked by the worker, at once; this is for runs started by hand, and for a machine that is
    gone. The server refuses it for a run that has ended, though not for one that is tried again and waits; a run marked
    so by mistake still ends as Completed.
    """
    ended = ("Completed", "Failed", "TimedOut", "Crashed", "Cancelled", "Paused", "Suspended")
    waiting = ("Scheduled", "Late", "AwaitingRetry", "AwaitingConcurrencySlot", "Resuming", "Pending")
    return AutomationCore(
        name=DEAD_RUNS,
        description=f"Heartbeats come every 30 seconds; after {seconds:g} seconds without one a run has crashed.",
        trigger=EventTrigger(
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=ResourceSpecification(
                {"prefect.resource.role": "flow", "prefect.resource.name": list(FLOWS)}
            ),
            for_each={"prefect.resource.id"},
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.heartbeat", *(f"prefect.flow-run.{state}" for state in ended + waiting)},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=seconds),
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message=f"No sign of life for {seconds:g} seconds: the process is gone, or its machine. What is done "
                "stays done: the same command goes on from the last checkpoint.",
            )
        ],
    )
