#!/bin/bash
# One run in eight parts on a Slurm cluster of two nodes that are both this machine; one node is lost in the middle. Then the
# same in parts by GNU parallel and by plain shells. Each must end in the files that one process writes, byte for byte.
#
#   tests/cluster/two-nodes.sh PROGRAM [CONFIG]
#
# Needs to be root on Debian or Ubuntu with the packages slurm-wlm, munge and parallel; everything it writes lies in a folder
# of its own among temporary files, which it names and leaves. It takes about five minutes with the config that it brings.
set -euo pipefail

program=$(realpath "$1")
here=$(pwd)
lab=$(mktemp -d -t layerwise-cluster-XXXXXX)
echo "everything is in $lab"
config=${2:-}
if [ -z "$config" ]; then
    config=$lab/eight.toml
    cat >"$config" <<'TOML'
experiment = "autoencoder"
[run]
seeds = [0, 1, 2, 3]
[data]
train_images = 20000
test_images = 1000
[autoencoder]
hidden_units = 100
[grid]
"sparsity.weight" = [0, 0.1, 1, 3]
[training]
epochs = 60
TOML
fi
config=$(realpath "$config")
mkdir -p "$lab"/{ctl,log,sn1,sn2}

# Every result file is the same; times and dates are in the manifest and on the pages, which also name the folder.
same() {
    local differ
    differ=$(diff -rq --exclude=manifest.json --exclude=index.html --exclude=play.html --exclude=.lock \
        --exclude=checkpoints --exclude=parts --exclude='times.*' "$lab/whole" "$1" || true)
    if [ -n "$differ" ]; then
        echo "FAILED: $1 is not what one process writes: $differ"
        exit 1
    fi
    echo "$1: the same bytes as one process"
}

echo "== one process"
time "$program" "$config" --out "$lab/whole" --quiet

echo "== Slurm, two nodes"
pgrep -x munged >/dev/null || {
    mkdir -p /run/munge /var/log/munge
    chown munge: /run/munge /var/log/munge
    su -s /bin/sh munge -c '/usr/sbin/munged --force'
}
host=$(hostname)
cat >"$lab/slurm.conf" <<CONF
ClusterName=lab
SlurmctldHost=$host(127.0.0.1)
AuthType=auth/munge
CredType=cred/munge
SlurmUser=root
SlurmctldPort=16817
StateSaveLocation=$lab/ctl
SlurmdSpoolDir=$lab/s%n
SlurmctldPidFile=$lab/ctl.pid
SlurmdPidFile=$lab/%n.pid
SlurmctldLogFile=$lab/log/ctl
SlurmdLogFile=$lab/log/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SlurmdTimeout=10
MinJobAge=3600
MpiDefault=none
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=17001 CPUs=1 RealMemory=4000
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=17002 CPUs=1 RealMemory=4000
PartitionName=lab Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$lab/slurm.conf
# What a node runs ends as if its power were cut: its daemon, those that watch its jobs, and the jobs.
lose() {
    local pid pids
    pids=$(cat "$lab/$1.pid")
    for pid in $(pgrep -f "^$program "); do
        if tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" | grep -qx "SLURMD_NODENAME=$1"; then
            # Who watches it goes first, or Slurm would hear of a job that failed.
            pids="$pids $(ps -o ppid= -p "$pid") $pid"
        fi
    done
    # shellcheck disable=SC2086 # These are several.
    kill -9 $pids
}
end() {
    for pid in "$lab"/*.pid; do kill "$(cat "$pid")" 2>/dev/null || true; done
}
trap end EXIT
slurmctld
slurmd -N n1
slurmd -N n2
sleep 5
sinfo -N

"$program" slurm "$config" --parts 8 --out "$lab/slurm" >"$lab/array.sh"
cd "$lab"
time {
    id=$(sbatch --parsable --chdir="$here" --output="$lab/log/part-%a" "$lab/array.sh")
    # Into the middle of the second pair of parts.
    until [ "$(cat "$lab"/slurm/parts/*.json 2>/dev/null | grep -c '"status": "complete"')" -ge 2 ]; do sleep 0.5; done
    sleep 2
    "$program" status "$lab/slurm"
    echo "-- node n1 is lost"
    lose n1
    "$program" status "$lab/slurm"
    sleep 15
    sinfo -N
    echo "-- and is back"
    slurmd -N n1
    until [ -z "$(squeue --noheader --jobs="$id" 2>/dev/null)" ]; do sleep 1; done
}
"$program" status "$lab/slurm"
cd "$here"
"$program" resume "$lab/slurm" --quiet
same "$lab/slurm"

echo "== GNU parallel"
seq 8 | parallel -j 2 "$program" "$config" --out "$lab/parallel" --part "{}/8" --continue --jobs 1 --quiet
"$program" resume "$lab/parallel" --quiet
same "$lab/parallel"

echo "== plain shells"
for part in 1 2 3 4 5 6 7 8; do
    "$program" "$config" --out "$lab/shells" --part "$part/8" --continue --jobs 1 --quiet &
done
wait
"$program" resume "$lab/shells" --quiet
same "$lab/shells"
echo "all is as it should be"
