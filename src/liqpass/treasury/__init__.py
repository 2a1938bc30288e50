"""The treasury: what came in and why, what is to be paid out, the pool's capital. It never sends money."""
