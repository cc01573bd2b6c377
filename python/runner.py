"""
The entry of a replica's process. All modules of the standard library that the runner uses are imported before the folder
of the user's code is on ``sys.path``: a file ``types.py`` beside a model would take the place of the standard one.
"""

import os
import sys

# The folder of this file must not be searched for the user's imports; the package is found by its own path.
_OWN = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder or os.getcwd()) != _OWN]
sys.path.insert(0, _OWN)

from inserve import _lifeline, _runner  # noqa: E402

sys.path.remove(_OWN)


def main() -> int:
    """
    Runs the replica on the file descriptor of the link, which the host gives together with the number of its process and the
    file descriptors for stacks and of the lifeline.
    """
    fd, host, stacks, lifeline = (int(argument) for argument in sys.argv[1:5])
    if not _lifeline.end_group_with(lifeline):
        _lifeline.die_with_parent(host)
    _runner.write_stacks_to(stacks)
    return _runner.Runner(fd).run()


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads of user code must not keep the process.
    os._exit(code)
