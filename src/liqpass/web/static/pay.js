// Step 4: check, permission, payment, with as few questions to the wallet's owner as the wallet allows.

import { Refusal, call } from "./api.js"
import { walletToUse } from "./choose_wallet.js"
import { wordsOf } from "./obstacles.js"
import { busy, find } from "./page.js"
import { cannot, mined, pause, send, sendAsOne, sendsAsOne, transactionOf } from "./sending.js"
import { _ } from "./texts.js"
import { account, accountOn, ask, onChain, wallets } from "./wallet.js"

/**
 * @typedef {import("./sending.js").Call} Call
 * @typedef {import("./sending.js").Sender} Sender
 * @typedef {{purchaseOrderId: string, calls: Call[]}} Order
 * @typedef {{needsApproval: boolean, permit: boolean, isKnown: boolean}} Ready
 * @typedef {"check" | "approve" | "pay" | "seen"} Part
 */

/** @type {import("./wallet.js").Chain} */
const chain = JSON.parse(find("#chain").textContent ?? "")
const WAITS_MS = [0, 1_000, 2_000, 4_000]
/** Where a payment is being made; out of the page as soon as the chain tells of it before the wallet does. */
let panel = find("#live")
// Said of a hash; trying again would not change them.
const NO_USE = ["TX_ALREADY_SUBMITTED", "ORDER_ALREADY_HAS_DIFFERENT_TX", "ORDER_NOT_PAYABLE", "ORDER_NOT_FOUND"]

/**
 * Pay the page's order; whether the server knows of the payment, so that the page has something new to show.
 * What goes wrong is said in the panel, and leaves everything as it was.
 * @param {HTMLButtonElement} button
 * @returns {Promise<boolean>}
 */
export async function pay(button) {
  let told = false
  panel = find("#pay")
  /** @type {HTMLButtonElement} */
  const cancel = find("#cancel-button", panel)
  const other = find("#other-wallet", panel)
  // what the wallet sends for an order that was cancelled meanwhile would buy nothing
  cancel.disabled = other.hidden = true
  find("#pay-said", panel).replaceChildren()
  find("#pay-notes", panel).replaceChildren()
  await busy(button, async () => { told = await payment(button) }, (error) => note("bad", error.message))
  cancel.disabled = button.disabled
  if (!told && !button.disabled) {
    rest()
    wallets().then((found) => { other.hidden = found.length < 2 })
  }
  return told
}

/** @param {HTMLButtonElement} button */
async function payment(button) {
  /** @type {Order} */
  const order = JSON.parse(find("#payment", panel).textContent ?? "")
  const wallet = await walletToUse()
  if (!wallet) return false
  if (wallet === "none") throw new Error(_("No wallet was found in this browser. Open this page in the browser that has your wallet, or in the wallet’s own app: the order waits here."))
  find("#pay-parts", panel).hidden = false
  part("check", "now", _("%(name)s asks which account pays, and may ask to change the network: answer there.", wallet))
  const seen = await account(wallet)
  showPayer(wallet, seen)
  const by = { wallet, from: await accountOn(wallet, chain, seen), chainId: chain.chainId }
  if (by.from !== seen) showPayer(wallet, by.from)
  part("check", "now", _("The payment is tried without sending it …"))
  const ready = await checked(order, by.from)
  if (!ready) {
    part("check", "todo", _("Something stands in the way: see below."))
    return false
  }
  const hash = await paid(order, by, ready)
  part("pay", "done", _("The premium was sent."))
  part("seen", "now", _("Waiting until the chain shows the transaction in a block."))
  if (await submitted(order, by.from, hash)) return true
  note("warn", _("The payment was sent, but our server could not be told its transaction. Nothing is lost: we find it on the chain, and this page shows it within a minute."))
  await mined(by, hash, async () => false).catch((error) => {
    part("pay", "todo", _("Not done yet."))
    throw error
  })
  // whoever pressed again would pay a fee for nothing
  button.disabled = true
  return false
}

/**
 * The payment, tried without sending it. Throws Refusal.
 * @param {Order} order
 * @param {string} payer
 * @returns {Promise<Omit<Ready, "isKnown"> & {obstacles: import("./obstacles.js").Obstacle[]}>}
 */
function preflight({ purchaseOrderId }, payer) {
  return call("POST", `/api/insurance/orders/${purchaseOrderId}/preflight`, { payer })
}

/**
 * Whether anything stands in the way; undefined when it does, and is said.
 * @param {Order} order
 * @param {string} payer
 * @returns {Promise<Ready | undefined>}
 */
async function checked(order, payer) {
  let found
  find("#pay-notes", panel).replaceChildren()
  try {
    found = await preflight(order, payer)
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== "NODE_UNAVAILABLE") throw error
    note("warn", _("The payment could not be checked: no node of the network answers us. You may go on; your wallet checks it as well."))
    part("check", "done", _("Not checked."))
    return { needsApproval: true, permit: false, isKnown: false }
  }
  for (const each of found.obstacles) note(each.blocking ? "bad" : "warn", wordsOf(each, chain.name))
  if (found.obstacles.some((each) => each.blocking)) return undefined
  part("check", "done", _("The payment would go through."))
  return { ...found, isKnown: true }
}

/**
 * Pay, in the way that asks the least of the wallet's owner; the hash.
 * @param {Order} order
 * @param {Sender} by
 * @param {Ready} ready
 * @returns {Promise<string>}
 */
async function paid(order, by, ready) {
  const [approve, payPremium] = order.calls
  if (ready.needsApproval) {
    const number = await asOne(order, by)
    if (number) return allInOne(by, number)
    const permitted = ready.permit && await withPermit(order, by)
    if (permitted) return lastStep(by, permitted)
    await approved(order, by, approve)
  } else {
    part("approve", "done", _("The checkout may take the premium already."))
  }
  return lastStep(by, payPremium)
}

/**
 * @param {Sender} by
 * @param {Call} payPremium
 */
function lastStep(by, payPremium) {
  part("pay", "now", _("%(name)s asks you to confirm the payment: answer there.", by.wallet))
  return sent(by, payPremium)
}

/**
 * Send a transaction on our chain: the wallet may have been switched to another while its owner was thinking.
 * @param {Sender} by
 * @param {Call} each
 */
async function sent(by, each) {
  await onChain(by.wallet, chain)
  return send(by, each)
}

/**
 * Permission and payment as one question; undefined where the wallet cannot do that.
 * @param {Order} order
 * @param {Sender} by
 * @returns {Promise<string | undefined>}
 */
async function asOne(order, by) {
  if (!await sendsAsOne(by)) return undefined
  part("approve", "now", _("%(name)s asks for permission and payment in one: answer there.", by.wallet))
  try {
    const number = await sendAsOne(by, order.calls)
    part("approve", "now", _("Given together with the payment."))
    part("pay", "now", _("The wallet is sending the payment …"))
    return number
  } catch (error) {
    if (!cannot(error)) throw error
    return undefined
  }
}

/**
 * What became of permission and payment in one. Throws when both failed.
 * @param {Sender} by
 * @param {string} number
 */
async function allInOne(by, number) {
  const hash = await transactionOf(by, number)
  part("approve", "done", _("Given together with the payment."))
  return hash
}

/**
 * The permission as a signature, which costs no fee; undefined where the wallet cannot sign it.
 * @param {Order} order
 * @param {Sender} by
 * @returns {Promise<Call | undefined>}
 */
async function withPermit(order, by) {
  const path = `/api/insurance/orders/${order.purchaseOrderId}`
  part("approve", "now", _("%(name)s asks you to sign the permission, which costs nothing: answer there.", by.wallet))
  try {
    const { typedData, deadline } = await call("POST", `${path}/permit`, { payer: by.from })
    const signature = await ask(by.wallet, "eth_signTypedData_v4", [by.from, JSON.stringify(typedData)])
    const { calls } = await call("POST", `${path}/permit-calls`, { payer: by.from, deadline, signature })
    part("approve", "done", _("Signed, for exactly the premium."))
    return calls[0]
  } catch (error) {
    const isOurs = error instanceof Refusal && error.code.startsWith("PERMIT_")
    if (!isOurs && !cannot(error)) throw error
    if (isOurs) note("warn", _("USDC does not take this wallet’s signature as a permission. The wallet asks for a transaction instead, which costs a fee."))
    return undefined
  }
}

/**
 * The permission as a transaction of its own, and the payment tried once more with it.
 * @param {Order} order
 * @param {Sender} by
 * @param {Call} approve
 */
async function approved(order, by, approve) {
  part("approve", "now", _("%(name)s asks you to confirm the permission for exactly the premium: answer there. The payment comes next.", by.wallet))
  const hash = await sent(by, approve)
  part("approve", "now", _("Waiting until the permission is in a block …"))
  await mined(by, hash, async () => {
    const found = await preflight(order, by.from).catch(() => undefined)
    return found?.needsApproval === false
  })
  for (const wait of WAITS_MS) {
    await pause(wait) // our node may be a block behind the wallet's
    const ready = await checked(order, by.from)
    if (!ready) throw new Error(_("The permission was given; the payment was not made."))
    if (!ready.needsApproval || !ready.isKnown) return part("approve", "done", _("Given, for exactly the premium."))
  }
  throw new Error(_("The permission in the wallet is for less than the premium. Try again and leave the amount as it is."))
}

/**
 * Tell the server which transaction pays; whether it knows now.
 * @param {Order} order
 * @param {string} payer
 * @param {string} payTxHash
 * @returns {Promise<boolean>}
 */
async function submitted({ purchaseOrderId }, payer, payTxHash) {
  for (const wait of WAITS_MS) {
    await pause(wait)
    try {
      await call("POST", "/api/insurance/submit-payment", { purchaseOrderId, payTxHash, payer })
      return true
    } catch (error) {
      if (error instanceof Refusal && NO_USE.includes(error.code)) return false
    }
  }
  return false
}

/** @param {string} address */
const short = (address) => `${address.slice(0, 6)}…${address.slice(-4)}`

/**
 * @param {import("./wallet.js").Wallet} wallet
 * @param {string} from
 */
function showPayer(wallet, from) {
  const user = document.documentElement.dataset.signedIn ?? ""
  const place = find("#payer", panel)
  const isUser = user.toLowerCase() === from.toLowerCase()
  const values = { address: short(isUser ? user : from), wallet: wallet.name, user: short(user) }
  place.hidden = false
  place.textContent = isUser
    ? _("%(address)s pays, with %(wallet)s.", values)
    : _("%(address)s pays, with %(wallet)s. The cover belongs to %(user)s, with which you are signed in.", values)
}

/**
 * @param {Part} name
 * @param {"todo" | "now" | "done"} state
 * @param {string} words
 */
function part(name, state, words) {
  const place = find(`[data-part=${name}]`, panel)
  place.dataset.state = state
  find("[data-field=state]", place).textContent =
    state === "done" ? _("done") : state === "now" ? _("going on now") : _("still to come")
  find("[data-field=words]", place).textContent = words
}

/** What was going on is not any more. */
function rest() {
  for (const place of panel.querySelectorAll("#pay-parts [data-state=now]")) {
    part(/** @type {Part} */ (/** @type {HTMLElement} */ (place).dataset.part), "todo", _("Not done yet."))
  }
}

/**
 * @param {"warn" | "bad"} kind
 * @param {string} words
 */
function note(kind, words) {
  const made = /** @type {DocumentFragment} */ (/** @type {HTMLTemplateElement} */ (find("#pay-note", panel)).content.cloneNode(true))
  find(".note", made).classList.add(kind)
  find("[data-field=words]", made).textContent = words
  find(kind === "bad" ? "#pay-said" : "#pay-notes", panel).append(made)
}
