"""What all pages share: this deployment, its chain and its products."""

from dataclasses import dataclass

from liqpass.hexes import checksum
from liqpass.pricing.skus import Products
from liqpass.settings import ChainSettings

BASE, BASE_SEPOLIA = 8453, 84532
NAMES = {BASE: "Base", BASE_SEPOLIA: "Base Sepolia"}


@dataclass(frozen=True)
class Site:
    """`explorer` and `public_rpc`: addresses without a slash at the end, "" where there is none.
    `regions`: of OKX, the one first that is asked where nobody says.
    `egress_ips`: from which we ask OKX; none where that is not told."""

    chain: ChainSettings
    products: Products
    public_url: str
    explorer: str
    public_rpc: str
    regions: tuple[str, ...]
    egress_ips: tuple[str, ...]

    @property
    def chain_name(self) -> str:
        """As wallets call the chain."""
        return NAMES.get(self.chain.chain_id, f"Chain {self.chain.chain_id}")

    @property
    def for_wallets(self) -> dict[str, object]:
        """The chain as a page's scripts want it (wallet.js: Chain)."""
        return {
            "chainId": self.chain.chain_id,
            "name": self.chain_name,
            "rpcUrls": [self.public_rpc] if self.public_rpc else [],
            "explorer": self.explorer,
        }

    def transaction(self, tx_hash: str) -> str:
        """Where the explorer shows a transaction; "" without an explorer."""
        return f"{self.explorer}/tx/{tx_hash}" if self.explorer else ""

    @property
    def checkout(self) -> str:
        """The contract's address, EIP-55."""
        return checksum(self.chain.checkout)
