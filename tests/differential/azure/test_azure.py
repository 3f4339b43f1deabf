# SPDX-License-Identifier: Apache-2.0
"""kim answers 2,000 random cases of Azure RBAC as our own second reading of Microsoft's pages does.

No independent evaluator of Azure RBAC exists to ask; differ_azure.py says how these two are compared.
KIM_DIFFERENTIAL_AZURE_CASES and KIM_DIFFERENTIAL_SEED ask for more, or for others.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def test_kim_answers_as_the_second_reading(installed, run):
    done = run(
        [sys.executable, HERE / "differ_azure.py", "--kim", installed.kim,
         "--count", os.environ.get("KIM_DIFFERENTIAL_AZURE_CASES", "2000"), "--seed", os.environ.get("KIM_DIFFERENTIAL_SEED", "1")],
        status=None,
        patience_s=1200,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
