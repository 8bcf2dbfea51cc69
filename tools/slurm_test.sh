#!/usr/bin/env bash
# Test on a slurm cluster: one task per node, in which torchrun starts one process per GPU.
# Usage: tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [arguments of tools/test.py]
# GPUS_PER_NODE (8), NNODES (1), CPUS_PER_GPU (5) and SRUN_ARGS set what the job asks for.
set -euo pipefail

case ${1:-} in -h | --help) status=0 ;; *) status=2 ;; esac
if [ "$status" -eq 0 ] || [ $# -lt 4 ]; then
    sed -n '2,/^set/ s/^# //p' "$0" # the lines above
    exit "$status"
fi

PARTITION=$1
JOB_NAME=$2
CONFIG=$3
CHECKPOINT=$4
export GPUS_PER_NODE=${GPUS_PER_NODE:-8}
NNODES=${NNODES:-1}
export PORT=${PORT:-29500}

# shellcheck disable=SC2016,SC2086
srun --partition="$PARTITION" \
    --job-name="$JOB_NAME" \
    --nodes="$NNODES" \
    --ntasks-per-node=1 \
    --gres="gpu:$GPUS_PER_NODE" \
    --cpus-per-task="$((${CPUS_PER_GPU:-5} * GPUS_PER_NODE))" \
    --kill-on-bad-exit=1 \
    ${SRUN_ARGS:-} \
    bash -c '"${PYTHON:-python}" -m torch.distributed.run \
        --nnodes="$SLURM_NNODES" \
        --node-rank="$SLURM_NODEID" \
        --master-addr="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)" \
        --master-port="$PORT" \
        --nproc-per-node="$GPUS_PER_NODE" \
        "$@"' bash "$(dirname "$0")/test.py" "$CONFIG" "$CHECKPOINT" --launcher pytorch "${@:5}"
