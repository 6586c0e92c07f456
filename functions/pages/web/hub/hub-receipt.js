// The identity receipt: whose token it is, which site, what it sees, and what is worth saying.

import { el, icon } from "./hub-dom.js";
import { language } from "../shared/i18n.js";

const MARKS = { yes: "check", no: "cross", unknown: "unknown" };

/**
 * @param {any} receipt an account of the API, or the receipt of a dry run
 * @param {string} subdomain
 * @param {import("../shared/i18n.js").Translate} t
 * @returns {HTMLElement}
 */
export function receiptView(receipt, subdomain, t) {
  const { identity, site, visible_people: people, capabilities = {}, warnings = [] } = receipt;
  const address = `${subdomain}.namely.com`;
  return el(
    "div",
    { class: "receipt" },
    el(
      "dl",
      { class: "facts" },
      ...fact(
        t("hub.receipt.site"),
        site?.name ? el("strong", {}, site.name) : "",
        el("bdi", { class: site?.name ? "muted" : "", dir: "ltr" }, address),
      ),
      ...fact(
        t("hub.receipt.owner"),
        el("strong", {}, identity?.name || identity?.profile_id || t("hub.receipt.untold")),
        identity?.role ? el("span", { class: "muted" }, identity.role) : "",
        status(identity?.user_status, t),
      ),
      ...fact(
        t("hub.receipt.people"),
        typeof people === "number"
          ? el("strong", {}, new Intl.NumberFormat(language).format(people))
          : el("span", { class: "muted" }, t("hub.receipt.untold")),
      ),
    ),
    el("h3", {}, t("hub.receipt.sees")),
    el(
      "ul",
      { class: "sees" },
      ...Object.entries(capabilities).map(([name, value]) => {
        const known = value in MARKS ? value : "unknown";
        return el(
          "li",
          { class: known },
          icon(MARKS[known]),
          el("span", {}, t(`capabilities.${name}`)),
          el("span", { class: "answer" }, t(`hub.receipt.${known}`)),
        );
      }),
    ),
    warnings.length > 0 &&
      el(
        "div",
        { class: "warnings" },
        el("h3", {}, t("hub.receipt.warnings")),
        ...warnings.map((code) =>
          el(
            "div",
            { class: "notice warn" },
            el("strong", {}, t(`warnings.${code}.title`)),
            el("p", {}, t(`warnings.${code}.remedy`)),
          ),
        ),
      ),
  );
}

/**
 * @param {string} name
 * @param {...(Node | string | null)} values
 */
function fact(name, ...values) {
  return [el("dt", {}, name), el("dd", {}, ...values)];
}

/**
 * @param {string | undefined} said
 * @param {import("../shared/i18n.js").Translate} t
 */
function status(said, t) {
  if (said !== "active" && said !== "pending") return null;
  return el(
    "span",
    { class: `badge ${said === "active" ? "good" : "warn"}` },
    t(`hub.receipt.status_${said}`),
  );
}
