"""A bundle's folder around a network with random weights: the app needs no trained one."""

from pathlib import Path

from safetensors.torch import save_file

from harness.bundle.bundle import (
    BUNDLE_FILE,
    CARD_FILE,
    RECIPE_FILE,
    WEIGHTS_FILE,
    Agreement,
    BundleFacts,
    Input,
    PartFigures,
)
from harness.core.files import sha256_of_file, write_json
from harness.core.findings import FINDINGS
from harness.core.recipe import Recipe
from harness.core.records import Provenance
from harness.models.zoo import build_network

CARD = "# A made model\n\nFor tests. ![far](http://example.invalid/far.png)\n"


def make_bundle(
    folder: Path,
    *,
    network: str = "densenet_mini",
    size_px: int = 64,
    input_px: int = 56,
    seed: int = 0,
    temperature: float = 1.5,
    findings: tuple[str, ...] = FINDINGS,
) -> Path:
    """Findings' thresholds are, in turn, always reached, never reached, and not known."""
    recipe = Recipe().with_values(
        {
            "model.name": network,
            "model.weights": "none",
            "data.resize_px": size_px,
            "data.input_px": input_px,
            "data.store": "0" * 64,
            "seed": seed,
        }
    )
    built = build_network(recipe.model, num_findings=len(findings), input_px=input_px, seed=seed)
    folder.mkdir(parents=True)
    save_file(built.backbone.state_dict(), folder / WEIGHTS_FILE)
    facts = BundleFacts(
        name=f"made/{seed}",
        run_id=recipe.run_id,
        findings=findings,
        thresholds={name: (0.0, 1.0, None)[i % 3] for i, name in enumerate(findings)},
        threshold_rule="f1",
        temperature=temperature,
        input=Input(
            size_px=size_px,
            resize_px=size_px,
            input_px=input_px,
            mean=tuple(built.mean.flatten().tolist()),
            std=tuple(built.std.flatten().tolist()),
        ),
        is_synthetic=True,
        label_version="made",
        attribution="",
        has_patients=False,
        store="0" * 64,
        provenance=Provenance(
            git_commit="",
            git_dirty=None,
            versions={},
            device="cpu",
            split="official",
            split_sha256="0" * 64,
            store_source="made",
            labels_sha256="0" * 64,
        ),
        best_epoch=1,
        seen=(),
        weights_sha256=sha256_of_file(folder / WEIGHTS_FILE),
        agreement=Agreement(
            num_images=0, trained_on="cpu", checked_on="cpu", largest_difference=0, tolerance=0
        ),
        validation=PartFigures(num_images=0, num_patients=0),
    )
    write_json(folder / BUNDLE_FILE, facts.model_dump(mode="json"))
    write_json(folder / RECIPE_FILE, recipe.model_dump(mode="json"))
    (folder / CARD_FILE).write_text(CARD)
    return folder
