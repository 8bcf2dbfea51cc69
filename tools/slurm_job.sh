#!/usr/bin/env bash
# The job that slurm_train.sh submits; not for the command line.
# Usage: slurm_job.sh TRAIN_PY CONFIG [arguments of tools/train.py]
set -euo pipefail

case ${1:-} in -h | --help) status=0 ;; *) status=2 ;; esac
if [ "$status" -eq 0 ] || [ $# -lt 2 ]; then
    sed -n '2,/^set/ s/^# //p' "$0" # the lines above
    exit "$status"
fi

hosts=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
export MASTER_ADDR=${hosts%%$'\n'*}
export MASTER_PORT=${PORT:-$((20000 + SLURM_JOB_ID % 20000))} # jobs of a node do not meet
resume=()
if [ "${SLURM_RESTART_COUNT:-0}" -gt 0 ]; then
    resume=(--resume)
fi

# srun does not take it over from sbatch (slurm 22.05 and later).
if [ -n "${SLURM_CPUS_PER_TASK:-}" ]; then
    export SRUN_CPUS_PER_TASK=${SRUN_CPUS_PER_TASK:-$SLURM_CPUS_PER_TASK}
fi

# srun returns the highest status of all tasks, and one that it had to kill has 137. So the
# first, on the node of this script, writes down its own; elsewhere the file would stay.
CSIPREID_STATUS_FILE=$(mktemp)
export CSIPREID_STATUS_FILE
trap 'rm -f "$CSIPREID_STATUS_FILE"' EXIT

status=0
# shellcheck disable=SC2016
srun --kill-on-bad-exit=1 bash -c \
    '[ "$SLURM_PROCID" -eq 0 ] || unset CSIPREID_STATUS_FILE
    RANK=$SLURM_PROCID WORLD_SIZE=$SLURM_NTASKS LOCAL_RANK=$SLURM_LOCALID exec "$@"' bash \
    "${PYTHON:-python}" "$@" --launcher pytorch ${resume[@]+"${resume[@]}"} || status=$?
if [ -s "$CSIPREID_STATUS_FILE" ]; then
    status=$(cat "$CSIPREID_STATUS_FILE")
fi
rm -f "$CSIPREID_STATUS_FILE" # being queued again may end this script before its trap

if [ "$status" -eq 75 ]; then # told to leave, and saved
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
