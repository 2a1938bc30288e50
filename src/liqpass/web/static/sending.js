// What a wallet sends: one transaction, or several calls as one (EIP-5792), and what becomes of them.

import { _ } from "./texts.js"
import { WalletRefusal, ask, hex } from "./wallet.js"

/**
 * @typedef {import("./wallet.js").Wallet} Wallet
 * @typedef {{to: string, data: string, value: string}} Call
 * @typedef {{wallet: Wallet, from: string, chainId: number}} Sender
 */

const POLL_MS = 1_000
const POLLS = 600
const LOOK_EVERY = 5
// The owner declined; the wallet is busy with us already; it has no network: another way would not be better.
const FINAL = [4001, -32002, 4900, 4901]

/** @param {number} ms */
export const pause = (ms) => new Promise((done) => setTimeout(done, ms))

/**
 * Whether it is worth trying another way: the wallet cannot do this one.
 * @param {unknown} error
 */
export const cannot = (error) => error instanceof WalletRefusal && !FINAL.includes(error.code)

/**
 * Send one transaction; its hash. Throws WalletRefusal.
 * @param {Sender} by
 * @param {Call} call
 * @returns {Promise<string>}
 */
export function send(by, call) {
  return ask(by.wallet, "eth_sendTransaction", [{ ...call, from: by.from, chainId: hex(by.chainId) }])
}

/**
 * Wait until a transaction is in a block, or until what it was for is so: its owner may have replaced it in the
 * wallet by one of another hash. Throws when it failed, or after ten minutes.
 * @param {Sender} by
 * @param {string} hash
 * @param {() => Promise<boolean>} isSo
 */
export async function mined(by, hash, isSo) {
  for (let poll = 1; poll <= POLLS; poll++) {
    const receipt = await ask(by.wallet, "eth_getTransactionReceipt", [hash]).catch(() => null)
    if (receipt && Number(receipt.status) === 0) throw new Error(_("The transaction failed on the chain. Nothing was paid but its fee; try again."))
    if (receipt || (poll % LOOK_EVERY === 0 && await isSo())) return
    await pause(POLL_MS)
  }
  throw new Error(_("The transaction is not in a block yet. Look for it in the wallet, then try again."))
}

/**
 * Whether the wallet sends several calls as one: all of them or none.
 * @param {Sender} by
 * @returns {Promise<boolean>}
 */
export async function sendsAsOne({ wallet, from, chainId }) {
  /** @type {Record<string, any>} */
  const byChain = await ask(wallet, "wallet_getCapabilities", [from, [hex(chainId)]]).catch(() => null) ?? {}
  return Object.entries(byChain).some(([chain, can]) => [0, chainId].includes(Number(chain))
    && (["supported", "ready"].includes(can?.atomic?.status) || can?.atomicBatch?.supported === true))
}

/**
 * Send calls as one; the number under which the wallet knows them. Throws WalletRefusal.
 * @param {Sender} by
 * @param {Call[]} calls
 * @returns {Promise<string>}
 */
export async function sendAsOne({ wallet, from, chainId }, calls) {
  const asked = { version: "2.0.0", from, chainId: hex(chainId), atomicRequired: true, calls }
  const sent = await ask(wallet, "wallet_sendCalls", [asked])
  return typeof sent === "string" ? sent : sent.id
}

/**
 * Wait for the transaction of calls that were sent as one; "" when the wallet does not name it within ten
 * minutes. Throws when they failed.
 * @param {Sender} by
 * @param {string} number
 * @returns {Promise<string>}
 */
export async function transactionOf({ wallet }, number) {
  for (let poll = 1; poll <= POLLS; poll++) {
    const found = await ask(wallet, "wallet_getCallsStatus", [number]).catch(() => null)
    if (Number(found?.status) >= 400) throw new Error(_("The wallet’s transaction failed. Nothing was paid but its fee; try again."))
    const hash = found?.receipts?.at(-1)?.transactionHash
    if (hash) return hash
    await pause(POLL_MS)
  }
  return ""
}
