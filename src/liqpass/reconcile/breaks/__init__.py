"""The life of a break: found, found again, closed by a run or by a name, open again."""
