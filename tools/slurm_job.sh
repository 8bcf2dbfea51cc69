#!/usr/bin/env bash
# The job that slurm_train.sh submits; not for the command line.
# Usage: slurm_job.sh TRAIN_PY CONFIG [arguments of tools/train.py]
set -euo pipefail

hosts=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
export MASTER_ADDR=${hosts%%$'\n'*}
export MASTER_PORT=${PORT:-$((20000 + SLURM_JOB_ID % 20000))} # jobs of a node do not meet
resume=()
if [ "${SLURM_RESTART_COUNT:-0}" -gt 0 ]; then
    resume=(--resume)
fi

status=0
# shellcheck disable=SC2016
srun --kill-on-bad-exit=1 bash -c \
    'RANK=$SLURM_PROCID WORLD_SIZE=$SLURM_NTASKS LOCAL_RANK=$SLURM_LOCALID exec "$@"' bash \
    "${PYTHON:-python}" "$@" --launcher pytorch ${resume[@]+"${resume[@]}"} || status=$?

if [ "$status" -eq 75 ]; then # told to leave, and saved
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
