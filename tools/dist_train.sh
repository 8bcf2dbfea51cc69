#!/usr/bin/env bash
# Train with several processes: one per GPU, or on the CPU where there is none.
# Usage: tools/dist_train.sh CONFIG NUM_PROC [arguments of tools/train.py]
# torchrun starts the processes, with the Python named by PYTHON (python).
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT on each.
# SIGTERM or Ctrl-C saves a checkpoint and exits with 75; --resume goes on.
set -euo pipefail

CONFIG=$1
NUM_PROC=$2
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
# torchrun exits with 1 whatever its processes say; so they write it down.
CSIPREID_STATUS_FILE=$(mktemp)
export CSIPREID_STATUS_FILE
trap 'rm -f "$CSIPREID_STATUS_FILE"' EXIT

"${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node-rank="${NODE_RANK:-0}" \
    --master-addr="${MASTER_ADDR:-127.0.0.1}" \
    --master-port="${PORT:-29500}" \
    --nproc-per-node="$NUM_PROC" \
    "$(dirname "$0")/train.py" "$CONFIG" --launcher pytorch "${@:3}" &
launcher=$!
trap 'kill -TERM "$launcher" 2>/dev/null || true' TERM INT

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
