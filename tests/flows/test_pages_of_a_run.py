"""The artifacts that a run of the flow leaves on the server."""

from collections.abc import Callable
from pathlib import Path

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.sorting import FlowRunSort

from flows.train_translator import train_translator
from seq2seq.config import Config

PAGES = {"corpus", "cleaning", "vocabulary", "training-progress", "training", "evaluation", "summary"}


def pages_of_last_run() -> dict[str, str]:
    """Key and content of the artifacts of the flow run that was started last."""
    with get_client(sync_client=True) as client:
        (last,) = client.read_flow_runs(limit=1, sort=FlowRunSort.EXPECTED_START_TIME_DESC)
        mine = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[last.id]))
        return {str(one.key): str(one.data) for one in client.read_artifacts(artifact_filter=mine)}


def test_a_run_leaves_a_page_for_each_thing_to_look_at_and_a_cached_one_its_summary(
    prefect_server: str, tiny_config: Callable[..., Config], tmp_path: Path
) -> None:
    config = tiny_config("name=Another_1", "model.attention=general")
    train_translator(config, str(tmp_path))
    pages = pages_of_last_run()
    train_translator(config, str(tmp_path))
    again = pages_of_last_run()

    assert set(pages) == {f"another-1-{page}" for page in PAGES}
    assert "### Worst" in pages["another-1-evaluation"]
    assert set(again) == {"another-1-summary"}
    assert "| train | cached |" in again["another-1-summary"]
