"""A checklist for a paper on imaging AI, answered as far as a `Results` can answer it.

Items after CLAIM (Mongan, Moy & Kahn 2020, doi:10.1148/ryai.2020200029), in words of our own and
numbered as there; its 2024 update (Tejani et al., doi:10.1148/ryai.240300) keeps the order. What no
figure can answer is left to the authors.
"""

from collections.abc import Callable
from dataclasses import dataclass

from harness.benchmark.forms import methods
from harness.benchmark.forms.cells import words
from harness.benchmark.forms.comparison import headline
from harness.benchmark.forms.markdown import as_table
from harness.benchmark.forms.tables import Table
from harness.benchmark.forms.wording import listed, plural
from harness.benchmark.metric_info import METRIC_INFO
from harness.benchmark.results import Results
from harness.core.findings import readable

TO_AUTHORS = "to be answered by the authors"
Answer = Callable[[Results], str]


@dataclass(frozen=True)
class Item:
    """A thing that a paper should tell.

    Attributes:
        answer: The sentences that answer it, empty where they are not known; None: no figure can.
        is_whole: The sentences answer all of it.
    """

    number: int
    section: str
    asks: str
    answer: Answer | None = None
    is_whole: bool = False


def as_claim(results: Results) -> str:
    """The checklist as Markdown."""
    lines = [(item, item.answer(results) if item.answer else "") for item in ITEMS]
    table = Table(
        key="claim",
        title="Checklist",
        headers=("Item", "Section", "What the paper should tell", "Answered", "Answer"),
        rows=tuple(
            (
                words(item.number),
                words(item.section),
                words(item.asks),
                words(_state(item, answer)),
                words(answer or TO_AUTHORS),
            )
            for item, answer in lines
        ),
        num_text=5,
    )
    num_answered = sum(bool(answer) for _, answer in lines)
    return (
        "# Checklist after CLAIM\n\n"
        f"{num_answered} of {len(ITEMS)} items are answered, in whole or in part, from what was "
        "recorded; the others are for the authors. Items in our own words after Mongan, Moy & Kahn "
        "2020, doi:10.1148/ryai.2020200029; see also the 2024 update (Tejani et al., "
        "doi:10.1148/ryai.240300). Check every answer before it is sent in.\n\n"
        f"{as_table(table)}\n"
    )


def _state(item: Item, answer: str) -> str:
    if not answer:
        return "no"
    return "yes" if item.is_whole else "in part"


def _joined(*answers: Answer) -> Answer:
    return lambda results: " ".join(text for answer in answers if (text := answer(results)))


def _weights(results: Results) -> str:
    """What each network started from."""
    known = [(row.label, row.recipe.model) for row in results.rows if row.recipe]
    return " ".join(
        f"{label}: {'random weights' if model.weights == 'none' else f'weights {model.weights}'} "
        f"({model.network})."
        for label, model in known
    )


def _choice(results: Results) -> str:
    winners = [row for row in results.rows if row.is_winner and row.search_score is not None]
    if not winners:
        return ""
    return " ".join(
        f"{row.label} is the trial with the best validation macro AUROC "
        f"({row.search_score:.4f}) of its search."
        for row in winners
    )


def _metrics(results: Results) -> str:
    measured = [title.title for name, title in METRIC_INFO.items() if _is_measured(results, name)]
    return f"{listed(measured)}. {methods.metrics(results)}" if measured else ""


def _is_measured(results: Results, metric: str) -> bool:
    return any(metric in figures for row in results.rows for figures in row.figures.values())


def _flow(results: Results) -> str:
    facts = results.caption
    counts = (
        ("test", facts.num_images, "image"),
        ("test", facts.num_patients, "patient"),
        ("validation", facts.num_val_patients, "patient"),
    )
    known = [f"{part}: {plural(count, noun)}" for part, count, noun in counts if count is not None]
    return f"{'; '.join(known)}." if known else ""


def _positives(results: Results) -> str:
    known = [f"{readable(name)} {n:,}" for name, n in results.num_positives.items()]
    return f"Test images with each finding: {', '.join(known)}." if known else ""


ITEMS: tuple[Item, ...] = (
    Item(1, "Title", "that it is a study of AI, and of which kind"),
    Item(2, "Abstract", "design, methods, results and conclusions, in a structured summary"),
    Item(3, "Introduction", "the clinical problem, the intended use and role of the method"),
    Item(4, "Introduction", "aims and hypotheses"),
    Item(5, "Study design", "whether it looks forward or back in time"),
    Item(6, "Study design", "its goal, such as a new model or a feasibility study"),
    Item(7, "Data", "where the data come from", methods.data),
    Item(8, "Data", "who was included and excluded, where and when"),
    Item(9, "Data", "how the images were processed before they were used", methods.models),
    Item(10, "Data", "whether subsets were selected, and how", methods.split),
    Item(11, "Data", "what each data element means, by common definitions where there are some"),
    Item(12, "Data", "how identities were removed"),
    Item(
        13,
        "Data",
        "how missing data were handled",
        _joined(methods.unknown_labels, methods.metrics),
    ),
    Item(14, "Reference standard", "how the labels are defined", methods.data),
    Item(15, "Reference standard", "why this reference was chosen"),
    Item(16, "Reference standard", "who or what made the labels, with which qualification"),
    Item(17, "Reference standard", "with which tools"),
    Item(18, "Reference standard", "how far the raters agree, and what was done about it"),
    Item(19, "Partitions", "the sample size and how it was set", _flow),
    Item(20, "Partitions", "how cases were assigned to the parts", methods.split),
    Item(21, "Partitions", "at which level parts are disjoint", methods.disjoint, is_whole=True),
    Item(22, "Model", "the network, what goes in and what comes out", methods.models),
    Item(23, "Model", "the software and its versions", methods.software, is_whole=True),
    Item(24, "Model", "how the weights were initialised", _weights, is_whole=True),
    Item(
        25,
        "Training",
        "the training in full: augmentation, hyperparameters, number of models",
        _joined(methods.models, methods.search, methods.training),
        is_whole=True,
    ),
    Item(26, "Training", "how the final model was chosen", _choice, is_whole=True),
    Item(27, "Training", "how models were combined, if so", methods.ensembles, is_whole=True),
    Item(28, "Evaluation", "the metrics", _metrics, is_whole=True),
    Item(
        29,
        "Evaluation",
        "the statistics: uncertainty and tests",
        _joined(methods.statistics, methods.multiplicity),
        is_whole=True,
    ),
    Item(30, "Evaluation", "analyses of robustness", methods.subgroups),
    Item(31, "Evaluation", "how a decision of the model is explained", methods.where),
    Item(32, "Evaluation", "tests on data from elsewhere"),
    Item(33, "Results", "how many cases went through each step", _flow),
    Item(34, "Results", "age, sex and disease of the patients of each part", _positives),
    Item(35, "Results", "the performance on every part", headline),
    Item(36, "Results", "diagnostic accuracy with its precision", headline),
    Item(37, "Results", "which cases were wrong, and why"),
    Item(38, "Discussion", "limits, bias, doubt, how far it generalises"),
    Item(39, "Discussion", "what follows for practice"),
    Item(40, "Other", "the number and name of a registration"),
    Item(41, "Other", "where the whole protocol can be read"),
    Item(42, "Other", "who paid, and what their part was"),
)
