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
// EIP-1193, EIP-1474 and EIP-3085
const [DECLINED, UNAUTHORIZED, WAITING, UNKNOWN_CHAIN] = [4001, 4100, -32002, 4902]

/** What a wallet refused, in words; `code` is EIP-1193's. */
export class WalletRefusal extends Error {
  /** @param {any} error */
  constructor(error) {
    // wallets on phones wrap the refusal that counts into another one
    const code = Number(error?.data?.originalError?.code ?? error?.code ?? error?.cause?.code ?? 0)
    super(wordsOf(code, error))
    this.code = code
  }
}

/**
 * @param {number} code
 * @param {any} error
 */
function wordsOf(code, error) {
  if (code === DECLINED) return _("You declined in the wallet. Nothing happened; try again when you like.")
  if (code === WAITING) return _("The wallet is waiting for you already: open it and answer there.")
  if (code === UNAUTHORIZED) return _("The wallet does not let this page use that account any more. Try again.")
  if (code === 4900 || code === 4901) return _("The wallet has no connection to the network. Try again.")
  const words = String(error?.data?.message ?? error?.message ?? error)
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
 * All wallets of this browser, by name.
 * @returns {Promise<Wallet[]>}
 */
export async function wallets() {
  /** @type {Map<string, Wallet>} */
  const found = new Map()
  /** @param {any} event */
  const hear = ({ detail }) => {
    const { info, provider } = detail ?? {}
    if (!info?.name || !provider?.request) return // one that is broken does not stand in the others' way
    // an icon is a picture that the wallet brings along, nothing that is fetched from somewhere
    const icon = /^data:image\//.test(info.icon) ? info.icon : ""
    found.set(info.uuid, { rdns: info.rdns, name: info.name, icon, provider })
  }
  addEventListener("eip6963:announceProvider", hear)
  dispatchEvent(new Event("eip6963:requestProvider"))
  await new Promise((done) => setTimeout(done, HEARD_WITHIN_MS))
  removeEventListener("eip6963:announceProvider", hear)
  const old = /** @type {any} */ (window).ethereum
  if (!found.size && old) found.set("", { rdns: "window.ethereum", name: _("Browser wallet"), icon: "", provider: old })
  return [...found.values()].sort((a, b) => a.name.localeCompare(b.name))
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
 * The account that the wallet lets us use; it may ask its owner.
 * @param {Wallet} wallet
 * @returns {Promise<string>}
 */
export async function account(wallet) {
  const accounts = await ask(wallet, "eth_requestAccounts")
  if (!accounts?.length) throw new WalletRefusal({ code: DECLINED })
  return accounts[0]
}

/** A chain's id as wallets take it. @param {number} chainId */
export const hex = (chainId) => `0x${chainId.toString(16)}`

/**
 * Bring the wallet to the chain; where it does not know it, offer it. Throws WalletRefusal.
 * @param {Wallet} wallet
 * @param {Chain} chain
 */
export async function onChain(wallet, chain) {
  const wanted = hex(chain.chainId)
  if (Number(await ask(wallet, "eth_chainId")) === chain.chainId) return
  try {
    await ask(wallet, "wallet_switchEthereumChain", [{ chainId: wanted }])
  } catch (error) {
    if (!(error instanceof WalletRefusal) || error.code === DECLINED || error.code === WAITING) throw error
    if (error.code === UNKNOWN_CHAIN && chain.rpcUrls.length) await ask(wallet, "wallet_addEthereumChain", [{
      chainId: wanted,
      chainName: chain.name,
      rpcUrls: chain.rpcUrls,
      nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
      blockExplorerUrls: chain.explorer ? [chain.explorer] : [],
    }])
  }
  if (Number(await ask(wallet, "eth_chainId")) !== chain.chainId) {
    throw new Error(_("The wallet is on another network. Switch it to %(name)s and try again.", chain))
  }
}

/**
 * The text in hexadecimal, as personal_sign wants it.
 * @param {string} text
 */
export function inHex(text) {
  const bytes = new TextEncoder().encode(text)
  return `0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`
}
