#!/bin/sh
# Prints the first Python >= 3.11 of this machine, or says what to do. Used by the Makefile, before any
# package is there.
for name in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14 python; do
    path=$(command -v "$name" 2>/dev/null) || continue
    # A version manager's shim may exist without the version behind it: only running it tells.
    if "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        echo "$path"
        exit 0
    fi
    seen="${seen:-}${seen:+, }$name is $("$path" -V 2>&1)"
done
echo "No Python 3.11 or newer was found${seen:+ ($seen)}." >&2
echo "Install one (Debian and Ubuntu: apt install python3 python3-venv), or name it: make install PYTHON=/path/to/python3.12" >&2
exit 1
