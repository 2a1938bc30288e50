// Entry, mark and liquidation price of a position on one line, drawn to scale; higher is further right.

const SVG = "http://www.w3.org/2000/svg"
const ROOM_AT_EACH_END = 0.11

/**
 * @typedef {{liquidation: number | null, entry: number | null, mark: number | null}} Prices
 *   null where the exchange shows none
 */

/**
 * The picture; it says to a screen reader what `label` says. Marks have different shapes and places (above, on
 * and below the line), so that none hides another when prices are close.
 * @param {Prices} prices
 * @param {string} label
 * @returns {SVGSVGElement}
 */
export function priceScale(prices, label) {
  const picture = draw("svg", { class: "scale", width: "100%", height: 48, role: "img", "aria-label": label })
  const known = Object.values(prices).filter((price) => price !== null)
  if (!known.length) return picture
  const [low, high] = [Math.min(...known), Math.max(...known)]
  const inner = 1 - 2 * ROOM_AT_EACH_END
  const share = (/** @type {number} */ price) =>
    high === low ? 0.5 : ROOM_AT_EACH_END + (inner * (price - low)) / (high - low)
  const { liquidation, entry, mark } = prices
  picture.append(draw("rect", { class: "axis", x: 0, y: 23, width: "100%", height: 2, rx: 1 }))
  if (liquidation !== null && mark !== null) {
    const [at, now] = [share(liquidation), share(mark)]
    const isBelow = liquidation <= mark
    picture.append(
      stretch("lost", isBelow ? 0 : at, isBelow ? at : 1),
      stretch("room", Math.min(at, now), Math.max(at, now)),
    )
  }
  if (liquidation !== null) {
    picture.append(at(share(liquidation), draw("rect", { class: "liquidation", x: -2, y: 10, width: 4, height: 28, rx: 1 })))
  }
  if (entry !== null) picture.append(at(share(entry), draw("path", { class: "entry", d: "M0 30L7 42L-7 42Z" })))
  if (mark !== null) picture.append(at(share(mark), draw("path", { class: "mark", d: "M0 18L7 6L-7 6Z" })))
  return picture
}

/**
 * A part of the line, from one share of the width to another.
 * @param {string} name
 * @param {number} from
 * @param {number} to
 */
function stretch(name, from, to) {
  return draw("rect", { class: name, x: inPercent(from), y: 21, width: inPercent(to - from), height: 6 })
}

/**
 * Something drawn around x = 0, moved to a share of the width.
 * @param {number} share
 * @param {SVGElement} drawn
 */
function at(share, drawn) {
  const place = draw("svg", { x: inPercent(share), overflow: "visible" })
  place.append(drawn)
  return place
}

/** @param {number} share */
const inPercent = (share) => `${(share * 100).toFixed(2)}%`

/**
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} name
 * @param {Record<string, string | number>} attributes
 * @returns {SVGElementTagNameMap[K]}
 */
function draw(name, attributes) {
  const element = document.createElementNS(SVG, name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value))
  return element
}
