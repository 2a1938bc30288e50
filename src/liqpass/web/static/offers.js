// The products for one position beside each other, and taking one of them.

import { Refusal, call } from "./api.js"
import { busy, find } from "./page.js"
import { keyOf, reasonOf } from "./positions.js"
import { _, minute, percentOf, span, usdc } from "./texts.js"

/**
 * @typedef {import("./positions.js").Quoted} Quoted
 * @typedef {import("./positions.js").Quote} Quote
 */

/** @type {HTMLFormElement} */
const form = find("#offer-form")
const said = find("#offer-said")
/** @type {{apiAccountId: string, quoted: Quoted} | undefined} */
let shown

/**
 * Show what can be bought for a position.
 * @param {string} apiAccountId
 * @param {Quoted} quoted
 */
export function showOffers(apiAccountId, quoted) {
  shown = { apiAccountId, quoted }
  said.replaceChildren()
  find("#offers").replaceChildren(...quoted.quotes.map(cardOf))
  const priced = quoted.quotes.filter((quote) => quote.madeOf)
  find("#made-of").hidden = !priced.length
  showParts(priced)
  showPicture(apiAccountId, quoted)
}

/**
 * What each premium is made of, a column for each.
 * @param {Quote[]} priced
 */
function showParts(priced) {
  const table = find("#made-of table")
  for (const cell of table.querySelectorAll("tr > :not(:first-child)")) cell.remove()
  for (const { durationSec, chancePpm, madeOf, premiumAmount } of priced) {
    /** @type {Record<string, string>} */
    const parts = {
      chance: percentOf((chancePpm ?? 0) / 1_000_000),
      risk: usdc(madeOf?.riskAmount ?? 0),
      load: usdc(madeOf?.loadAmount ?? 0),
      fee: usdc(madeOf?.feeAmount ?? 0),
      least: usdc(madeOf?.leastAmount ?? 0),
      premium: usdc(premiumAmount ?? 0),
    }
    const title = document.createElement("th")
    title.scope = "col"
    title.className = "number"
    title.textContent = span(durationSec)
    find("thead tr", table).append(title)
    for (const [name, text] of Object.entries(parts)) {
      const cell = document.createElement("td")
      cell.className = "number"
      cell.textContent = text
      find(`[data-part=${name}]`, table).append(cell)
    }
  }
  find("[data-part=least]", table).hidden = priced.every(({ madeOf }) => madeOf?.leastAmount === "0")
}

/**
 * How the prices change with distance and time, as the server draws it; without the picture all else stands.
 * @param {string} apiAccountId
 * @param {Quoted} quoted
 */
async function showPicture(apiAccountId, quoted) {
  const place = find("#picture")
  place.replaceChildren()
  const { instId, mgnMode, posSide } = quoted
  const query = new URLSearchParams({ apiAccountId, instId, mgnMode, posSide })
  const answer = await fetch(`/prices/picture?${query}`, { headers: { accept: "text/html" } }).catch(() => null)
  if (!answer?.ok || answer.redirected || shown?.quoted !== quoted) return
  const drawn = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("figure")
  if (drawn && shown.quoted === quoted) place.replaceChildren(document.importNode(drawn, true))
}

/**
 * @param {Quote} quote
 * @param {number} number
 */
function cardOf(quote, number) {
  /** @type {HTMLTemplateElement} */
  const template = find("#offer-card")
  const card = /** @type {HTMLElement} */ (template.content.cloneNode(true)).firstElementChild
  if (!(card instanceof HTMLElement)) throw new Error("the page has no card for an offer")
  const text = (/** @type {string} */ name, /** @type {string} */ value) => {
    find(`[data-field=${name}]`, card).textContent = value
  }
  /** @type {HTMLInputElement} */
  const choice = find("input", card)
  choice.value = quote.sku
  choice.id = `offer-${number}`
  /** @type {HTMLLabelElement} */
  const label = find("label", card)
  label.htmlFor = choice.id
  label.textContent = span(quote.durationSec)
  if (quote.premiumAmount !== null && quote.payoutAmount !== null) {
    text("premium", usdc(quote.premiumAmount))
    text("payout", `${usdc(quote.payoutAmount)} USDC`)
    text("chance", percentOf((quote.chancePpm ?? 0) / 1_000_000))
    text("begins", minute(quote.coverageStartAt))
    text("ends", minute(quote.coverageEndAt))
    text("delay", _("Begins %(span)s after the payment.", { span: span(quote.coverageDelaySec) }))
  } else {
    text("why", reasonOf(quote))
    choice.disabled = true
    card.classList.add("closed")
    for (const part of card.querySelectorAll(".premium, .facts, .delay")) part.remove()
  }
  const told = [...card.querySelectorAll(".premium, .facts, .delay, .why")].filter((part) => part.textContent)
  told.forEach((part, place) => { part.id = `${choice.id}-${place}` })
  choice.setAttribute("aria-describedby", told.map(({ id }) => id).join(" "))
  return card
}

form.addEventListener("submit", (event) => {
  event.preventDefault()
  busy(find("[type=submit]", form), take, refused)
})

async function take() {
  said.replaceChildren()
  const sku = new FormData(form).get("sku")
  if (!shown) return
  if (!sku) {
    said.textContent = _("Choose a cover first.")
    form.querySelector("input")?.focus()
    return
  }
  const { apiAccountId, quoted: { instId, mgnMode, posSide } } = shown
  const bound = await call("POST", "/api/insurance/bind-position", { apiAccountId, instId, mgnMode, posSide, sku })
  const order = await call("POST", "/api/insurance/create-order", { bindId: bound.bindId })
  location.assign(`/orders/${order.purchaseOrderId}`)
}

/** @param {Error} error */
async function refused(error) {
  const place = document.createElement("p")
  place.textContent = error.message
  said.replaceChildren(place)
  if (!(error instanceof Refusal)) return
  if (error.code === "CAPACITY_EXHAUSTED") said.append(...fitting(error.document.fits ?? []))
  if (error.document.bindId) {
    const order = await liveOrder().catch(() => null)
    if (order) said.append(link(`/orders/${order.purchaseOrderId}`, _("Go to that order")))
  }
}

/**
 * A button for each product that fits into the free capital.
 * @param {{sku: string, payoutUsd: string}[]} fits
 */
function fitting(fits) {
  return fits.map((fit) => {
    const choice = [...form.querySelectorAll("input")].find((input) => input.value === fit.sku)
    const button = document.createElement("button")
    button.type = "button"
    button.className = "plain"
    button.textContent = _("Take %(title)s instead: it pays %(payout)s USDC", {
      title: choice?.labels?.[0]?.textContent ?? fit.sku, payout: fit.payoutUsd,
    })
    button.addEventListener("click", () => {
      if (choice) choice.checked = true
      form.requestSubmit()
    })
    return button
  })
}

/** The order that this position has meanwhile. */
async function liveOrder() {
  if (!shown) return null
  const { apiAccountId, quoted } = shown
  /** @type {{positions: Quoted[]}} */
  const read = await call("GET", `/api/insurance/quotes?apiAccountId=${apiAccountId}`)
  return read.positions.find((one) => keyOf(one) === keyOf(quoted))?.order ?? null
}

/**
 * @param {string} href
 * @param {string} text
 */
function link(href, text) {
  const made = document.createElement("a")
  made.href = href
  made.textContent = text
  return made
}
