#!/usr/bin/env bash
# Train with several processes: one per GPU, or on the CPU where there is none.
# Usage: tools/dist_train.sh CONFIG NUM_PROC [arguments of tools/train.py]
# torchrun starts the processes, with the Python named by PYTHON (python).
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT on each.
# SIGTERM, Ctrl-C or a closed terminal saves a checkpoint and exits with 75; --resume goes on.
set -euo pipefail

case ${1:-} in -h | --help) status=0 ;; *) status=2 ;; esac
if [ "$status" -eq 0 ] || [ $# -lt 2 ]; then
    sed -n '2,/^set/ s/^# //p' "$0" # the lines above
    exit "$status"
fi

CONFIG=$1
NUM_PROC=$2
case $NUM_PROC in
    *[!0-9]* | 0 | '') echo "error: NUM_PROC must be a number of processes, got '$NUM_PROC'" >&2; exit 2 ;;
esac
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
# Seconds that a process told to leave has to save before torchrun kills it. Torch reads
# this from 2.12 on; older ones kill after 30 seconds.
export TORCH_ELASTIC_SHUTDOWN_TIMEOUT=${TORCH_ELASTIC_SHUTDOWN_TIMEOUT:-300}
# torchrun exits with 1 whatever its processes say; so they write it down.
CSIPREID_STATUS_FILE=$(mktemp)
export CSIPREID_STATUS_FILE
trap 'rm -f "$CSIPREID_STATUS_FILE"' EXIT

# In a process group of its own: Ctrl-C in a terminal goes to all of a group, and
# torchrun would pass it on to its processes, which leave unsaved.
set -m
"${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node-rank="${NODE_RANK:-0}" \
    --master-addr="${MASTER_ADDR:-127.0.0.1}" \
    --master-port="${PORT:-29500}" \
    --nproc-per-node="$NUM_PROC" \
    "$(dirname "$0")/train.py" "$CONFIG" --launcher pytorch "${@:3}" &
launcher=$!
set +m

# Once: told again, torchrun would leave its processes behind.
leave() {
    trap '' TERM INT HUP
    kill -TERM "$launcher" 2>/dev/null || true
}
trap leave TERM INT HUP

status=0
wait "$launcher" || status=$?
while kill -0 "$launcher" 2>/dev/null; do # a signal ends the wait, not the launcher
    status=0
    wait "$launcher" || status=$?
done
if [ -s "$CSIPREID_STATUS_FILE" ]; then
    status=$(cat "$CSIPREID_STATUS_FILE")
fi
exit "$status"
