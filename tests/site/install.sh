#!/bin/sh
# Chromium, Node and the two npm packages of the browser checks, where this user may install them.
# Where not, those checks are skipped by name; everything else runs.
missing=""
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || missing="chromium"
command -v npm >/dev/null || missing="$missing nodejs npm"
if [ -n "$missing" ] && command -v apt-get >/dev/null; then
  as_root=""
  [ "$(id -u)" = 0 ] || as_root="sudo -n"
  echo "Installing$([ -n "$missing" ] && echo " $missing") for the browser checks"
  { $as_root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing; } >/dev/null 2>&1 \
    || echo "Could not install $missing: the browser checks will be skipped"
fi
cd "$(dirname "$0")" || exit 0
[ -f package.json ] && command -v npm >/dev/null && [ ! -d node_modules/html-validate ] && \
  { npm ci --silent --no-audit --no-fund || echo "npm could not install html-validate and axe-core: their checks will be skipped"; }
exit 0
