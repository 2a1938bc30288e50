// The operator's pages: they renew themselves, write the Safe batch, close breaks, and decide claims.

/** @typedef {import("./api.js").Refusal} Refusal */
import { call } from "./api.js"
import { busy, enliven, find, say } from "./page.js"
import { _ } from "./texts.js"

const EVERY_MS = 30_000

/**
 * For who is no operator, nothing of this exists. That is also how a session that has ended looks: when there
 * is none, `call` leads to where one signs in.
 */
const isThereASession = () => call("GET", "/api/auth/me")

/**
 * @param {string} path
 * @param {unknown} body
 */
async function order(path, body) {
  try {
    return await call("POST", `/api/admin/${path}`, body)
  } catch (error) {
    if (/** @type {Refusal} */ (error).code === "NOT_FOUND") await isThereASession()
    throw error
  }
}

/**
 * Fetch this page again and put in the parts that changed. A part in which somebody is typing, has just tabbed
 * to or ticked something stays. A button that was clicked keeps the focus, and what was unfolded stays so.
 * Throws when the page does not come.
 */
async function renew() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } })
  if (answer.status === 404) await isThereASession()
  if (!answer.ok || answer.redirected) throw new Error(String(answer.status))
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html")
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(part.id)
    if (!other || part.querySelector(":focus-visible, :checked")) continue
    for (const open of part.querySelectorAll("details[open]")) {
      other.querySelector(`#${open.id}`)?.setAttribute("open", "")
    }
    const focused = part.contains(document.activeElement) ? document.activeElement : null
    part.replaceWith(document.adoptNode(other))
    enliven(other)
    if (focused) {
      const same = [...other.querySelectorAll(focused.localName)].find((one) => one.isEqualNode(focused))
      if (same instanceof HTMLElement) same.focus({ preventScroll: true })
    }
  }
}

async function renewIfSeen() {
  const stale = document.getElementById("stale")
  if (!stale || document.visibilityState !== "visible") return
  try {
    await renew()
    stale.hidden = true
  } catch {
    stale.hidden = false
  }
}

/**
 * Hand a file to the reader.
 * @param {string} name
 * @param {unknown} content
 */
function download(name, content) {
  const url = URL.createObjectURL(new Blob([JSON.stringify(content, null, 2)], { type: "application/json" }))
  const link = document.createElement("a")
  link.href = url
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}

/** @param {boolean} again */
async function writeBatch(again) {
  const made = await order("treasury/batch", { again })
  const { name, included, held, batched, later, doubtful } = made
  const words = [made.file
    ? _("%(name)s holds %(included)s payouts. Next: the treasury's owners load it in the Transaction Builder of Safe{Wallet} and sign. Their transfers are then found on chain.", { name, included })
    : _("Nothing new is to be paid out: no file was written.")]
  /** @param {{ recipient: string }[]} dues */
  const who = (dues) => [...new Set(dues.map((due) => due.recipient))].join(", ")
  if (held.length) words.push(_("Held back, because USDC would refuse the transfer: to %(who)s.", { who: who(held) }))
  if (doubtful.length) {
    words.push(_("Before anybody signs: USDC left without a reason to %(who)s. If that paid what is due, the file would pay it again.", { who: who(doubtful) }))
  }
  if (batched) words.push(_("Left out, because an earlier batch holds them: %(batched)s.", { batched }))
  if (later) words.push(_("Left for the next file: %(later)s.", { later }))
  if (made.file) download(name, made.file)
  return words.join(" ")
}

/**
 * @param {string} id
 * @param {string} text
 */
function tell(id, text) {
  for (const place of ["batch-said", "batch-refused"]) {
    const note = find(`#${place}`)
    note.hidden = place !== id
    note.textContent = place === id ? text : ""
  }
}

/** @param {HTMLFormElement} form */
async function closeBreak(form) {
  const id = form.dataset.close ?? ""
  const reason = /** @type {HTMLTextAreaElement} */ (form.elements.namedItem("reason"))
  const closed = await order(`reconciliation/breaks/${id}/close`, { reason: reason.value })
  const row = find(`[data-break="${id}"]`)
  const group = /** @type {HTMLElement} */ (row.parentElement)
  row.remove()
  const open = document.getElementById("open")
  if (open) {
    const left = Math.max(0, Number((open.textContent ?? "").replace(/\D/g, "")) - 1)
    open.textContent = left.toLocaleString(document.documentElement.lang)
    if (!left) open.closest(".state")?.classList.replace("bad", "good")
  }
  // whoever works with the keyboard or listens goes on where the row was
  const heading = find("h2", group)
  if (group.querySelector("[data-break]")) heading.focus()
  else {
    group.remove()
    find("#main").focus()
  }
  say(_("Break %(id)s is closed, in the name of %(who)s.", { id, who: closed.closedBy }))
}

/**
 * Approve or refuse a claim; the page then shows what became of it.
 * @param {HTMLFormElement} form
 */
async function decide(form) {
  const given = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""))
  if ("amount" in given) given.amount = micro(String(given.amount))
  await order(`claims/${form.dataset.claim}/${form.dataset.decide}`, { reason: "", ...given })
  location.reload()
}

/**
 * Micro-USDC from an amount as people write it; what is none is left for the server to name.
 * @param {string} text
 */
function micro(text) {
  const [, whole = "", rest = ""] = /^\s*(\d{1,12})(?:\.(\d{1,6}))?\s*$/.exec(text) ?? []
  return whole ? String(BigInt(whole) * 1_000_000n + BigInt(rest.padEnd(6, "0"))) : text
}

/**
 * @param {HTMLFormElement} form
 * @param {string} words
 */
function refuse(form, words) {
  const reason = /** @type {HTMLTextAreaElement} */ (form.elements.namedItem("reason"))
  reason.setAttribute("aria-invalid", "true")
  find(".refused", form).textContent = words
  reason.focus()
}

document.addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target)
  const button = /** @type {HTMLButtonElement} */ (/** @type {SubmitEvent} */ (event).submitter)
  if (form.hasAttribute("data-batch")) {
    event.preventDefault()
    busy(button, async () => {
      tell("batch-said", await writeBatch(form.hasAttribute("data-again")))
      // the button may go; whoever works with the keyboard goes on behind the section
      find("#batch-said").focus()
      form.reset()
      await renewIfSeen()
    }, (error) => tell("batch-refused", error.message))
  }
  if (form.dataset.decide) {
    event.preventDefault()
    busy(button, () => decide(form), (error) => refuse(form, error.message))
  }
  if (form.dataset.close) {
    event.preventDefault()
    busy(button, () => closeBreak(form), (error) => refuse(form, error.message))
  }
})

if (document.getElementById("stale")) {
  setInterval(renewIfSeen, EVERY_MS)
  document.addEventListener("visibilitychange", renewIfSeen)
}
