"""What a run shows in Prefect's UI."""

from collections.abc import Callable
from pathlib import Path

import pytest
from prefect import flow, tags
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import Artifact, FlowRun
from prefect.context import FlowRunContext
from prefect.types.names import ArtifactKey
from pydantic import TypeAdapter

from seq2seq.config import Config
from seq2seq.storage.artifacts import Workspace
from tasks import ui
from tasks.step import pipeline_run
from tasks.ui import artifact_key, show_comparison, show_page, tag_run
from tests.tasks.test_pages import COMPARISON, DECISION


@pytest.mark.parametrize(
    ("name", "key"),
    [("demo", "demo-evaluation"), ("M30k_v1.2", "m30k-v1-2-evaluation"), ("a..-", "a-evaluation")],
)
def test_a_key_holds_the_name_of_the_model_in_a_form_that_prefect_takes(name: str, key: str, tmp_path: Path) -> None:
    with pipeline_run(Workspace(tmp_path), Config(name=name)):
        assert artifact_key("evaluation") == key
    TypeAdapter(ArtifactKey).validate_python(key)


Shown = tuple[FlowRun, dict[str | None, Artifact]]


@pytest.fixture
def run(prefect_server: str, tmp_path: Path) -> Callable[[Callable[[], None]], Shown]:
    """Does something inside a flow run; gives the run and its artifacts by key, as the server has them."""

    def go(work: Callable[[], None]) -> Shown:
        @flow
        def show() -> FlowRun:
            with pipeline_run(Workspace(tmp_path), Config(name="demo")):
                work()
            context = FlowRunContext.get()
            assert context is not None
            assert context.flow_run is not None
            return context.flow_run

        number = show().id
        mine = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[number]))
        with get_client(sync_client=True) as client:
            return client.read_flow_run(number), {one.key: one for one in client.read_artifacts(artifact_filter=mine)}

    return go


def test_a_comparison_is_published_with_the_decision_as_its_description(run: Callable[..., Shown]) -> None:
    _, artifacts = run(lambda: show_comparison(COMPARISON, DECISION))

    assert artifacts["demo-comparison"].description == "refused: no better"
    assert str(artifacts["demo-comparison"].data).startswith("# The champion stays (ko-en)\n")


def test_a_page_that_the_server_refuses_ends_no_run(run: Callable[..., Shown], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("no server")

    monkeypatch.setattr(ui, "create_markdown_artifact", refuse)

    assert run(lambda: show_page("corpus", "# Corpus", ""))[1] == {}


def test_a_run_is_tagged_with_languages_and_model_and_keeps_the_tags_that_it_has(run: Callable[..., Shown]) -> None:
    config = Config.model_validate({"name": "demo", "corpus": {"source_language": "ko", "target_language": "en"}})

    with tags("nightly"):
        found, _ = run(lambda: tag_run(config))

    assert sorted(found.tags) == ["demo", "ko-en", "nightly", "seq2seq-flows"]


def test_outside_of_a_flow_there_is_nothing_to_tag() -> None:
    tag_run(Config())
