#!/usr/bin/env bash
# A search on Slurm: a Ray cluster over the nodes of this job, the command, and the queue again when time
# runs out. From the folder in which `harness` is typed, its environment activated:
#
#   sbatch cluster/slurm.sh harness search dannynet --data /shared/stores/nih-256 \
#     --trials 60 --results /shared/results --address auto
#
# Ends with the exit code of the command. At the time limit, or when the job is pre-empted with
# notice, the command gets SIGTERM two minutes ahead, and the job goes back to the queue; started
# again, the same command goes on. Pre-empted without notice it does so too, by --requeue. A node that
# fails takes its trials along (they go on elsewhere from their last checkpoint), not the job: --no-kill.
#
#SBATCH --job-name=harness
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --gpus-per-node=4
#SBATCH --mem=0
#SBATCH --time=24:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --requeue
#SBATCH --no-kill
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log
set -euo pipefail

JOIN_TIMEOUT_S=${JOIN_TIMEOUT_S:-600}   # for all nodes to be there
STOP_TIMEOUT_S=${STOP_TIMEOUT_S:-100}   # for the command to put things in order, of the 120 s above
LOCAL_ROOT=${LOCAL_ROOT:-/tmp}          # on each node's own disk; short, as Ray's sockets lie below it

say() { printf 'slurm.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

[[ -n ${SLURM_JOB_ID:-} ]] || die "start it by sbatch; see the head of this file"
(($#)) || die "no command: sbatch cluster/slurm.sh harness search SPACE ..."

# All of it belongs to this job alone, as other jobs, and other people's, may share its nodes.
export RAY_TMPDIR="$LOCAL_ROOT/ray-$SLURM_JOB_ID-${SLURM_RESTART_COUNT:-0}"
export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0
export RAY_ENABLE_UV_RUN_RUNTIME_ENV=0  # below `uv run`, Ray would pack and send this folder
RAY_AUTH_TOKEN=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')
export RAY_AUTH_TOKEN
port=$((20000 + SLURM_JOB_ID % 6000 * 2))
head_ip=$(python -c 'import ray.util; print(ray.util.get_node_ip_address())')
export RAY_ADDRESS="$head_ip:$port"     # what `--address auto` means to the command

steps=()    # process ids of the srun commands
search=""   # process id of the command
end_by=""   # of $SECONDS; set once the job is asked to end

start_nodes() {
  local each=(--num-cpus="${SLURM_CPUS_PER_TASK:-1}" --num-gpus="${SLURM_GPUS_ON_NODE:-0}"
    --block --disable-usage-stats)
  local run=(srun --overlap --no-kill --kill-on-bad-exit=0
    --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}")
  # shellcheck disable=SC2016  # the task's own number: each node gets a folder of its own
  local start='exec ray start --temp-dir="$RAY_TMPDIR/$0$SLURM_PROCID" "$@"'
  "${run[@]}" --nodes=1 --ntasks=1 --nodelist="$SLURMD_NODENAME" \
    bash -c "$start" h --head --port="$port" --ray-client-server-port=$((port + 1)) \
    --include-dashboard=false "${each[@]}" &
  steps+=($!)
  if ((SLURM_JOB_NUM_NODES > 1)); then
    wait_for_head
    local others=$((SLURM_JOB_NUM_NODES - 1))
    "${run[@]}" --nodes="$others" --ntasks="$others" --exclude="$SLURMD_NODENAME" \
      bash -c "$start" w --address="$RAY_ADDRESS" "${each[@]}" &
    steps+=($!)
  fi
}

wait_for_head() {
  local deadline=$((SECONDS + JOIN_TIMEOUT_S))
  until ray health-check --address "$RAY_ADDRESS" >/dev/null 2>&1; do
    kill -0 "${steps[0]}" 2>/dev/null || die "the Ray head has ended; its messages are above"
    ((SECONDS < deadline)) || die "no Ray head at $RAY_ADDRESS after $JOIN_TIMEOUT_S s"
    sleep 0.5
  done
}

wait_for_nodes() {
  wait_for_head
  # In the background, as a signal is seen during `wait`, and not before a command has ended.
  python - "$SLURM_JOB_NUM_NODES" "$JOIN_TIMEOUT_S" <<'PY' &
import sys
import time

import ray

wanted, timeout_s = int(sys.argv[1]), float(sys.argv[2])
ray.init(address="auto", log_to_driver=False, logging_level="ERROR")
deadline = time.monotonic() + timeout_s
while (joined := sum(node["Alive"] for node in ray.nodes())) < wanted:
    if time.monotonic() > deadline:
        sys.exit(f"slurm.sh: {joined} of {wanted} nodes have joined after {timeout_s:g} s")
    time.sleep(2)
print(f"slurm.sh: {joined} nodes, {ray.cluster_resources().get('GPU', 0):g} GPUs", file=sys.stderr)
PY
  wait $!
}

# shellcheck disable=SC2329  # called by the trap
on_term() {
  say "asked to end"
  [[ -n $search ]] || back_to_the_queue
  end_by=$((SECONDS + STOP_TIMEOUT_S))
  kill -TERM "$search" 2>/dev/null || true
}

back_to_the_queue() {
  clean_up
  say "back to the queue"
  scontrol requeue "$SLURM_JOB_ID"
  exit 0
}

clean_up() {
  trap - EXIT
  trap '' TERM
  local step give_up_at=$((SECONDS + 20))
  for step in "${steps[@]}"; do kill -TERM "$step" 2>/dev/null || true; done
  for step in "${steps[@]}"; do
    while kill -0 "$step" 2>/dev/null && ((SECONDS < give_up_at)); do sleep 0.2; done
  done
  timeout 20 srun --overlap --nodes="$SLURM_JOB_NUM_NODES" --ntasks-per-node=1 \
    rm -rf -- "$RAY_TMPDIR" || true
}

trap clean_up EXIT
trap on_term TERM

start_nodes
wait_for_nodes
"$@" &
search=$!
while kill -0 "$search" 2>/dev/null; do
  # Out of time: ended the hard way, which costs the epochs since the last checkpoints.
  if [[ -n $end_by ]] && ((SECONDS >= end_by)); then kill -KILL "$search" 2>/dev/null || true; fi
  sleep 0.5   # the signal is seen when this ends
done
code=0
wait "$search" || code=$?
# 128 and more: ended by a signal, or interrupted. Less: done, or a mistake, that would come again.
if [[ -n $end_by ]] && ((code >= 128)); then back_to_the_queue; fi
exit "$code"
