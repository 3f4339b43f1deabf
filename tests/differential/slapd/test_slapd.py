# SPDX-License-Identifier: Apache-2.0
"""kim's verdicts under 2,000 random access rules' attributes and levels are OpenLDAP's own.

differ_slapd.py says how; KIM_DIFFERENTIAL_SLAPD_CASES and KIM_DIFFERENTIAL_SEED ask for more, or for others.
"""

import os
import shutil
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


def test_kim_decides_as_slapacl(installed, run):
    if not shutil.which("slapacl", path=os.environ["PATH"] + ":/usr/sbin"):
        pytest.skip("needs Debian's slapd, which ./check installs")
    done = run(
        [sys.executable, HERE / "differ_slapd.py", "--kim", installed.kim,
         "--count", os.environ.get("KIM_DIFFERENTIAL_SLAPD_CASES", "2000"), "--seed", os.environ.get("KIM_DIFFERENTIAL_SEED", "1")],
        status=None, env={"PATH": os.environ["PATH"] + ":/usr/sbin"}, patience_s=1800)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
