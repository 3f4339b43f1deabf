# SPDX-License-Identifier: Apache-2.0
"""kim evaluates 2,000 random CEL expressions as cel-go does, and what it says of what is unknown holds once that is known.

differ_cel.py says how; KIM_DIFFERENTIAL_CEL_CASES and KIM_DIFFERENTIAL_SEED ask for more, or for others.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def test_kim_evaluates_as_cel_go(installed, oracle, run):
    done = run(
        [sys.executable, HERE / "differ_cel.py", "--kim", installed.kim, "--oracle", oracle("cel"),
         "--count", os.environ.get("KIM_DIFFERENTIAL_CEL_CASES", "2000"), "--seed", os.environ.get("KIM_DIFFERENTIAL_SEED", "1")],
        status=None,
        patience_s=1200,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
