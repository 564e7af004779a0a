"""A process that measures what it is asked: a request a line, an answer a line.

A request is {"what", "batch_size", "mode"}. An answer is what was measured, or
{"error"} with the message of what went wrong; then the process goes on.
"""

import argparse
import json
import sys

from gpu.ours import Ours
from gpu.theirs import Theirs

FRAMEWORKS = {"ours": Ours, "theirs": Theirs}
LONGEST = 500
"""Letters of an error's message that are kept; XLA's go on for pages."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("framework", choices=FRAMEWORKS)
    parser.add_argument("--tiny", action="store_true")
    args = parser.parse_args()
    measurer = None
    for line in sys.stdin:
        try:
            measurer = measurer or FRAMEWORKS[args.framework](tiny=args.tiny)
            answer = measurer.measure(**json.loads(line))
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"[:LONGEST]}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
