"""Half an hour of everything going wrong: `make soak`. A run is repeated from its log: docs/soak.md."""
