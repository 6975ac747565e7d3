"""`python -m gradval`: the same as `gradval`."""

import sys

from gradval.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
