// One open position as a card.

import { find, present } from "./page.js"
import { priceScale } from "./pricescale.js"
import { whyNot } from "./refusals.js"
import { _, language, minute, percentOf } from "./texts.js"

/**
 * @typedef {{instId: string, mgnMode: string, posSide: string, ccy: string, lever: string, pos: string,
 *   avgPx: string, markPx: string, liqPx: string, side: "long" | "short" | null, margin: string, notionalUsd: string,
 *   distanceBps: number | null, insurable: boolean, reason: string | null, reasonCode: string | null,
 *   reasonValues: Record<string, any>}} Position
 * @typedef {{sku: string, title: string, durationSec: number, coverageDelaySec: number,
 *   premiumAmount: string | null, payoutAmount: string | null, chancePpm: number | null,
 *   madeOf: {riskAmount: string, loadAmount: string, feeAmount: string, leastAmount: string} | null, coverageStartAt: string, coverageEndAt: string,
 *   reason: string | null, reasonCode: string | null, reasonValues: Record<string, any>}} Quote
 * @typedef {{purchaseOrderId: string, status: string, payBefore: string, coverageEndAt: string | null}} LiveOrder
 * @typedef {{instId: string, mgnMode: string, posSide: string, bindId: string | null, order: LiveOrder | null,
 *   quotes: Quote[]}} Quoted
 */

/** The reason that passes by itself, as soon as the market was read. */
export const PRICE_UNAVAILABLE = "PRICE_UNAVAILABLE"

/** @param {{instId: string, mgnMode: string, posSide: string}} of */
export const keyOf = (of) => [of.instId, of.mgnMode, of.posSide].join(" ")

/** @param {string} instId */
function nameOf(instId) {
  if (!instId) return _("A position without a name")
  const [base, coin, kind, ...more] = instId.split("-")
  return kind === "SWAP" && !more.length ? _("%(pair)s perpetual", { pair: `${base}/${coin}` }) : instId
}

/** @param {string} mode */
function modeOf(mode) {
  if (mode === "isolated") return _("isolated")
  return mode === "cross" ? _("cross margin") : mode
}

/**
 * A decimal as the exchange shows it, with separators, and shortened where it has more digits than a price.
 * @param {string} text
 */
const price = (text) =>
  text === "" ? _("not shown") : Number(text).toLocaleString(language, { maximumSignificantDigits: 7 })

/** @param {string} text @param {number} [digits] */
const money = (text, digits = 2) =>
  Number(text).toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits })

/** @param {string} text */
const known = (text) => (text === "" ? null : Number(text))

/** @param {number} bps */
const percent = (bps) => percentOf(bps / 10_000)

/**
 * Write a position into its card; again writes over it. One that cannot be read has a name and no side.
 * @param {HTMLElement} card
 * @param {Position} position
 * @param {Quoted | undefined} quoted undefined where no prices could be had
 */
export function fill(card, position, quoted) {
  const isLong = position.side === "long"
  card.classList.toggle("unread", position.side === null)
  const mode = modeOf(position.mgnMode)
  /** @type {Record<string, string>} */
  const fields = {
    name: nameOf(position.instId),
    instId: position.instId,
    mode: position.instId && mode ? ` · ${mode}` : mode,
    side: isLong ? _("Long") : _("Short"),
    distance: distanceOf(position),
    liqPx: price(position.liqPx),
    avgPx: price(position.avgPx),
    markPx: price(position.markPx),
    lever: position.lever ? `${price(position.lever)}×` : "–",
    size: position.notionalUsd ? `${money(position.notionalUsd, Number(position.notionalUsd) < 100 ? 2 : 0)} USD` : "–",
    margin: position.margin ? `${money(position.margin)} ${position.ccy}` : "–",
  }
  for (const [name, text] of Object.entries(fields)) find(`[data-field=${name}]`, card).textContent = text
  find("[data-field=side]", card).classList.toggle("short", !isLong)
  drawScale(card, position)
  judge(card, position, quoted)
}

/** @param {Position} position */
function distanceOf({ distanceBps, side }) {
  if (distanceBps === null) return ""
  if (distanceBps <= 0) return _("The price has reached the liquidation price")
  const by = { percent: percent(distanceBps) }
  return side === "long" ? _("A fall of %(percent)s liquidates it", by) : _("A rise of %(percent)s liquidates it", by)
}

/**
 * @param {HTMLElement} card
 * @param {Position} position
 */
function drawScale(card, position) {
  const prices = {
    liquidation: known(position.liqPx), entry: known(position.avgPx), mark: known(position.markPx),
  }
  const label = _("Liquidation price %(liquidation)s, entry price %(entry)s, mark price %(mark)s. %(distance)s.", {
    liquidation: price(position.liqPx), entry: price(position.avgPx), mark: price(position.markPx),
    distance: distanceOf(position) || _("The distance to liquidation is not known"),
  })
  find("[data-scale]", card).replaceChildren(priceScale(prices, label))
  // named in the order of the line
  const legend = find(".prices", card)
  const order = /** @type {("liquidation" | "entry" | "mark")[]} */ (["liquidation", "entry", "mark"])
  order.sort((a, b) => (prices[a] ?? Infinity) - (prices[b] ?? Infinity))
  for (const name of order) legend.append(find(`[data-price=${name}]`, legend))
}

/**
 * Whether it can be covered, or is, and what to do about it.
 * @param {HTMLElement} card
 * @param {Position} position
 * @param {Quoted | undefined} quoted
 */
function judge(card, position, quoted) {
  const { mark, text, why } = verdictOf(position, quoted)
  const state = find("[data-field=state]", card)
  state.className = `state ${mark}`
  state.textContent = text
  find("[data-field=why]", card).textContent = why
  find("[data-choose]", card).hidden = mark !== "good" || Boolean(quoted?.order) || !quoted
  /** @type {HTMLAnchorElement} */
  const link = find("[data-order]", card)
  link.hidden = !quoted?.order
  if (quoted?.order) {
    link.href = `/orders/${quoted.order.purchaseOrderId}`
    link.textContent = quoted.order.status === "DRAFT" && !isLapsed(quoted.order) ? _("Continue your order") : _("View details")
  }
}

/**
 * Whether it can no longer be paid; it holds its position until the chain shows that it was not.
 * @param {LiveOrder} order
 */
const isLapsed = ({ status, payBefore }) => status === "DRAFT" && Date.parse(payBefore) <= present()

/**
 * @param {Position} position
 * @param {Quoted | undefined} quoted
 * @returns {{mark: "good" | "waiting" | "", text: string, why: string}}
 */
function verdictOf(position, quoted) {
  const order = quoted?.order
  if (order?.status === "ACTIVE") {
    return { mark: "good", text: _("Covered until %(time)s", { time: minute(order.coverageEndAt ?? "") }), why: "" }
  }
  if (order && isLapsed(order)) {
    return { mark: "waiting", text: _("The price of its order has run out"), why: _("You can get a new one within a few minutes.") }
  }
  if (order) {
    const text = order.status === "DRAFT" ? _("An order is waiting for its payment") : _("A payment is on its way")
    return { mark: "waiting", text, why: "" }
  }
  const isPriced = position.reasonCode !== PRICE_UNAVAILABLE && !quoted?.quotes.some((one) => one.reasonCode === PRICE_UNAVAILABLE)
  if (!isPriced) return { mark: "waiting", text: _("Its price is being worked out"), why: _("We are reading how much this coin moves. The price shows up here by itself.") }
  if (!position.insurable) return { mark: "", text: _("Cannot be covered"), why: reasonOf(position) }
  const refusals = quoted?.quotes ?? []
  if (refusals.length && refusals.every((quote) => quote.premiumAmount === null)) {
    return { mark: "", text: _("Cannot be covered at present"), why: reasonOf(refusals[0]) }
  }
  return { mark: "good", text: _("Can be covered"), why: "" }
}

/**
 * Why not, in the reader's words.
 * @param {{reason: string | null, reasonCode: string | null, reasonValues: Record<string, any>}} of
 */
export const reasonOf = (of) => whyNot(of.reasonCode, of.reasonValues, of.reason ?? "")
