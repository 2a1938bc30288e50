// What scripts say. English stands in the code; a script before this one (assets.py) has the words of the page's
// other language, by the English ones.

/** @type {Record<string, string>} */
const words = /** @type {any} */ (globalThis).liqpassWords ?? {}

export const language = document.documentElement.lang

/**
 * The text in the page's language, with %(name)s replaced.
 * @param {string} text
 * @param {Record<string, any>} [values]
 * @returns {string}
 */
export function _(text, values = {}) {
  const said = words[text] || text
  return said.replace(/%\((\w+)\)s/g, (whole, name) => String(values[name] ?? whole))
}

/**
 * An amount of micro-USDC as USDC, with at least two decimals; exact.
 * @param {string | number | bigint} micro
 * @returns {string}
 */
export function usdc(micro) {
  const all = BigInt(micro)
  const rest = (all % 1_000_000n).toString().padStart(6, "0").replace(/0{1,4}$/, "")
  return `${(all / 1_000_000n).toLocaleString(language)}.${rest}`
}

/**
 * A share of one as a percentage: two decimals below five percent, else one.
 * @param {number} share
 * @returns {string}
 */
export const percentOf = (share) =>
  share.toLocaleString(language, { style: "percent", maximumFractionDigits: share < 0.05 ? 2 : 1 })

/**
 * A length of time in its largest unit: 8 hours, 30 days.
 * @param {number} seconds
 * @returns {string}
 */
export function span(seconds) {
  const units = /** @type {const} */ ([["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]])
  // 24 hours is what people say, not 1 day; 30 days, not 720 hours
  const [unit, length] = units.find(([, size]) => seconds >= size * (size === 86_400 ? 2 : 1)) ?? units[3]
  const rounded = Math.round(seconds / length)
  const said = rounded.toLocaleString(language, { style: "unit", unit, unitDisplay: "long" })
  return said.replace(/(\d)(?=[\u4e00-\u9fff])/, "$1 ") // Chinese texts set numbers apart
}

/**
 * A moment in the reader's own zone.
 * @param {string} iso
 * @returns {string}
 */
export function moment(iso) {
  return new Date(iso).toLocaleString(language, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" })
}

/**
 * The same without seconds and year, for what is near.
 * @param {string} iso
 * @returns {string}
 */
export function minute(iso) {
  return new Date(iso).toLocaleString(language, {
    month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
  })
}

/**
 * The time of day in the reader's zone.
 * @param {string} iso
 * @returns {string}
 */
export function clock(iso) {
  return new Date(iso).toLocaleTimeString(language, { timeStyle: "medium", hourCycle: "h23" })
}

/** The reader's zone by its distance from Greenwich: GMT+8. */
export function zone() {
  const parts = new Intl.DateTimeFormat(language, { timeZoneName: "shortOffset" }).formatToParts()
  return parts.find(({ type }) => type === "timeZoneName")?.value ?? ""
}
