#!/usr/bin/env bash
# What slow tests and benchmarks start, from Debian: Ceph's gateway, nginx, a browser, jq. What cannot be
# installed here is said; its tests then skip and say so, too.
set -uo pipefail
log=${1:?a file for what the installation says}

missing=()
while read -r program package; do
  command -v "$program" >/dev/null || [ -x "/usr/sbin/$program" ] || missing+=("$package")
done <<'NEEDED'
radosgw radosgw
ceph-mon ceph-mon
ceph-osd ceph-osd
ceph ceph-common
nginx nginx-light
chromium chromium
jq jq
unzip unzip
NEEDED
if ((${#missing[@]})); then
  if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    # No service may start by itself: the tests start their own, on loopback.
    printf '#!/bin/sh\nexit 101\n' >/tmp/policy-rc.d.$$ && chmod +x /tmp/policy-rc.d.$$
    placed=
    [ -e /usr/sbin/policy-rc.d ] || { mv /tmp/policy-rc.d.$$ /usr/sbin/policy-rc.d && placed=yes; }
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } \
      >"$log" 2>&1 || echo "not installed: ${missing[*]} (see $log)"
    [ -z "$placed" ] || rm -f /usr/sbin/policy-rc.d
    rm -f /tmp/policy-rc.d.$$
  else
    echo "not installed, and not root on a Debian: ${missing[*]}"
  fi
fi

exit 0
