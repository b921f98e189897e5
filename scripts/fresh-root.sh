#!/usr/bin/env bash
# The README's two commands on a machine that nobody prepared: a bare Debian, an ordinary user, an archive of HEAD without
# .git in a folder with a space in its name, a /dev/shm of 64 MB, the public Python index alone.
#   scripts/fresh-root.sh [--suite trixie|bookworm] [--no-sys] [--drop] [COMMAND...]
# Each COMMAND is a shell line; without one: make setup, make bench BENCH=--quick, make test. It prints how each ended,
# how long it took and the disk space used; it exits with 1 when one failed. Everything is kept in FRESH_ROOT
# (/var/tmp/fresh-root-SUITE) until --drop. Linux, as root; needs debootstrap. Half an hour on two cores; tests/test_fresh_root.py runs it.
set -euo pipefail
cd "$(dirname "$0")/.."

suite=trixie sys=yes drop=no commands=()
while [ $# -gt 0 ]; do
  case $1 in
  --suite)
    suite=$2
    shift
    ;;
  --no-sys) sys=no ;;
  --drop) drop=yes ;;
  *) commands+=("$1") ;;
  esac
  shift
done
[ ${#commands[@]} -gt 0 ] || commands=("make setup" "make bench BENCH=--quick" "make test")

root=${FRESH_ROOT:-/var/tmp/fresh-root-$suite}
home=$root/home/ann
folder=$home/my\ projects/bench
export PATH=$PATH:/usr/sbin:/sbin # where chroot and debootstrap are

[ "$(id -u)" -eq 0 ] || { echo "fresh-root: needs root, for debootstrap and chroot" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "fresh-root: debootstrap is missing (apt install debootstrap)" >&2; exit 2; }

unmount() {
  local place
  for place in sys dev/shm dev proc; do
    ! mountpoint -q "$root/$place" || umount "$root/$place"
  done
}
trap unmount EXIT

if [ "$drop" = yes ]; then
  unmount
  rm -rf --one-file-system "$root"
  exit
fi

if [ ! -x "$root/usr/bin/python3" ]; then
  # This machine's own mirror, where it is a Debian.
  mirror=$(apt-cache policy base-files | grep -m 1 -oE 'https?://[^ ]+' || true)
  debootstrap --variant=minbase --include=python3,python3-venv,make,ca-certificates "$suite" "$root" $mirror >/dev/null
  chroot "$root" useradd --create-home ann
fi
cp /etc/resolv.conf /etc/hosts "$root/etc/"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"

mount --bind /proc "$root/proc"
mount -t devtmpfs none "$root/dev"
mkdir -p "$root/dev/shm"
mount -t tmpfs -o size=64m tmpfs "$root/dev/shm"
[ "$sys" = no ] || mount -t sysfs sysfs "$root/sys"

# What an earlier run installed stays, as on a user's disk; the sources are those of HEAD.
mkdir -p "$folder"
find "$folder" -mindepth 1 -maxdepth 1 ! -name .venv -exec rm -rf {} +
git archive HEAD | tar -x -C "$folder"
chroot "$root" chown -R ann:ann /home/ann

as_ann() { # LINE: in the project's folder, as the user, with no variable of this shell
  env -i HOME=/home/ann USER=ann PATH=/usr/bin:/bin LANG=C.UTF-8 PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    "$(command -v chroot)" --userspec=ann:ann "$root" /bin/bash -c "cd '/home/ann/my projects/bench' && $1"
}

failed=0
for command in "${commands[@]}"; do
  log=$root/var/tmp/$(echo "$command" | tr -c 'a-zA-Z0-9\n' '-').log
  start=$SECONDS code=0
  as_ann "$command" >"$log" 2>&1 </dev/null || code=$?
  [ $code -eq 0 ] || failed=1
  tail -n 12 "$log"
  echo "== $suite, $(as_ann 'python3 --version'), /sys: $sys: $command: exit $code after $((SECONDS - start)) s;" \
    ".venv $(du -sm "$folder/.venv" 2>/dev/null | cut -f1) MB; whole log: $log"
done
exit $failed
