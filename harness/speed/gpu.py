"""What one GPU makes of the training step: `python -m harness.speed.gpu`, in under 9 minutes.

It needs torch, torchvision, timm, pandas, scikit-learn, pydantic and safetensors, and no data; its
picture needs matplotlib. It says which `--speedups` pay, and how far the goals are.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from harness.speed.gpu_bench import Bench, Key, advice
from harness.speed.gpu_parts import FULL, TINY, Size, make_trials
from harness.speed.instruments import describe_hardware
from harness.speed.report import Row, Speed, markdown_table, write_speed

LIMIT_S = 480
"""No row is begun after this, unless another limit is asked for; rows take 5 to 120 s."""

PARTS: dict[str, Callable[[Bench], None]] = {
    "steps": Bench.steps,
    "loop": Bench.loop,
    "trials": Bench.trials,
    "compiled": Bench.compiled_steps,
    "compilations": Bench.compilations,
}


def measure_gpu(
    size: Size, parts: list[str], tell: Callable[[str], None], *, limit_s: float = LIMIT_S
) -> Bench:
    """The rows of some parts, in the order of `PARTS`, and of the goals."""
    bench = Bench(size, tell, limit_s)
    for part in PARTS:
        if part in parts:
            PARTS[part](bench)
    bench.goals()
    return bench


def told(rows: Sequence[Row], rates: dict[Key, float], device: str, *, remark: str = "") -> Speed:
    """The rows, and which means are the fastest; a remark says how they were measured."""
    lines = "\n".join(f"- {line}" for line in advice(rates)) or "- nothing to choose"
    return Speed(
        title="What one GPU makes of the training step",
        rows=tuple(rows),
        notes=NOTES.format(device=device, advice=lines, remark=f"\n{remark}\n" if remark else ""),
        tools=("torch", "timm"),
    )


NOTES = """\
{device}. Images are random, stored at 256 px and shown at 224 px; where they fit they lie on the
GPU. A step is data, augmentation, forward and backward pass in bfloat16, and AdamW. Where a batch
size stands beside another, nothing is compiled. Trials are of three epochs of 1,024 images of
DenseNet-121, in batches of 16, by eager steps.
{remark}
What was the fastest:

{advice}
"""


def main(arguments: list[str] | None = None) -> int:
    """Measure, print one table, write the report; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m harness.speed.gpu", description=__doc__)
    parser.add_argument("--part", choices=PARTS, action="append", help="only this; repeatable")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="next to nothing, to try the script")
    parser.add_argument("--limit-s", type=float, default=LIMIT_S, help="begin no row after this")
    parser.add_argument("--out", type=Path, default=Path("results/speed"))
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.device == "cuda" and not torch.cuda.is_available():
        sys.stderr.write("harness speed gpu: torch sees no GPU here; there is nothing to measure\n")
        return 2
    if asked.device == "cpu" and not asked.tiny:
        sys.stderr.write("harness speed gpu: --device cpu is for --tiny, which tries the script\n")
        return 2
    size = TINY if asked.device == "cpu" else FULL
    if asked.worker:
        make_trials(size, asked.worker)
        return 0
    is_gpu = size.device == "cuda"
    device = torch.cuda.get_device_name() if is_gpu else "No GPU: a try of the script"
    hardware = describe_hardware() | {"device": device}
    bench = measure_gpu(size, asked.part or list(PARTS), _say, limit_s=asked.limit_s)
    speed = told(bench.rows, bench.rates, device)
    for table in speed.tables:
        sys.stdout.write(markdown_table(table.headers, table.rows) + "\n")
    sys.stdout.write("".join(f"fastest: {line}\n" for line in advice(bench.rates)))
    for path in write_speed(asked.out.resolve() / "gpu", speed, hardware):
        sys.stdout.write(f"wrote {path}\n")
    return 0


def _say(what: str) -> None:
    sys.stderr.write(f"measuring {what}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
