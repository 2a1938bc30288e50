// What a wallet sends: one transaction, or several calls as one (EIP-5792), and what becomes of them.

import { _ } from "./texts.js"
import { WalletRefusal, ask, hex } from "./wallet.js"

/**
 * @typedef {import("./wallet.js").Wallet} Wallet
 * @typedef {{to: string, data: string, value: string}} Call
 * @typedef {{wallet: Wallet, from: string, chainId: number}} Sender
 */

const POLL_MS = 1_000
const MINED_WITHIN_MS = 10 * 60_000
const NAMED_WITHIN_MS = 3 * 60_000
const ANSWERED_WITHIN_MS = 10_000
const LOOK_EVERY = 5
// EIP-5792: below the first is under way; from the second on it failed, in one way or another
const [DONE, FAILED] = [200, 300]
/** @type {unknown[]} */
const FAILED_RECEIPT = ["0x0", 0, "reverted"]
// The owner declined; the wallet is busy with us already; it has no network: another way would not be better.
const FINAL = [4001, -32002, 4900, 4901]

/** @param {number} ms */
export const pause = (ms) => new Promise((done) => setTimeout(done, ms))

/**
 * Whether it is worth trying another way: the wallet cannot do this one.
 * @param {unknown} error
 */
export const cannot = (error) => error instanceof WalletRefusal && !FINAL.includes(error.code)

/** Nothing is sent before a transaction has a name; trying again is safe: an order takes one payment. */
const unnamed = () => new Error(_("The wallet has named no transaction. If it sent one, this page shows it by itself: look in the wallet before you try again."))

/** @param {unknown} hash */
const isHash = (hash) => typeof hash === "string" && /^0x[0-9a-f]{64}$/i.test(hash)

/**
 * What the wallet answers to a question that its owner does not see; null when it refuses, or keeps silent.
 * @param {import("./wallet.js").Wallet} wallet
 * @param {string} method
 * @param {unknown[]} params
 * @returns {Promise<any>}
 */
const soon = (wallet, method, params) =>
  Promise.race([ask(wallet, method, params).catch(() => null), pause(ANSWERED_WITHIN_MS).then(() => null)])

/**
 * Look every second until there is something, or that time has passed; by the clock, for a hidden page is slow.
 * @template T
 * @param {number} withinMs
 * @param {(poll: number) => Promise<T | undefined>} look
 * @returns {Promise<T | undefined>}
 */
async function found(withinMs, look) {
  const until = Date.now() + withinMs
  for (let poll = 1; ; poll++) {
    const there = await look(poll)
    if (there !== undefined || Date.now() >= until) return there
    await pause(POLL_MS)
  }
}

/**
 * Send one transaction; its hash. Throws WalletRefusal, and an Error where the wallet names none.
 * @param {Sender} by
 * @param {Call} call
 * @returns {Promise<string>}
 */
export async function send(by, call) {
  const hash = await ask(by.wallet, "eth_sendTransaction", [{ ...call, from: by.from, chainId: hex(by.chainId) }])
  if (!isHash(hash)) throw unnamed()
  return hash
}

/**
 * Wait until a transaction is in a block, or until what it was for is so: its owner may have replaced it in the
 * wallet by one of another hash. Throws when it failed, or after ten minutes.
 * @param {Sender} by
 * @param {string} hash
 * @param {() => Promise<boolean>} isSo
 */
export async function mined(by, hash, isSo) {
  const isMined = await found(MINED_WITHIN_MS, async (poll) => {
    const receipt = await soon(by.wallet, "eth_getTransactionReceipt", [hash])
    if (FAILED_RECEIPT.includes(receipt?.status)) throw new Error(_("The transaction failed on the chain. Nothing was paid but its fee; try again."))
    return receipt || (poll % LOOK_EVERY === 0 && await isSo()) ? true : undefined
  })
  if (!isMined) throw new Error(_("The transaction is not in a block yet. Look for it in the wallet, then try again."))
}

/**
 * Whether the wallet sends several calls as one: all of them or none.
 * @param {Sender} by
 * @returns {Promise<boolean>}
 */
export async function sendsAsOne({ wallet, from, chainId }) {
  /** @type {Record<string, any>} */
  const byChain = await soon(wallet, "wallet_getCapabilities", [from, [hex(chainId)]]) ?? {}
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
  const number = typeof sent === "string" ? sent : sent?.id
  if (!number) throw unnamed()
  return number
}

/**
 * Wait for the transaction of calls that were sent as one. Throws when they failed, and when the wallet does not
 * name it within three minutes, whatever it says instead.
 * @param {Sender} by
 * @param {string} number
 * @returns {Promise<string>}
 */
export async function transactionOf({ wallet }, number) {
  const hash = await found(NAMED_WITHIN_MS, async () => {
    const said = await soon(wallet, "wallet_getCallsStatus", [number])
    /** @type {any[]} */
    const receipts = Array.isArray(said?.receipts) ? said.receipts : []
    const hasFailed = Number(said?.status) >= FAILED || receipts.some((receipt) => FAILED_RECEIPT.includes(receipt?.status))
    if (hasFailed) throw new Error(_("The wallet’s transaction failed. Nothing was paid, except perhaps its fee; try again."))
    const isDone = said?.status === "CONFIRMED" || Number(said?.status) >= DONE
    return isDone ? receipts.map((receipt) => receipt?.transactionHash).filter(isHash).at(-1) : undefined
  })
  if (!hash) throw unnamed()
  return hash
}
