// Which of several wallets: the dialog of wallet_dialog.html.

import { find } from "./page.js"
import { lastWallet, remember, wallets } from "./wallet.js"

/** @typedef {import("./wallet.js").Wallet} Wallet */

/**
 * Ask which one; undefined when the reader would rather not.
 * @param {Wallet[]} found
 * @returns {Promise<Wallet | undefined>}
 */
export function chosen(found) {
  /** @type {HTMLDialogElement} */
  const dialog = find("#wallets")
  /** @type {HTMLTemplateElement} */
  const template = find("#wallet-choice")
  return new Promise((resolve) => {
    find("#wallet-list").replaceChildren(...found.map((wallet) => {
      const choice = /** @type {DocumentFragment} */ (template.content.cloneNode(true))
      find("[data-field=name]", choice).textContent = wallet.name
      /** @type {HTMLImageElement} */
      const icon = find("[data-icon]", choice)
      if (wallet.icon) icon.src = wallet.icon
      else icon.hidden = true
      find("button", choice).addEventListener("click", () => {
        resolve(wallet)
        dialog.close()
      })
      return choice
    }))
    dialog.addEventListener("close", () => resolve(undefined), { once: true })
    dialog.showModal()
  })
}

/**
 * The wallet that was used last, else the only one, else the one that the reader chooses. `none`: this browser
 * has no wallet; undefined: the reader would rather not.
 * @returns {Promise<Wallet | "none" | undefined>}
 */
export async function walletToUse() {
  const last = await lastWallet()
  if (last) return last
  const found = await wallets()
  if (!found.length) return "none"
  const wallet = await chosen(found)
  if (wallet) remember(wallet)
  return wallet
}
