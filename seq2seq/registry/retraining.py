"""Whether a retrained model (the challenger) has still to be decided on, and where its training can be spared."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from seq2seq.registry.champions import Decision, champion_of, taken_back
from seq2seq.settings.evaluation import EvaluationSettings
from seq2seq.settings.promotion import PromotionSettings
from seq2seq.storage.artifacts import Record, Workspace, digest_of

Ingredients = Mapping[str, Any]


def scored_on(cleaned: Record, evaluation: EvaluationSettings) -> str:
    """Digest of what two models are compared on: the test pairs, and how they are decoded and scored."""
    return digest_of({"pairs": cleaned.parts(("test",)), "evaluation": evaluation.key_content()})


def rules(promotion: PromotionSettings) -> dict[str, Any]:
    """The settings under which a comparison is judged: they are kept beside it."""
    return {"policy": promotion.policy, "level": promotion.level}


def settled(history: Sequence[Decision], model: str, test: str, promotion: PromotionSettings) -> str:
    """Why nothing is to be decided about the model with this digest; an empty text where it has to be.

    It is the champion; or it was, and somebody went back behind it; or it was compared with this champion on these
    pairs under these rules.
    """
    champion = champion_of(history)
    if champion is None:
        return ""
    if champion.model == model:
        return f"nothing changed since {champion.at}: this corpus, settings and code give the model in use"
    if model in taken_back(history):
        return (
            f"model {model[:12]}, which this corpus, settings and code give, was rolled back: it is not promoted again "
            "by itself (`python -m flows models promote` does it)"
        )
    asked = (model, champion.model, test, rules(promotion))
    for one in reversed(history):
        if asked == (one.model, one.against, one.test, {name: one.comparison.get(name) for name in rules(promotion)}):
            return f"nothing changed since {one.at}: model {model[:12]} was {one.action} then ({one.why})"
    return ""


def siblings(workspace: Workspace, variants: Iterable[Ingredients]) -> Iterator[Record]:
    """Trainings in the workspace with these ingredients, from whatever weights they started.

    A champion that was warm-started is told by them: on unchanged data it would have another parent tonight, itself,
    and another key.
    """
    wanted = [_without_parent(ingredients) for ingredients in variants]
    return (record for record in workspace.records("train") if _without_parent(record.provenance) in wanted)


def _without_parent(ingredients: Ingredients) -> dict[str, Any]:
    names = ("format", "step", "code", "settings", "libraries")
    inputs = {name: parts for name, parts in ingredients["inputs"].items() if name != "parent"}
    return {name: ingredients[name] for name in names} | {"inputs": inputs}
