#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes ./configure from configure.ac. Needed once after a clone, or after a change to the build.
set -e
cd "$(dirname "$0")"
exec autoreconf --install --warnings=all,no-obsolete "$@"
