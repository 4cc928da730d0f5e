#!/usr/bin/env bash
# slurm_down.sh FOLDER: stop the SLURM that slurm_up.sh started in FOLDER, by its own processes' ids.
root=$(realpath -m "$1")
export SLURM_CONF=$root/etc/slurm.conf

is_ours() { # process id, name: whether the id still is that daemon of this folder
  tr '\0' ' ' < "/proc/$1/cmdline" 2>/dev/null | grep -q "$2.*$root/"
}

scancel --signal=KILL --full --user "$(id -un)" --quiet 2>/dev/null
scancel --user "$(id -un)" --quiet 2>/dev/null
for _ in $(seq 100); do
  [ -z "$(squeue --noheader 2>/dev/null)" ] && break
  sleep 0.1
done
for name in slurmd slurmctld munged; do
  id=$(cat "$root/run/$name.pid" 2>/dev/null) || continue
  is_ours "$id" "$name" && kill -TERM "$id"
  for _ in $(seq 100); do
    is_ours "$id" "$name" || continue 2
    sleep 0.1
  done
  echo "slurm_down: $name ($id) would not stop and was killed" >&2
  kill -KILL "$id"
done
exit 0
