// Handing over a read-only exchange key, and deleting one.

import { Refusal, call } from "./api.js"
import { busy, find } from "./page.js"
import { _ } from "./texts.js"

// Where OKX's answer is about one field (exchange/errors.py).
/** @type {Record<string, string>} */
const FIELD_OF = { 50105: "passphrase", 50119: "apiKey", 50101: "demo" }

/** @type {HTMLFormElement | null} */
const form = document.querySelector("#key-form")
if (form) form.addEventListener("submit", (event) => {
  event.preventDefault()
  busy(find("[type=submit]", form), () => handOver(form), (error) => refused(form, error))
})

/** @param {HTMLFormElement} form */
async function handOver(form) {
  forgetWrongs(form)
  const given = new FormData(form)
  const missing = ["apiKey", "secret", "passphrase"].filter((name) => !String(given.get(name) ?? "").trim())
  if (missing.length) {
    for (const name of missing.reverse()) wrong(form, name, _("Enter it here."))
    return
  }
  const label = String(given.get("label") ?? "").trim()
  await call("POST", "/api/okx/api-accounts", {
    apiKey: given.get("apiKey"),
    secret: given.get("secret"),
    passphrase: given.get("passphrase"),
    region: given.get("region"),
    demo: given.has("demo"),
    ...(label ? { label } : {}),
  })
  // what was typed is not left behind in a page that the browser keeps
  form.reset()
  location.assign(form.dataset.next ?? "/")
}

/**
 * @param {HTMLFormElement} form
 * @param {Error} error
 */
function refused(form, error) {
  const about = error instanceof Refusal ? error.field ?? FIELD_OF[error.document.exchangeCode] : undefined
  if (!about || !wrong(form, about, error.message)) find("#key-form-said").textContent = error.message
}

/**
 * Say at a field what is wrong with it, and go there; false when there is no such field.
 * @param {HTMLFormElement} form
 * @param {string} name
 * @param {string} text
 */
function wrong(form, name, text) {
  const field = form.elements.namedItem(name)
  if (!(field instanceof HTMLElement)) return false
  const details = field.closest("details")
  if (details) details.open = true
  find(`#key-${name}-error`, form).textContent = text
  field.setAttribute("aria-invalid", "true")
  field.focus()
  return true
}

/** @param {HTMLFormElement} form */
function forgetWrongs(form) {
  for (const place of form.querySelectorAll(".wrong")) place.textContent = ""
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid")
}

for (const opener of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("[data-delete]"))) {
  opener.addEventListener("click", () => askToDelete(opener))
}

/** @param {HTMLButtonElement} opener */
function askToDelete(opener) {
  /** @type {HTMLDialogElement} */
  const dialog = find("#deleting")
  /** @type {HTMLButtonElement} */
  const button = find("#delete", dialog)
  const said = find("#deleting-said", dialog)
  find("[data-field=called]", dialog).textContent = opener.dataset.called ?? ""
  said.textContent = ""
  button.onclick = () => busy(button, async () => {
    await call("DELETE", `/api/okx/api-accounts/${opener.dataset.delete}`)
    location.assign("/keys")
  }, (error) => { said.textContent = error.message })
  dialog.showModal()
}
