#!/usr/bin/env bash
# Compares what two builds of knockon write: scripts/compare_csv.sh OLD NEW [SCENARIO...]
#
# Runs each scenario (by default every shipped one whose data is there) with both programs, and prints the files that
# differ. A difference in behaviour is then either wanted, and named in the changelog, or a fault. Exit code 1 if any
# file differs.
set -euo pipefail
old="$1" new="$2"
shift 2
scenarios=("$@")
[ ${#scenarios[@]} -gt 0 ] || scenarios=(scenarios/*.yaml)
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
differing=0
for scenario in "${scenarios[@]}"; do
    name="$(basename "$scenario" .yaml)"
    if ! "$new" check "$scenario" >/dev/null 2>&1; then
        echo "$name: skipped, since check fails (its data may be missing)"
        continue
    fi
    "$old" run "$scenario" --out "$folder/old/$name" >/dev/null 2>&1 || { echo "$name: the old build fails"; differing=1; continue; }
    "$new" run "$scenario" --out "$folder/new/$name" >/dev/null 2>&1 || { echo "$name: the new build fails"; differing=1; continue; }
    files="$(diff -rq "$folder/old/$name" "$folder/new/$name" | grep '\.csv' || true)"
    if [ -n "$files" ]; then
        differing=1
        echo "$name:"
        echo "$files" | sed "s|$folder/||g; s/^/  /"
    else
        echo "$name: all CSV files are equal"
    fi
done
exit $differing
