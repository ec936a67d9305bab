"""The GPUs of one machine as torch sees them, and who else uses them; no Ray."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from harness.execution.checks import Check, show_bytes

BUSY_PART = 0.1
"""Used part of a GPU's memory that tells of somebody else."""
TORCH_TIMEOUT_S = 100
SMI_TIMEOUT_S = 20


@dataclass(frozen=True)
class Gpu:
    """A GPU as torch sees it."""

    name: str
    free_bytes: int
    total_bytes: int


def check_gpus(num_gpus: int, gpu_bytes: int, *, node: str) -> Check | None:
    """That torch sees the GPUs that Ray counts, with room; None on a machine without any."""
    if not num_gpus:
        return None
    try:
        gpus = _visible_gpus()
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        lines = str(getattr(error, "stderr", None) or error).strip().splitlines()
        todo = "see what `python -c 'import torch; torch.cuda.mem_get_info()'` says on this node"
        return Check(what="GPUs", node=node, is_ok=False, detail=lines[-1], todo=todo)
    return judge_gpus(gpus, num_gpus, gpu_bytes, node=node, processes=_gpu_processes())


def judge_gpus(
    gpus: Sequence[Gpu], num_gpus: int, gpu_bytes: int, *, node: str, processes: Sequence[str] = ()
) -> Check:
    """What the GPUs of a machine mean for trials that take `gpu_bytes` each."""
    if len(gpus) < num_gpus:
        detail = f"Ray counts {num_gpus} GPU, torch sees {len(gpus)}"
        todo = "install a torch for this machine's CUDA driver, or start its Ray with --num-gpus"
        return Check(what="GPUs", node=node, is_ok=False, detail=detail, todo=todo)
    detail = "; ".join(
        f"{index} {gpu.name}: {show_bytes(gpu.free_bytes)} of {show_bytes(gpu.total_bytes)} free"
        for index, gpu in enumerate(gpus)
    )
    busy = [gpu for gpu in gpus if gpu.free_bytes < (1 - BUSY_PART) * gpu.total_bytes]
    if busy and processes:
        detail += f"; in use by {', '.join(processes)}"
    is_ok = all(gpu.free_bytes >= gpu_bytes for gpu in gpus)
    todo = "end what else runs there, or expect trials out of memory" if busy else ""
    if not is_ok:
        detail += f"; a trial takes {show_bytes(gpu_bytes)}"
        todo = todo or "take a smaller train.batch_size, or another node"
    return Check(what="GPUs", node=node, is_ok=is_ok, detail=detail, todo=todo)


GPU_QUERY = """
import json, torch
gpus = range(torch.cuda.device_count())
seen = [[torch.cuda.get_device_name(gpu), *torch.cuda.mem_get_info(gpu)] for gpu in gpus]
print(json.dumps(seen))
"""


def _visible_gpus() -> list[Gpu]:
    """In a process of its own: what torch takes of a GPU, it keeps until its process ends."""
    environment = dict(os.environ)
    if not environment.get("CUDA_VISIBLE_DEVICES", "all"):
        del environment["CUDA_VISIBLE_DEVICES"]  # Ray's word to a task that asks for none
    done = subprocess.run(
        [sys.executable, "-c", GPU_QUERY],
        capture_output=True, text=True, timeout=TORCH_TIMEOUT_S, check=True, env=environment,
    )  # fmt: skip
    return [Gpu(*values) for values in json.loads(done.stdout)]


def _gpu_processes() -> list[str]:
    """`process 4711 (9000 MiB)`, as far as nvidia-smi knows; in a container it sees few."""
    query = ["nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader"]
    try:
        done = subprocess.run(
            query, capture_output=True, text=True, timeout=SMI_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    rows = (line.partition(",") for line in done.stdout.splitlines() if line.strip())
    return [f"process {pid.strip()} ({memory.strip()})" for pid, _, memory in rows]
