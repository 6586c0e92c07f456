/** What several views show alike: badges, moments, warnings, the receipt. */

import { copied } from "./accounts-dialog.js";
import { h, icon, uid } from "./accounts-dom.js";

/** @typedef {import("./accounts-api.js").Account} Account */
/** @typedef {import("./accounts-text.js").Words} Words */

const STATUS_ICON = /** @type {const} */ ({
  pending: "clock",
  active: "check",
  error: "error",
  suspended: "pause",
  unlinked: "dash",
});

const CAPABILITY_ICON = /** @type {const} */ ({ yes: "check", no: "cross", unknown: "dash" });

/** @param {Words} words @param {Account} account */
export function statusBadge(words, account) {
  return h(
    "span",
    { class: `badge status-${account.status}` },
    icon(STATUS_ICON[account.status] ?? "dash"),
    words.known(`status.${account.status}`, account.status),
  );
}

/**
 * Why the account is as it is, in the reader's words where they are known.
 *
 * @param {Words} words
 * @param {Account} account
 * @returns {{text: string, at: string} | null}
 */
export function statusReason(words, account) {
  const reason = account.status_reasons.at(-1);
  if (reason) return { text: words.reason(reason, account.subdomain), at: reason.at };
  const text = words.known(`status_means.${account.status}`, "");
  return text ? { text, at: "" } : null;
}

/**
 * @param {Words} words
 * @param {string | null} at
 * @param {"date" | "moment"} [style]
 * @param {string} [otherwise]
 */
export function moment(words, at, style = "date", otherwise = words.t("never")) {
  if (!at) return h("span", { class: "muted" }, otherwise);
  return h("time", { datetime: at, title: words.when(at, "full") }, words.when(at, style));
}

/** @param {Words} words @param {string[]} codes */
export function warningChips(words, codes) {
  return codes.map((code) =>
    h("span", { class: "chip" }, icon("warning"), words.known(`warning.${code}.name`, code)),
  );
}

/** @param {Words} words @param {string[]} codes */
export function warningList(words, codes) {
  if (!codes.length) return null;
  return h(
    "ul",
    { class: "warnings" },
    codes.map((code) =>
      h(
        "li",
        {},
        icon("warning"),
        h(
          "div",
          {},
          h("strong", {}, words.known(`warning.${code}.name`, code)),
          h("p", {}, words.known(`warning.${code}.text`, "")),
          h("p", { class: "remedy" }, words.known(`warning.${code}.remedy`, "")),
        ),
      ),
    ),
  );
}

/**
 * @param {[string, Node | string | null][]} rows those without a value are left out
 * @returns {HTMLDListElement}
 */
export function facts(rows) {
  return h(
    "dl",
    { class: "facts" },
    rows
      .filter(([, value]) => value !== null && value !== "")
      .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

/** What an accepted probe learned. @param {Words} words @param {Account} account */
export function receipt(words, account) {
  const { identity, visible_people: people } = account;
  if (!identity) return h("p", { class: "muted" }, words.t("detail.no_receipt"));
  const name = identity.name || identity.profile_id;
  const title = uid("capabilities");
  return h(
    "div",
    { class: "receipt" },
    facts([
      [
        words.t("detail.belongs"),
        identity.role ? words.t("detail.belongs_role", { name, role: identity.role }) : name,
      ],
      [
        words.t("detail.profile"),
        words.known(
          `detail.user_status.${identity.user_status}`,
          identity.user_status || words.t("unknown"),
        ),
      ],
      [words.t("detail.people"), people === null ? words.t("unknown") : words.number(people)],
    ]),
    h("p", { class: "receipt-title", id: title }, words.t("detail.capabilities")),
    h(
      "ul",
      { class: "capabilities", "aria-labelledby": title },
      Object.entries(account.capabilities).map(([capability, value]) =>
        h(
          "li",
          { class: `is-${value}` },
          icon(CAPABILITY_ICON[value] ?? "dash"),
          h("span", {}, words.capability(capability)),
          h("span", { class: "is" }, words.known(`capability_is.${value}`, value)),
        ),
      ),
    ),
  );
}

/**
 * A text with a button that copies it.
 *
 * @param {Words} words
 * @param {string} text
 * @param {string} what said of the button to those who can't see what it stands beside
 */
export function copyable(words, text, what) {
  const code = h("code", {}, text);
  const button = h(
    "button",
    {
      type: "button",
      class: "icon-button small",
      "aria-label": `${words.t("copy")}: ${what}`,
      title: words.t("copy"),
      onclick: async () => {
        const done = await copied(text);
        if (!done) getSelection()?.selectAllChildren(code);
        button.replaceChildren(icon(done ? "check" : "copy"));
        note.textContent = words.t(done ? "copied" : "did.copy_failed");
        setTimeout(() => {
          button.replaceChildren(icon("copy"));
          note.textContent = "";
        }, 4000);
      },
    },
    icon("copy"),
  );
  const note = h("span", { class: "copy-note", role: "status" });
  return h("span", { class: "copyable" }, code, button, note);
}
