"""The exchange: OKX over its REST API, read-only. Facts and their sources stand beside each rule."""
