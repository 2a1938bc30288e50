// Step 1: a wallet is chosen, brought to the chain, and signs the server's text.

import { call } from "./api.js"
import { chosen } from "./choose_wallet.js"
import { busy, find } from "./page.js"
import { _ } from "./texts.js"
import { account, accountOn, ask, inHex, remember, wallets } from "./wallet.js"

/** @type {import("./wallet.js").Chain} */
const chain = JSON.parse(find("#chain").textContent ?? "")
/** @type {HTMLButtonElement} */
const button = find("#connect")
const said = find("#connect-said")
const step = find("#connect-step")
const noWallet = find("#no-wallet")

async function signIn() {
  said.textContent = ""
  noWallet.hidden = true
  const found = await wallets()
  if (!found.length) {
    noWallet.hidden = false
    noWallet.focus()
    return
  }
  const wallet = found.length === 1 ? found[0] : await chosen(found)
  if (!wallet) return
  const named = { wallet: wallet.name, chain: chain.name }
  step.textContent = _("%(wallet)s asks which account to use: answer there.", named)
  const seen = await account(wallet)
  step.textContent = _("%(wallet)s may ask to switch to %(chain)s: answer there.", named)
  const address = await accountOn(wallet, chain, seen)
  const { message } = await call("POST", "/api/auth/nonce", { address, chainId: chain.chainId })
  step.textContent = _("%(wallet)s shows a text to sign: read it and sign it there.", named)
  const signature = await ask(wallet, "personal_sign", [inHex(message), address])
  await call("POST", "/api/auth/verify", { message, signature })
  remember(wallet)
  location.assign(button.dataset.back ?? "/")
}

button.addEventListener("click", async () => {
  await busy(button, signIn, (error) => { said.textContent = error.message })
  step.textContent = ""
})
