"""What makes a function a flow of ours."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import Flow
from pydantic_core import to_jsonable_python

from tasks.stopping import cancelled_when_stopped

P = ParamSpec("P")
R = TypeVar("R")


class TranslationFlow(Flow[P, R]):
    """A flow whose parameters are records of pydantic and plain values.

    Prefect imports FastAPI to turn parameters into JSON, a tenth of a second of each run.
    """

    def serialize_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """The parameters as JSON values, as the server stores them."""
        return {name: to_jsonable_python(value) for name, value in parameters.items()}


def translation_flow(name: str, run_name: str) -> Callable[[Callable[P, R]], TranslationFlow[P, R]]:
    """Make a function a flow; its runs end as Cancelled when they were asked to stop."""

    def decorate(function: Callable[P, R]) -> TranslationFlow[P, R]:
        return TranslationFlow(cancelled_when_stopped(function), name=name, flow_run_name=run_name)

    return decorate
