"""The pages: what a trader and an operator see in a browser. They combine what the slices tell."""
