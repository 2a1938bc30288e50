"""The books, written so that other programs can check them."""
