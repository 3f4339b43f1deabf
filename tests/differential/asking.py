# SPDX-License-Identifier: Apache-2.0
"""Two programs that answer the same cases, asked beside each other."""

import json
import subprocess
import sys
import tempfile
import threading


class Asked:
    """One of the two programs, its answers kept in a file until they are read."""

    def __init__(self, argv):
        self.out = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=self.out, text=True)

    def send(self, lines):
        try:
            for line in lines:
                self.process.stdin.write(line)
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # it ended early: the missing answers say so

    def answers(self):
        status = self.process.wait()
        self.out.seek(0)
        return status, [json.loads(line) for line in self.out]


class Pair:
    """Programs that take cases as JSON Lines and answer each with a line: {"kim": argv, "oracle": argv}."""

    def __init__(self, commands):
        self.commands = commands

    def ask(self, cases, who=("kim", "oracle")):
        """[cases] of {"kim": answer, "oracle": answer}."""
        lines = [json.dumps(case, separators=(",", ":")) + "\n" for case in cases]
        asked = {name: Asked(self.commands[name]) for name in who}
        threads = [threading.Thread(target=a.send, args=(lines,)) for a in asked.values()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        given = {}
        for name, a in asked.items():
            status, answers = a.answers()
            if len(answers) != len(lines):
                sys.exit(f"{name} ended with {status} after {len(answers)} of {len(lines)} cases; the next one is\n{lines[len(answers)]}")
            given[name] = answers
        return [dict(zip(given, each)) for each in zip(*given.values())]
