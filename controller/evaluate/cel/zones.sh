#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# zones.sh ZIC SOURCE - writes zones.inc: each zone of the IANA database (Debian's tzdata.zi) as a TZif block, equal ones once.
set -eu
export LC_ALL=C
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$1" -b slim -d "$folder/zones" "$2"
cd "$folder/zones"
find . -type f | sed 's,^\./,,' | sort | xargs cksum > ../sums
echo "/* The IANA time zone database, $(sed -n '1s/^# *//p' "$2"). */"
echo "static const zone zones[] = {"
awk '{ key = $1 " " $2
       if (!(key in begin)) { begin[key] = end; end += $2; print $3 > "../order" }
       printf "    {\"%s\", %d, %d},\n", $3, begin[key], $2 }' ../sums
echo "};"
echo "static const uint8_t zone_blocks[] = {"
xargs cat < ../order | od -An -v -tu1 | sed 's/^ *//; s/  */,/g; s/$/,/'
echo "};"
