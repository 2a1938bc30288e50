"""What cover costs and pays: a pure function of the product and the position."""
