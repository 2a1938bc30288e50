// Step 3: the open positions of an exchange account, read anew now and then, and the way to the offers of one.

import { Refusal, call } from "./api.js"
import { showOffers } from "./offers.js"
import { busy, find } from "./page.js"
import { PRICE_UNAVAILABLE, fill, keyOf } from "./positions.js"
import { _, clock } from "./texts.js"

/**
 * @typedef {import("./positions.js").Position} Position
 * @typedef {import("./positions.js").Quoted} Quoted
 */

const REFRESH_MS = 30_000
/** A coin that was never priced before has a price within seconds; asked at growing pauses. */
const SOON_MS = [2_000, 4_000, 8_000, 16_000]
const ACCOUNT = "liqpass-account"
const ABOUT_THE_KEY = ["API_KEY_REJECTED", "API_KEY_UNKNOWN", "API_ACCOUNT_NOT_FOUND"]

/** @type {HTMLSelectElement | HTMLInputElement} */
const account = find("#account")
/** @type {HTMLButtonElement} */
const refresh = find("#refresh")
const list = find("#positions")
const title = find("#title")
const found = find("#found")
const choice = find("#choice")
/** @type {Map<string, HTMLElement>} */
const cards = new Map()
let made = 0
/** Which answer is still wanted: only that of the last question. */
let asked = 0
let waited = 0

/** @param {string} selector @param {boolean} isShown */
const show = (selector, isShown) => { find(selector).hidden = !isShown }

/** Why the key of the account is on hold, as the page was told; "" where it is not. */
function heldReason() {
  return (account instanceof HTMLSelectElement ? account.selectedOptions[0] : account)?.dataset.held ?? ""
}

/** Read the positions and their prices, and show them. */
async function read() {
  const question = ++asked
  const held = heldReason()
  if (held) return showHeld(held)
  show("#held", false)
  show("#loading", !cards.size)
  const query = `apiAccountId=${account.value}`
  try {
    /** @type {{positions: Position[], readAt: string}} */
    const { positions, readAt } = await call("GET", `/api/okx/positions?${query}`)
    const quoted = await quotes(query, question)
    if (question !== asked) return
    show("#failed", false)
    showPositions(positions, quoted)
    lookAgainSoon(positions)
    find("#read-at").textContent = _("Read from OKX at %(time)s", { time: clock(readAt) })
  } catch (error) {
    if (question === asked) showFailure(/** @type {Error} */ (error))
  } finally {
    if (question === asked) show("#loading", false)
  }
}

/**
 * Read again while a price is being worked out.
 * @param {Position[]} positions
 */
function lookAgainSoon(positions) {
  const isWaiting = positions.some(({ reasonCode }) => reasonCode === PRICE_UNAVAILABLE)
  const pause = isWaiting ? SOON_MS[waited++] : undefined
  if (!isWaiting) waited = 0
  if (pause) setTimeout(() => { if (choice.hidden) busy(refresh, read) }, pause)
}

/**
 * What each product costs for each position; without them the positions are shown all the same.
 * @param {string} query
 * @param {number} question an earlier one has nothing to say any more
 * @returns {Promise<Map<string, Quoted>>}
 */
async function quotes(query, question) {
  try {
    /** @type {{positions: Quoted[]}} */
    const { positions } = await call("GET", `/api/insurance/quotes?${query}`)
    if (question === asked) show("#no-quotes", false)
    return new Map(positions.map((one) => [keyOf(one), one]))
  } catch (error) {
    if (question !== asked) return new Map()
    const words = /** @type {Error} */ (error).message
    find("#no-quotes").textContent = _("Prices are not available: %(words)s", { words })
    show("#no-quotes", true)
    return new Map()
  }
}

/**
 * @param {Position[]} positions
 * @param {Map<string, Quoted>} quoted
 */
function showPositions(positions, quoted) {
  const keys = positions.map(keyOf)
  for (const [key, card] of cards) {
    if (keys.includes(key)) continue
    card.remove()
    cards.delete(key)
  }
  for (const position of positions) {
    const key = keyOf(position)
    const card = cards.get(key) ?? newCard(key)
    const offered = quoted.get(key)
    fill(card, position, offered)
    find("[data-choose]", card).onclick = () => offered && choose(card, offered)
  }
  show("#empty", !positions.length)
}

/** @param {string} key */
function newCard(key) {
  /** @type {HTMLTemplateElement} */
  const template = find("#position-card")
  const card = /** @type {HTMLElement} */ (template.content.querySelector("li")?.cloneNode(true))
  const name = find("[data-field=name]", card)
  name.id = `position-${++made}`
  find("[data-choose]", card).setAttribute("aria-describedby", name.id)
  find("[data-order]", card).setAttribute("aria-describedby", name.id)
  cards.set(key, card)
  list.append(card)
  return card
}

/** @param {string} why */
function showHeld(why) {
  forget()
  find("#held-why").textContent = why
  for (const name of ["#loading", "#failed", "#no-quotes"]) show(name, false)
  show("#held", true)
}

/** @param {Error} error */
function showFailure(error) {
  const code = error instanceof Refusal ? error.code : ""
  if (code === "API_ACCOUNT_ON_HOLD") return showHeld(error.message)
  find("#failed-why").textContent = error.message
  show("#failed-keys", ABOUT_THE_KEY.includes(code))
  show("#failed", true)
}

/** What was shown of another account. */
function forget() {
  cards.clear()
  list.replaceChildren()
  find("#read-at").textContent = ""
  show("#empty", false)
}

/**
 * From the list to the offers of one position; the list stands still meanwhile.
 * @param {HTMLElement} card
 * @param {Quoted} quoted
 */
function choose(card, quoted) {
  find("#chosen").replaceChildren(card)
  showOffers(account.value, quoted)
  found.hidden = true
  choice.hidden = false
  show("#lead", false)
  title.textContent = _("Which cover?")
  title.focus()
}

/** Back to the list, which is read anew. */
function leave() {
  find("#chosen").replaceChildren()
  forget()
  choice.hidden = true
  found.hidden = false
  show("#lead", true)
  title.textContent = _("Which position?")
  return read()
}

account.addEventListener("change", () => {
  localStorage.setItem(ACCOUNT, account.value)
  show("#failed", false)
  leave()
})
refresh.addEventListener("click", () => heldReason() ? location.reload() : busy(refresh, read))
find("#retry").addEventListener("click", () => busy(find("#retry"), read))
find("#back").addEventListener("click", () => {
  title.focus()
  leave()
})
setInterval(() => {
  if (document.visibilityState === "visible" && choice.hidden) busy(refresh, read)
}, REFRESH_MS)

/** The account that was looked at last, else the first one that can be read. */
function firstAccount() {
  if (!(account instanceof HTMLSelectElement)) return
  const last = localStorage.getItem(ACCOUNT)
  const options = [...account.options]
  const first = options.find(({ value }) => value === last) ?? options.find(({ dataset }) => !dataset.held)
  if (first) account.value = first.value
}

firstAccount()
read()
