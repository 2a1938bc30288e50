"""The books: double entry, append-only, posted in the transaction of the fact that causes it."""
