# What the findings in Chromium share, to be sourced with the packages that they need besides playwright: the
# browser, and a Python with these packages in a temporary folder. Sets `python`; the program finds $CHROMIUM,
# $FOLDER and the modules beside this file.
set -euo pipefail
CHROMIUM=$(command -v chromium || command -v google-chrome) || { echo "needs Chromium"; exit 2; }
FOLDER=$(mktemp -d); trap 'rm -rf "$FOLDER"' EXIT
PYTHONPATH=$(dirname "${BASH_SOURCE[0]}")
export CHROMIUM FOLDER PYTHONPATH
python3 -m venv "$FOLDER/venv"
python=$FOLDER/venv/bin/python
"$python" -m pip install --quiet --disable-pip-version-check playwright==1.65.2 "$@"
