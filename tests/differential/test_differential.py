# SPDX-License-Identifier: Apache-2.0
"""The AWS evaluator answers 20,000 random cases as iam-simulate does, but where that one contradicts AWS's documentation;
and what it says of two documents holds for requests.

differential.py and comparing.py say how; KIM_DIFFERENTIAL_CASES and KIM_DIFFERENTIAL_SEED ask for more, or for others.
"""

import os
import shutil
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


def test_kim_answers_as_aws_documents(installed, run):
    tools = Path(os.environ.get("KIM_TOOLS", "none"))
    if not (tools / "node_modules" / "@cloud-copilot" / "iam-simulate").is_dir() or not shutil.which("node"):
        pytest.skip("needs node, and KIM_TOOLS to name the folder of the tools in tests/tools.versions; ./check has both")
    done = run(
        [sys.executable, HERE / "differential.py", "--kim", installed.kim, "--oracle", tools,
         "--count", os.environ.get("KIM_DIFFERENTIAL_CASES", "20000"), "--seed", os.environ.get("KIM_DIFFERENTIAL_SEED", "1")],
        status=None,
        patience_s=1200,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_said_of_two_documents_holds_for_requests(installed, run):
    done = run(
        [sys.executable, HERE / "comparing.py", "--kim", installed.kim, "--count", "1500", "--seed", os.environ.get("KIM_DIFFERENTIAL_SEED", "1")],
        status=None,
        patience_s=600,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


def test_kim_answers_as_a_plain_reading_of_the_pages(installed, run):
    done = run(
        [sys.executable, HERE / "beside_plain.py", "--kim", installed.kim, "--count", "2000", "--seed", os.environ.get("KIM_DIFFERENTIAL_SEED", "1")],
        status=None,
        patience_s=300,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
