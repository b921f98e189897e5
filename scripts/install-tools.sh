#!/usr/bin/env bash
# Installs the native tools that some tests drive: a browser that looks at the page, an AArch64 emulator with the
# libraries of that processor, the clients of an iPhone, npm for the browser's runtimes.
# Debian and Ubuntu; as root or under CI only, so that it never asks a laptop's owner for a password.
set -euo pipefail

native() {
  local tools=(
    chromium chromium-driver
    qemu-user libc6-arm64-cross libgcc-s1-arm64-cross libstdc++6-arm64-cross
    libimobiledevice-utils
  )

  # Node.js often comes from elsewhere than the distribution.
  command -v npm >/dev/null || tools+=(npm)

  local missing=() tool
  for tool in "${tools[@]}"; do
    dpkg --status "$tool" >/dev/null 2>&1 || missing+=("$tool")
  done
  [ ${#missing[@]} -eq 0 ] && return

  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "Not installed (needs apt-get and root): ${missing[*]}. The tests that need them will say so." >&2
    return
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update --quiet --quiet
  apt-get install --quiet --quiet --yes --no-install-recommends "${missing[@]}" >/dev/null
}

native
# From PyPI, into an environment of its own; root is not needed.
make --silent -C "$(dirname "$0")/.." pymobiledevice3
