#!/usr/bin/env bash
# The services that tests and benchmarks start, from the registries: Ceph's gateway and nginx from Debian,
# Azurite from npm. What cannot be installed here is said; its tests then skip and say so, too.
set -uo pipefail
target=${1:?the folder for what npm installs}

missing=()
while read -r program package; do
  command -v "$program" >/dev/null || [ -x "/usr/sbin/$program" ] || missing+=("$package")
done <<'NEEDED'
radosgw radosgw
ceph-mon ceph-mon
ceph-osd ceph-osd
ceph ceph-common
nginx nginx-light
NEEDED
if ((${#missing[@]})); then
  if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    # No service may start by itself: the tests start their own, on loopback.
    printf '#!/bin/sh\nexit 101\n' >/tmp/policy-rc.d.$$ && chmod +x /tmp/policy-rc.d.$$
    placed=
    [ -e /usr/sbin/policy-rc.d ] || { mv /tmp/policy-rc.d.$$ /usr/sbin/policy-rc.d && placed=yes; }
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } \
      >"$target.apt.log" 2>&1 || echo "not installed: ${missing[*]} (see $target.apt.log)"
    [ -z "$placed" ] || rm -f /usr/sbin/policy-rc.d
    rm -f /tmp/policy-rc.d.$$
  else
    echo "not installed, and not root on a Debian: ${missing[*]}"
  fi
fi

if [ ! -x "$target/node_modules/.bin/azurite-blob" ]; then
  if command -v npm >/dev/null; then
    npm install --silent --no-fund --no-audit --prefix "$target" azurite@3 >"$target.npm.log" 2>&1 \
      || echo "not installed: azurite (see $target.npm.log)"
  else
    echo "not installed: azurite (there is no npm)"
  fi
fi
exit 0
