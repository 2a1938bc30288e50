"""nautilus_trader is installed by `make conformance` alone: elsewhere its tests are not there to be run."""

from tests.conformance.asking import ENVIRONMENTS

collect_ignore = [] if (ENVIRONMENTS / "nautilus").is_dir() else ["test_nautilus.py"]
