"""Half an hour of everything going wrong: `make soak`. Seeded; a run is repeated from its log. docs/soak.md."""
