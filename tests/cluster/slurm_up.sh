#!/usr/bin/env bash
# slurm_up.sh FOLDER [GPUS [CPUS]]: a SLURM of one node on 127.0.0.1, for tests. Without systemd or containers;
# everything it writes lies in FOLDER, and slurm_down.sh FOLDER stops it. Prints what a shell must source.
# GPUS and CPUS are what the node pretends to have.
# Needs the Debian packages slurm-wlm, slurm-client and munge, and root for the device files of GPUs.
set -euo pipefail
umask 077
root=$(realpath -m "$1") gpus=${2:-1} cpus=${3:-$(nproc)}
host=$(hostname -s) user=$(id -un)

fail() { echo "slurm_up: $1" >&2; exit 1; }
for tool in munged slurmctld slurmd sbatch python3; do
  command -v "$tool" >/dev/null || fail "$tool is missing. Hint: apt-get install slurm-wlm slurm-client munge"
done
[ -e "$root" ] && fail "$root exists already"
# some daemons listen on the address of the host's name: nothing here may be reached from elsewhere
[ "$(getent ahostsv4 "$host" | awk '{print $1; exit}' | cut -d. -f1)" = 127 ] ||
  fail "the name $host is not 127.0.0.1. Hint: echo 127.0.0.1 $host >> /etc/hosts"

mkdir -p "$root"/{etc,state,spool,log,run,dev}
dd if=/dev/urandom of="$root/etc/munge.key" bs=1024 count=1 status=none
chmod 400 "$root/etc/munge.key"
read -r control node < <(python3 -c '
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(s.getsockname()[1] for s in held))')
memory=$(awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo)

cat > "$root/etc/slurm.conf" <<CONF
ClusterName=local
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$control
SlurmdPort=$node
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
AuthInfo=socket=$root/run/munge.socket
CredType=cred/munge
SlurmUser=$user
SlurmdUser=$user
StateSaveLocation=$root/state
SlurmdSpoolDir=$root/spool
SlurmctldPidFile=$root/run/slurmctld.pid
SlurmdPidFile=$root/run/slurmd.pid
SlurmctldLogFile=$root/log/slurmctld.log
SlurmdLogFile=$root/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
AccountingStoreFlags=job_comment
JobCompType=jobcomp/filetxt
JobCompLoc=$root/log/jobcomp.txt
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0,bf_interval=5
MinJobAge=3600
KillWait=5
ReturnToService=2
SlurmdParameters=config_overrides
SlurmctldTimeout=60
SlurmdTimeout=60
MpiDefault=none
SwitchType=switch/none
MailProg=/bin/true
GresTypes=gpu
DefMemPerCPU=500
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus Boards=1 SocketsPerBoard=1 CoresPerSocket=$cpus ThreadsPerCore=1 RealMemory=$((memory - 500)) Gres=gpu:$gpus State=UNKNOWN
PartitionName=cpu Nodes=$host Default=YES MaxTime=1-00:00:00 State=UP
PartitionName=gpu Nodes=$host Default=NO MaxTime=1-00:00:00 State=UP
CONF
# a GPU needs a character device; a clone of /dev/null is one
: > "$root/etc/gres.conf"
for ((i = 0; i < gpus; i++)); do
  mknod "$root/dev/nvidia$i" c 1 3 || fail "device files of GPUs need root"
  echo "NodeName=$host Name=gpu File=$root/dev/nvidia$i" >> "$root/etc/gres.conf"
done
echo "CgroupPlugin=cgroup/v1" > "$root/etc/cgroup.conf"
export SLURM_CONF=$root/etc/slurm.conf

trap '"$(dirname "${BASH_SOURCE[0]}")"/slurm_down.sh "$root"' ERR
munged --force --key-file="$root/etc/munge.key" --socket="$root/run/munge.socket" --pid-file="$root/run/munged.pid" \
  --log-file="$root/log/munged.log" --seed-file="$root/run/munged.seed"
slurmctld -f "$SLURM_CONF"
slurmd -f "$SLURM_CONF" -N "$host"
for _ in $(seq 150); do
  state=$(sinfo -h -p cpu -o %T 2>/dev/null || true)
  [ "$state" = idle ] && break
  sleep 0.1
done
[ "$state" = idle ] || { cat "$root"/log/slurm*.log >&2; false; }
echo "export SLURM_CONF=$SLURM_CONF"
