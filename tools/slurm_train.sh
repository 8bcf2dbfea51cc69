#!/usr/bin/env bash
# Train on a slurm cluster: submit a job with one task per GPU.
# Usage: tools/slurm_train.sh PARTITION JOB_NAME CONFIG [arguments of tools/train.py]
# GPUS_PER_NODE (8), NNODES (1), CPUS_PER_GPU (5) and SBATCH_ARGS set what the job asks for.
# GRACE (120) seconds before its time is up, or when it is preempted, the job gets SIGTERM:
# it saves a checkpoint, is put into the queue again and goes on from there.
set -euo pipefail

case ${1:-} in -h | --help) status=0 ;; *) status=2 ;; esac
if [ "$status" -eq 0 ] || [ $# -lt 3 ]; then
    sed -n '2,/^set/ s/^# //p' "$0" # the lines above
    exit "$status"
fi

PARTITION=$1
JOB_NAME=$2
HERE=$(cd "$(dirname "$0")" && pwd)
export GPUS_PER_NODE=${GPUS_PER_NODE:-8}

# shellcheck disable=SC2086
sbatch --partition="$PARTITION" \
    --job-name="$JOB_NAME" \
    --nodes="${NNODES:-1}" \
    --ntasks-per-node="$GPUS_PER_NODE" \
    --gres="gpu:$GPUS_PER_NODE" \
    --cpus-per-task="${CPUS_PER_GPU:-5}" \
    --signal="TERM@${GRACE:-120}" \
    --requeue \
    --open-mode=append \
    ${SBATCH_ARGS:-} \
    "$HERE/slurm_job.sh" "$HERE/train.py" "${@:3}"
