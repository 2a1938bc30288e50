"""What is stored of how orders were priced, over all users."""
