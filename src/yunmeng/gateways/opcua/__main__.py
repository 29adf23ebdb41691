"""``python -m yunmeng.gateways.opcua URL``: prints what a server holds as CSV."""

import asyncio
import sys

from yunmeng.gateways.opcua.browsing import browse
from yunmeng.kernel.sense import read_listen


def main(arguments: list[str]) -> int:
    """Prints the nodes of the server that a place to listen, ``opcua+connect://…``, names."""
    if len(arguments) != 1:
        sys.stderr.write("python -m yunmeng.gateways.opcua opcua+connect://host:4840/path\n")
        return 2
    sys.stdout.write(asyncio.run(browse(read_listen("browse", arguments[0]))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
