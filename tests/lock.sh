#!/bin/sh
# Resolve pyproject.toml's extras into requirements.txt (book, chemistry, control) and requirements-test.txt (what the tests add).
# Local builds and the CUDA packages that some torch builds bring are left out: pip adds those that fit the machine.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$1" -m venv "$folder/venv"
pip="$folder/venv/bin/python -m pip --disable-pip-version-check"
freeze() { $pip freeze --exclude-editable --exclude invex | grep -viE '^(nvidia-|cuda-|triton)' | sed 's/+cpu//; s/ @ .*//' | LC_ALL=C sort -f; }
$pip install --quiet torch==2.13.0
$pip install --quiet ".[book,chemistry,control]"
freeze > requirements.txt
$pip install --quiet ".[book,chemistry,control,test]"
freeze | grep -vxF -f requirements.txt > requirements-test.txt
wc -l requirements.txt requirements-test.txt
