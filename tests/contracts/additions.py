"""What a stranger adds to a copy of the package, as CONTRIBUTING says: edits, as data."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT


@dataclass(frozen=True)
class Entry:
    """A row of CONTRIBUTING's table, followed.

    Attributes:
        row: The first cell of the row.
        file: Where the registry is.
        registry: Its dict.
        line: The entry.
        code: What the entry names, written before the registry.
        new_file: A file that is added, with `new_text`.
    """

    row: str
    file: str
    registry: str
    line: str
    code: str = ""
    new_file: str = ""
    new_text: str = ""


LOSS = Entry(
    "a loss",
    "harness/training/losses.py",
    "LOSSES",
    '"brier": brier_terms,',
    '''
def brier_terms(logit_BL: Tensor, label_BL: Tensor, recipe: LossRecipe) -> Tensor:
    """Squared error of each probability, shape (B, L)."""
    return (logit_BL.sigmoid() - label_BL) ** 2
''',
)
OPTIMIZER = Entry(
    "an optimizer",
    "harness/training/optim.py",
    "OPTIMIZERS",
    '"adagrad": Kind(adagrad, num_moments=1),',
    """
def adagrad(groups: Groups, recipe: OptimRecipe) -> optim.Optimizer:
    return optim.Adagrad(groups, weight_decay=recipe.weight_decay)
""",
)
SCHEDULE = Entry(
    "a schedule",
    "harness/training/optim.py",
    "SCHEDULES",
    '"half": half,',
    '''
def half(done: float, floor: float) -> float:
    """1, and half of it from the middle on."""
    return 1.0 if done < 0.5 else 0.5
''',
)
RULE = Entry(
    "a threshold rule",
    "harness/evaluation/thresholds.py",
    "RULES",
    '"precise": Rule(each(max_precision), "the highest precision"),',
    '''
def max_precision(points: OperatingPoints) -> float:
    """The threshold with the highest precision."""
    return float(points.threshold_K[np.argmax(points.precision)])
''',
)
MODEL = Entry(
    "a model",
    "harness/models/zoo.py",
    "NETWORKS",
    '"vit_nano": vit_nano,',
    '''
def vit_nano(num_classes: int, img_size: int, **options: Any) -> nn.Module:
    """A transformer of two blocks."""
    backbone = VisionTransformer(
        img_size=img_size, patch_size=16, embed_dim=96, depth=2, num_heads=2,
        class_token=False, global_pool="avg", num_classes=num_classes, **options,
    )
    return _with_config(backbone)
''',
)
SPLIT = Entry(
    "a split",
    "harness/data/splits.py",
    "SPLITS",
    '"thirds": thirds,',
    '''
def thirds(table: pd.DataFrame, findings: Sequence[str]) -> NDArray[np.str_]:
    """A third of the patients each, by the hash of their names."""
    share_N = table["patient"].map(_draw).to_numpy(dtype=float)
    return np.select([share_N < 1 / 3, share_N < 2 / 3], ["train", "val"], "test")
''',
)
SAMPLER = Entry(
    "a sampler",
    "harness/search/samplers.py",
    "SAMPLERS",
    '"lowest": lowest,',
    '''
def lowest(space: SearchSpace, seen: Sequence[Seen], seed: int) -> dict[str, Any]:
    """The low ends."""
    return space.sample(lambda path, parameter: parameter.ends[0])
''',
)
CHECK = Entry(
    "a check of a store",
    "harness/data/checks/check.py",
    "CHECKS",
    '"size": check_size,',
    """
def check_size(subject: Subject) -> Check:
    from harness.data.checks.report import Verdict

    return Check(title="Size", verdict=Verdict.GOOD, summary="as large as it is")
""",
)
DATA_SET = Entry(
    "a data set",
    "harness/data/readers.py",
    "READERS",
    '"ward": Reader("harness.data.ward", "the ward\'s own images"),',
    new_file="harness/data/ward.py",
    new_text='''"""The films of a ward: `films.csv`, in which findings are told by yes and no."""

from pathlib import Path

from harness.data.csv_tables import labels_of, read_csv, source_of
from harness.data.preparing import SourceTable

ABOUT = {"source": "ward", "label_version": "films.csv", "attribution": "", "notes": ()}


def read(root: Path) -> SourceTable:
    """Every film in `root`."""
    path = root / "films.csv"
    rows = read_csv(path)
    labels = {"Mass": labels_of(rows["mass"], {"yes": True, "no": False}, path)}
    rows = rows.assign(image=rows["film"], patient=rows["bed"], part="train_val")
    return source_of(rows, labels, root, [path], ABOUT)
''',
)
ENTRIES = (LOSS, OPTIMIZER, SCHEDULE, RULE, MODEL, SPLIT, SAMPLER, CHECK, DATA_SET)

SPACE_FILE = "search_spaces/strange.yaml"
SPACE = """# yaml-language-server: $schema=space.schema.json
name: strange
title: all that a stranger has added, in one space
source: ours, made up for a test

base:
  data: { resize_px: 32, input_px: 32 }
  model: { name: vit_nano, weights: none }
  loss: { name: brier }
  optim: { name: adagrad }
  schedule: { name: half }
  evaluation: { threshold_rule: precise }
  train: { epochs: 8, batch_size: 32 }

space:
  optim.lr: { kind: log_float, low: 1e-3, high: 1e-2, default: 5e-3 }
  loss.name: { kind: choice, choices: [bce, brier], default: brier }

search:
  sampler: lowest
  grace_epochs: 2
"""


def copy_package(to: Path) -> Path:
    """What an installation holds, and the contract tests."""
    skip = shutil.ignore_patterns("__pycache__")
    for name in ("harness", "search_spaces", "results/published", "tests/contracts"):
        shutil.copytree(ROOT / name, to / name, ignore=skip)
    for name in ("conftest.py", "training/test_losses.py", "search/test_samplers.py"):
        (to / "tests" / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / "tests" / name, to / "tests" / name)
    return to


def add(entry: Entry, to: Path) -> None:
    """Follow the row: write the code before the registry, and the line into it."""
    path = to / entry.file
    text = path.read_text(encoding="utf-8")
    (head,) = (line for line in text.splitlines() if line.startswith(f"{entry.registry}: dict["))
    assert head.endswith("{"), f"{entry.registry} has no lines of its own for its entries"
    code = f"{entry.code.strip()}\n\n\n" if entry.code else ""
    path.write_text(text.replace(head, f"{code}{head}\n    {entry.line}"), encoding="utf-8")
    if entry.new_file:
        (to / entry.new_file).write_text(entry.new_text, encoding="utf-8")
