"""`python -m graspbook`, the same as `graspbook`."""

import sys

from graspbook.cli import main

sys.exit(main())
