#!/bin/sh
# make_venv.sh PYTHON FOLDER: a fresh virtual environment, or one sentence about what is missing.
python=$1
folder=$2
# An environment made by another Python, or half made, is not repaired but replaced.
if ! "$python" -m venv --clear "$folder" >"$folder.log" 2>&1; then
    if ! "$python" -c 'import ensurepip' >/dev/null 2>&1; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        echo "$python has no ensurepip, so it cannot make a virtual environment." >&2
        echo "Debian and Ubuntu keep it in a package of its own: apt install python$version-venv, then run make again." >&2
    else
        cat "$folder.log" >&2
        echo "$python -m venv $folder failed; its words are above." >&2
    fi
    rm -rf "$folder" "$folder.log"
    exit 1
fi
rm -f "$folder.log"
