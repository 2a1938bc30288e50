// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

/// @title Takes the premium of one purchase order, once, in the exact amount, before its deadline.
/// @notice A quote is signed off chain by `signer` (EIP-712). Whoever holds it may pay it; the money goes
/// straight from the payer to `treasury`, so this contract never holds a balance.
/// How to stop it: `pause()` by the owner. How to change the treasury: deploy another checkout.
contract PremiumCheckout is EIP712, Ownable2Step, Pausable {
    using SafeERC20 for IERC20;

    bytes32 private constant QUOTE_TYPEHASH =
        keccak256("Quote(bytes32 purchaseOrderId,uint256 amount,uint256 deadline)");

    IERC20 public immutable token;
    address public immutable treasury;

    /// @notice Signs the quotes: an ordinary account, or a contract that speaks ERC-1271.
    address public signer;

    /// @notice Whether a purchase order has been paid here.
    mapping(bytes32 purchaseOrderId => bool) public paid;

    event PremiumPaid(bytes32 indexed purchaseOrderId, address indexed payer, uint256 amount);
    event SignerChanged(address indexed previousSigner, address indexed newSigner);

    error TokenWithoutCode(address token);
    error ZeroAddress();
    error ZeroAmount();
    error ZeroPurchaseOrderId();
    error QuoteExpired(uint256 deadline);
    error QuoteNotSigned();
    error AlreadyPaid(bytes32 purchaseOrderId);
    error TreasuryCannotPay();
    error OwnerRequired();

    /// @param owner_ may pause, change the signer and rescue; it cannot reach the premiums.
    constructor(IERC20 token_, address treasury_, address signer_, address owner_)
        EIP712("LiqPass Premium Checkout", "1")
        Ownable(owner_)
    {
        if (address(token_).code.length == 0) revert TokenWithoutCode(address(token_));
        if (treasury_ == address(0)) revert ZeroAddress();
        token = token_;
        treasury = treasury_;
        _setSigner(signer_);
    }

    /// @notice Pay a quote after `approve` of at least `amount` for this contract.
    /// @param amount in the token's smallest unit; exactly the one that was signed.
    /// @param deadline the last second (block time) at which the quote can be paid.
    function payPremium(bytes32 purchaseOrderId, uint256 amount, uint256 deadline, bytes calldata signature)
        external
        whenNotPaused
    {
        _pay(purchaseOrderId, amount, deadline, signature);
    }

    /// @notice Pay a quote in one transaction, with the payer's EIP-2612 permit for `amount`.
    /// @dev A permit is public once it is in the mempool: when somebody submitted it first, it fails here,
    /// yet the allowance stands. So its failure is passed over, and the transfer decides.
    function payPremiumWithPermit(
        bytes32 purchaseOrderId,
        uint256 amount,
        uint256 deadline,
        bytes calldata signature,
        uint256 permitDeadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external whenNotPaused {
        try IERC20Permit(address(token)).permit(msg.sender, address(this), amount, permitDeadline, v, r, s) {} catch {}
        _pay(purchaseOrderId, amount, deadline, signature);
    }

    /// @notice From now on only quotes of `newSigner` are taken; those of the old one are void.
    function setSigner(address newSigner) external onlyOwner {
        _setSigner(newSigner);
    }

    function pause() external onlyOwner {
        _pause();
    }

    function unpause() external onlyOwner {
        _unpause();
    }

    /// @notice Send all that somebody transferred here by mistake to the treasury, and nowhere else.
    function rescue(IERC20 stray) external onlyOwner {
        stray.safeTransfer(treasury, stray.balanceOf(address(this)));
    }

    /// @dev Without an owner nobody could stop the sale any more.
    function renounceOwnership() public pure override {
        revert OwnerRequired();
    }

    /// @dev The order is marked before the token is called, so a token that calls back finds it paid. The treasury
    /// paying itself would move nothing, and count as a premium.
    function _pay(bytes32 purchaseOrderId, uint256 amount, uint256 deadline, bytes calldata signature) private {
        if (purchaseOrderId == bytes32(0)) revert ZeroPurchaseOrderId();
        if (amount == 0) revert ZeroAmount();
        if (msg.sender == treasury) revert TreasuryCannotPay();
        if (block.timestamp > deadline) revert QuoteExpired(deadline);
        if (paid[purchaseOrderId]) revert AlreadyPaid(purchaseOrderId);
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(QUOTE_TYPEHASH, purchaseOrderId, amount, deadline)));
        if (!SignatureChecker.isValidSignatureNowCalldata(signer, digest, signature)) revert QuoteNotSigned();

        paid[purchaseOrderId] = true;
        token.safeTransferFrom(msg.sender, treasury, amount);
        emit PremiumPaid(purchaseOrderId, msg.sender, amount);
    }

    function _setSigner(address newSigner) private {
        if (newSigner == address(0)) revert ZeroAddress();
        emit SignerChanged(signer, newSigner);
        signer = newSigner;
    }
}
