#!/usr/bin/env bash
# Test with several processes: one per GPU, or on the CPU where there is none.
# Usage: tools/dist_test.sh CONFIG CHECKPOINT NUM_PROC [arguments of tools/test.py]
# torchrun starts the processes, with the Python named by PYTHON (python).
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT on each.
set -euo pipefail

case ${1:-} in -h | --help) status=0 ;; *) status=2 ;; esac
if [ "$status" -eq 0 ] || [ $# -lt 3 ]; then
    sed -n '2,/^set/ s/^# //p' "$0" # the lines above
    exit "$status"
fi

CONFIG=$1
CHECKPOINT=$2
NUM_PROC=$3
case $NUM_PROC in
    *[!0-9]* | 0 | '') echo "error: NUM_PROC must be a number of processes, got '$NUM_PROC'" >&2; exit 2 ;;
esac
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}

"${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node-rank="${NODE_RANK:-0}" \
    --master-addr="${MASTER_ADDR:-127.0.0.1}" \
    --master-port="${PORT:-29500}" \
    --nproc-per-node="$NUM_PROC" \
    "$(dirname "$0")/test.py" "$CONFIG" "$CHECKPOINT" --launcher pytorch "${@:4}"
