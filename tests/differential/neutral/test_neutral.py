# SPDX-License-Identifier: Apache-2.0
"""kim answers 3,000 random neutral cases as a naive evaluator does, in every world that a case leaves open.

differ_neutral.py says how; KIM_DIFFERENTIAL_NEUTRAL_CASES and KIM_DIFFERENTIAL_SEED ask for more, or for others.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def test_kim_combines_as_is_written(installed, run):
    done = run(
        [sys.executable, HERE / "differ_neutral.py", "--kim", installed.kim,
         "--count", os.environ.get("KIM_DIFFERENTIAL_NEUTRAL_CASES", "3000"), "--seed", os.environ.get("KIM_DIFFERENTIAL_SEED", "1")],
        status=None,
        patience_s=1800,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
