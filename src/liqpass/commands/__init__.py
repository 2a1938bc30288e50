"""Groups of commands, one file each; `__main__` mounts them."""
