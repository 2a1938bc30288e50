"""The chain's wire: quotes, payment calls, and the events of the checkout and of USDC."""
