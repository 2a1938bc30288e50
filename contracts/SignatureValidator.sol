// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Would this wallet accept this signature? Asked in one `eth_call`, never deployed.
/// @notice The call creates this contract, and what the constructor returns is the answer: one word, 1 or 0.
/// It covers deployed contract wallets (ERC-1271) and those that do not exist yet (ERC-6492): for the latter
/// `factory` is called with `preparation` first. An account without code accepts nothing here, because keys
/// are recovered without asking a node. Nothing in it reverts, so a failed call means that the node failed.
contract SignatureValidator {
    constructor(
        address wallet,
        bytes32 hash,
        bytes memory signature,
        address factory,
        bytes memory preparation
    ) {
        bool valid = _accepts(wallet, hash, signature);
        // A wallet that exists is asked first: its keys may have changed since the wrapper was made.
        if (!valid && factory != address(0)) {
            assembly ("memory-safe") {
                pop(call(gas(), factory, 0, add(preparation, 32), mload(preparation), 0, 0))
            }
            valid = _accepts(wallet, hash, signature);
        }
        assembly ("memory-safe") {
            mstore(0, valid)
            return(0, 32)
        }
    }

    /// @dev ERC-1271 says yes with exactly its own selector, in a whole word. No more than a word of the
    /// answer is copied, so that a wallet cannot make the call run out of memory.
    function _accepts(address wallet, bytes32 hash, bytes memory signature) private view returns (bool valid) {
        bytes4 yes = 0x1626ba7e;
        bytes memory question = abi.encodeWithSelector(yes, hash, signature);
        assembly ("memory-safe") {
            mstore(0, 0)
            let answered := staticcall(gas(), wallet, add(question, 32), mload(question), 0, 32)
            valid := and(and(answered, gt(returndatasize(), 31)), eq(mload(0), yes))
        }
    }
}
