"""The commands that put a winner to use: `promote`, `export`, `predict`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import RESULTS, Results
from harness.console import print_table, progress_bar
from harness.core.errors import HarnessError
from harness.words import checked_alias, checked_name, classifier_of, writable

if TYPE_CHECKING:
    from harness.bundle.classifier import Answer, Classifier
    from harness.bundle.predict import Answered

RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="SEARCH/TRIAL, a run's name or id, or its folder.")
]
RunStore = Annotated[
    Path | None, typer.Option("--data", help="Image store of the run; without: where it was.")
]
Tolerance = Annotated[
    float,
    typer.Option(min=0, help="Largest difference of a score from the run's own; 0 is bit-equal."),
]
NUM_SHOWN = 40


def promote(
    run: RunName,
    alias: Annotated[str, typer.Option(help="Alias that the version gets.")] = "champion",
    name: Annotated[str, typer.Option(help="Name of the model; without: of the search.")] = "",
    data: RunStore = None,
    tolerance: Tolerance = 0.0,
    results: Results = RESULTS,
) -> None:
    """Make a completed run a model of MLflow's registry.

    It has thresholds, calibration and a card. Its network is loaded again and must give the run's
    own validation scores. Run again, the alias moves. Example: harness promote dannynet/t0007
    """
    results = writable(results)
    if name:
        checked_name(name)
    checked_alias(alias)
    from harness.benchmark.find_run import find_run

    found = find_run(run, results)
    from harness.jobs.promote import BundleOrder, promote  # takes seconds: mistakes are told first

    with progress_bar("scoring validation again") as progress:
        order = BundleOrder(results=results, store=data, tolerance=tolerance, progress=progress)
        done = promote(found, name=name, alias=alias, order=order)
    model = done.model
    if done.is_new:
        print(f"{model.run} is {model.name}, version {model.version}: {done.agreement}")
    else:
        print(f"{model.run} was {model.name}, version {model.version}, already; no new version")
    print(f"models:/{model.name}@{alias} names it")
    model_option = f"--model models:/{model.name}@{alias}"
    print(f"next: harness app {model_option}, or harness predict IMAGE {model_option}")


def export(
    run: RunName,
    to: Annotated[Path, typer.Option("--to", help="Folder that is written.")],
    onnx: Annotated[bool, typer.Option("--onnx", help="Also as model.onnx (extra: onnx).")] = False,
    data: RunStore = None,
    tolerance: Tolerance = 0.0,
    results: Results = RESULTS,
) -> None:
    """Write a completed run as a folder: weights, recipe, card.

    Thresholds and temperature are in it, too.

    Example: harness export dannynet/t0007 --to dannynet-bundle --onnx
    """
    results = results.resolve()
    from harness.benchmark.find_run import find_run

    found = find_run(run, results)
    from harness.jobs.promote import BundleOrder, export  # takes seconds: mistakes are told first

    with progress_bar("scoring validation again") as progress:
        order = BundleOrder(results=results, store=data, tolerance=tolerance, progress=progress)
        bundle, agreement = export(found, to.resolve(), with_onnx=onnx, order=order)
    print(f"{bundle.name}: {agreement}")
    print(f"wrote {bundle.folder}")
    print(f"next: harness predict IMAGE --model {shlex.quote(str(to))}, or read {to}/card.md")


def predict(
    images: Annotated[
        list[Path], typer.Argument(help="PNG, JPEG, DICOM, ... files, or folders of them.")
    ],
    model: Annotated[
        str | None,
        typer.Option(help="models:/NAME@ALIAS or a bundle's folder; without: newest champion."),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write scores, thresholds, probabilities, flags.")
    ] = None,
    results: Results = RESULTS,
) -> None:
    """What a promoted model says of images: flagged findings first. Not a medical device.

    Exit code 3 where some images could not be read, 1 where none could. Example: harness predict
    chest.png more/ --csv answers.csv
    """
    from harness.data.image_files import image_files

    files = image_files(images)
    if csv is not None and csv.is_dir():
        raise HarnessError(f"--csv {csv}: is a folder; name a file")
    classifier = classifier_of(model, results.resolve())
    from harness.bundle.predict import predict, write_answers  # takes seconds

    with progress_bar("reading images") as progress:
        answered = predict(classifier, files, progress=progress)
    if csv is not None and answered.answers:
        write_answers(csv, answered)  # before anything is shown: the reader may have gone
    _say_answers(answered)
    for path, reason in answered.failures.items():
        print(f"not read: {path}: {reason}")
    if csv is not None and answered.answers:
        print(f"wrote {csv}")
    if answered.failures:
        raise typer.Exit(3 if answered.answers else 1)


def _say_answers(answered: "Answered") -> None:
    classifier, answers = answered.classifier, answered.answers
    if not answers:
        return
    print(f"{classifier.bundle.title}. {classifier.bundle.caution}")
    if len(answers) == 1:
        ((path, answer),) = answers.items()
        print(path)
        _say_one(classifier, answer)
        return
    shown = list(answers.items())[:NUM_SHOWN]
    print_table(
        ["image", "flagged (probability)"],
        [[str(path), _flagged(classifier, answer)] for path, answer in shown],
    )
    if len(answers) > NUM_SHOWN:
        print(f"and {len(answers) - NUM_SHOWN} more; --csv FILE writes all")


def _say_one(classifier: "Classifier", answer: "Answer") -> None:
    """Every finding of an image, the flagged ones first."""
    threshold_L = classifier.probability_threshold_L
    rows = []
    for column in _order(answer):
        threshold = threshold_L[column]
        rows.append(
            [
                "FLAGGED" if answer.is_flagged_L[column] else "",
                classifier.findings[column],
                f"{answer.probability_L[column]:.3f}",
                "none" if threshold != threshold else f"{threshold:.3f}",
            ]
        )
    print_table(["", "finding", "probability", "threshold"], rows)


def _flagged(classifier: "Classifier", answer: "Answer") -> str:
    told = [
        f"{classifier.findings[column]} {answer.probability_L[column]:.2f}"
        for column in _order(answer)
        if answer.is_flagged_L[column]
    ]
    return ", ".join(told) or "none"


def _order(answer: "Answer") -> list[int]:
    """Columns: flagged ones first, then by falling probability."""
    columns = range(len(answer.score_L))
    return sorted(
        columns, key=lambda one: (not answer.is_flagged_L[one], -answer.probability_L[one])
    )
