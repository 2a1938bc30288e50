// Wallets that announce themselves (EIP-6963), or the one that stands in window.ethereum (EIP-1193).

import { _ } from "./texts.js"

/**
 * @typedef {{request: (asked: {method: string, params?: unknown}) => Promise<any>,
 *   on?: (event: string, heard: (value: any) => void) => void}} Provider
 * @typedef {{rdns: string, name: string, icon: string, provider: Provider}} Wallet
 * @typedef {{chainId: number, name: string, rpcUrls: string[], explorer: string}} Chain
 */

const CHOSEN = "liqpass-wallet"
const HEARD_WITHIN_MS = 400
const WORDS_MOST = 200 // some wallets pass on all the data of a call
const NAME_MOST = 40
// Some wallets say for a moment after a switch what was so before it.
const LAGS_MS = [100, 200, 300, 400]
// EIP-1193, EIP-1474, EIP-3085
const [DECLINED, UNAUTHORIZED, WAITING] = [4001, 4100, -32002]
const CANNOT = [4200, -32601]
const [DISCONNECTED, OTHER_CHAIN, UNKNOWN_CHAIN] = [4900, 4901, 4902]
const DECLINED_ELSEWHERE = [5000, 5001, 5002] // as WalletConnect says it
// These count, wherever in an error they stand.
const MEANT = [DECLINED, UNAUTHORIZED, WAITING, ...CANNOT, DISCONNECTED, OTHER_CHAIN, UNKNOWN_CHAIN, ...DECLINED_ELSEWHERE]

/** What a wallet refused, in words; `code` is EIP-1193's. */
export class WalletRefusal extends Error {
  /** @param {any} error */
  constructor(error) {
    const code = codeOf(error)
    super(wordsOf(code, error))
    this.code = code
  }
}

/**
 * Wallets on phones wrap the refusal that counts into another one, some more than once.
 * @param {any} error
 * @returns {any[]}
 */
function layers(error) {
  const { data, cause } = error ?? {}
  return [error, data, data?.originalError, data?.cause, cause, cause?.data?.originalError, error?.error]
}

/** @param {any} error */
function codeOf(error) {
  const codes = layers(error).map((layer) => Number(layer?.code))
  const code = codes.find((each) => MEANT.includes(each)) ?? codes.find(Number.isInteger) ?? 0
  return DECLINED_ELSEWHERE.includes(code) ? DECLINED : code
}

/**
 * @param {number} code
 * @param {any} error
 */
function wordsOf(code, error) {
  if (code === DECLINED) return _("You declined in the wallet. Nothing happened; try again when you like.")
  if (code === WAITING) return _("The wallet is waiting for you already: open it and answer there.")
  if (code === UNAUTHORIZED) return _("The wallet does not let this page use that account any more. Try again.")
  if (code === DISCONNECTED || code === OTHER_CHAIN) return _("The wallet has no connection to the network. Try again.")
  if (CANNOT.includes(code)) return _("This wallet cannot do that. Update it, or use another one.")
  const texts = [error?.data?.message, error?.message, error?.data?.originalError?.message, error, code]
  const words = String(texts.find((text) => typeof text === "string" && text.trim()) ?? code)
  return _("The wallet said: %(words)s", {
    words: words.length > WORDS_MOST ? `${words.slice(0, WORDS_MOST)} …` : words,
  })
}

/**
 * Ask a wallet. Throws WalletRefusal.
 * @param {Wallet} wallet
 * @param {string} method
 * @param {unknown[]} [params]
 */
export async function ask(wallet, method, params = []) {
  try {
    return await wallet.provider.request({ method, params })
  } catch (error) {
    throw new WalletRefusal(error)
  }
}

/**
 * What a wallet announces, if it can be used: a provider is all that it takes, the rest is for the eye.
 * @param {any} detail
 * @returns {Wallet & {uuid: unknown} | undefined}
 */
function announced(detail) {
  try {
    const { provider, info } = detail
    if (typeof provider.request !== "function") return undefined
    const [name, rdns, icon] = [info?.name, info?.rdns, info?.icon].map((text) => typeof text === "string" ? text.trim() : "")
    return {
      provider,
      uuid: info?.uuid,
      rdns: rdns || name,
      name: (name || rdns || _("Browser wallet")).slice(0, NAME_MOST),
      // a picture that the wallet brings along, nothing that is fetched from somewhere
      icon: /^data:image\//.test(icon) ? icon : "",
    }
  } catch {
    return undefined // one that is broken stands in nobody's way
  }
}

/**
 * All wallets of this browser, by name. One that announces itself again is the same.
 * @returns {Promise<Wallet[]>}
 */
export async function wallets() {
  /** @type {(Wallet & {uuid: unknown})[]} */
  const found = []
  /** @param {any} event */
  const hear = ({ detail }) => {
    const heard = announced(detail)
    if (!heard) return
    const at = found.findIndex((each) => (heard.uuid && each.uuid === heard.uuid)
      || (each.rdns === heard.rdns && each.provider === heard.provider))
    found.splice(at < 0 ? found.length : at, 1, heard)
  }
  addEventListener("eip6963:announceProvider", hear)
  dispatchEvent(new Event("eip6963:requestProvider"))
  await new Promise((done) => setTimeout(done, HEARD_WITHIN_MS))
  removeEventListener("eip6963:announceProvider", hear)
  if (!found.length) {
    const old = announced({ get provider() { return /** @type {any} */ (window).ethereum }, info: { rdns: "window.ethereum", name: _("Browser wallet") } })
    if (old) found.push(old)
  }
  return found.sort((a, b) => a.name.localeCompare(b.name))
}

/**
 * The wallet that was chosen last, if it is still there.
 * @returns {Promise<Wallet | undefined>}
 */
export async function lastWallet() {
  const rdns = localStorage.getItem(CHOSEN)
  const found = await wallets()
  return found.find((wallet) => wallet.rdns === rdns) ?? (found.length === 1 ? found[0] : undefined)
}

/** @param {Wallet} wallet */
export function remember(wallet) {
  localStorage.setItem(CHOSEN, wallet.rdns)
}

/** The reader is to choose again, if there are several. */
export function forget() {
  localStorage.removeItem(CHOSEN)
}

/**
 * Ask again for about a second, until the answer is as wanted; the last answer.
 * @template T
 * @param {() => Promise<T>} question
 * @param {(answer: T) => boolean} isRight
 * @returns {Promise<T>}
 */
async function settled(question, isRight) {
  let answer = await question()
  for (const wait of LAGS_MS) {
    if (isRight(answer)) break
    await new Promise((done) => setTimeout(done, wait))
    answer = await question()
  }
  return answer
}

/**
 * The account that the wallet lets us use; it may ask its owner.
 * @param {Wallet} wallet
 * @returns {Promise<string>}
 */
export async function account(wallet) {
  const [first] = addresses(await ask(wallet, "eth_requestAccounts"))
  if (first) return first
  // one that was unlocked just now
  const [late] = await settled(async () => addresses(await ask(wallet, "eth_accounts")), (all) => all.length > 0)
  if (late) return late
  throw new WalletRefusal({ code: DECLINED })
}

/**
 * @param {any} accounts
 * @returns {string[]}
 */
const addresses = (accounts) => Array.isArray(accounts) ? accounts.filter((each) => /^0x[0-9a-f]{40}$/i.test(each)) : []

/** A chain's id as wallets take it. @param {number} chainId */
export const hex = (chainId) => `0x${chainId.toString(16)}`

/**
 * Bring the wallet to the chain; where it does not know it, offer it. Whether it was on another one. Throws
 * WalletRefusal.
 * @param {Wallet} wallet
 * @param {Chain} chain
 * @returns {Promise<boolean>}
 */
export async function onChain(wallet, chain) {
  const isThere = async () => Number(await ask(wallet, "eth_chainId").catch(() => 0)) === chain.chainId
  const comesThere = () => settled(isThere, (itIs) => itIs)
  if (await isThere()) return false
  // Not every wallet says by its code (4902) that it does not know the chain. Some add one without going there.
  if (await switched(wallet, chain)) {
    if (await comesThere()) return true
  } else if (await added(wallet, chain)) {
    if (await comesThere() || (await switched(wallet, chain) && await comesThere())) return true
  }
  if (await isThere()) return true
  throw new Error(_("The wallet is on another network. Switch it to %(name)s and try again.", chain))
}

/**
 * The account on the chain, to which the wallet is brought: some have another one on each, or none for a moment.
 * @param {Wallet} wallet
 * @param {Chain} chain
 * @param {string} before
 * @returns {Promise<string>}
 */
export async function accountOn(wallet, chain, before) {
  if (!await onChain(wallet, chain)) return before
  const isBefore = (/** @type {string} */ each) => each.toLowerCase() === before.toLowerCase()
  const allowed = async () => addresses(await ask(wallet, "eth_accounts").catch(() => []))
  const all = await settled(allowed, (found) => found.some(isBefore))
  return all.find(isBefore) ?? all[0] ?? before
}

/**
 * Whether the wallet does it; a refusal that another way would not change is thrown.
 * @param {Promise<any>} asked
 * @returns {Promise<boolean>}
 */
const does = (asked) => asked.then(() => true, (/** @type {WalletRefusal} */ error) => {
  if ([DECLINED, WAITING, DISCONNECTED].includes(error.code)) throw error
  return false
})

/**
 * @param {Wallet} wallet
 * @param {Chain} chain
 */
const switched = (wallet, chain) => does(ask(wallet, "wallet_switchEthereumChain", [{ chainId: hex(chain.chainId) }]))

/**
 * @param {Wallet} wallet
 * @param {Chain} chain
 */
async function added(wallet, chain) {
  return chain.rpcUrls.length > 0 && does(ask(wallet, "wallet_addEthereumChain", [{
    chainId: hex(chain.chainId),
    chainName: chain.name,
    rpcUrls: chain.rpcUrls,
    nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    // wallets refuse an empty list, and what is not https
    ...chain.explorer.startsWith("https://") && { blockExplorerUrls: [chain.explorer] },
  }]))
}

/**
 * The text in hexadecimal, as personal_sign wants it.
 * @param {string} text
 */
export function inHex(text) {
  const bytes = new TextEncoder().encode(text)
  return `0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`
}
