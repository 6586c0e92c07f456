/** The panel with all that is known of one account, and what happened to it. */

import { openDialog } from "./accounts-dialog.js";
import { h, icon } from "./accounts-dom.js";
import { menuButton } from "./accounts-menu.js";
import { copyable, facts, moment, receipt, statusBadge, statusReason, warningList } from "./accounts-parts.js";
import { siteOf } from "./accounts-text.js";

/** @typedef {import("./accounts-api.js").Account} Account */
/** @typedef {import("./accounts-api.js").Api} Api */
/** @typedef {import("./accounts-api.js").Actor} Actor */
/** @typedef {import("./accounts-api.js").Deletion} Deletion */
/** @typedef {import("./accounts-api.js").Entry} Entry */
/** @typedef {import("./accounts-text.js").Words} Words */
/** @typedef {import("./accounts-menu.js").Item} Item */

/**
 * @typedef {object} Detail
 * @property {string} id
 * @property {(account: Account) => void} update
 */

/**
 * @param {object} options
 * @param {Words} options.words
 * @param {Api} options.api
 * @param {Account} options.account
 * @param {((account: Account) => Item[]) | null} options.items null for a viewer
 * @param {(account: Account) => void} options.onfresh
 * @param {(error: unknown) => string} options.explain
 * @param {() => void} options.onclose
 * @returns {Detail}
 */
export function openDetail({ words, api, account, items, onfresh, explain, onclose }) {
  let shown = account;
  let open = true;
  const panel = openDialog(words, {
    title: account.owner.name,
    kind: "drawer",
    onclose: () => {
      open = false;
      onclose();
    },
  });
  const head = h("div", { class: "detail-head" });
  const about = h("div", { class: "detail-sections" });
  const ledger = h("div", { "aria-live": "polite" }, h("p", { class: "muted" }, words.t("loading")));
  // Made once: an update must not close an open menu.
  const menu =
    items &&
    menuButton({
      label: words.t("actions_for", { owner: account.owner.name, site: siteOf(account) }),
      text: words.t("columns.actions"),
      items: () => items(shown).filter((item) => item.name !== "details"),
    });
  panel.fill(
    h("div", { class: "detail-top" }, head, menu),
    about,
    h("section", {}, h("h3", {}, words.t("detail.ledger")), ledger),
  );

  /** @param {Account} one */
  function draw(one) {
    shown = one;
    const reason = statusReason(words, one);
    head.replaceChildren(
      h("p", { class: "detail-site" }, siteOf(one)),
      h(
        "p",
        { class: "line" },
        statusBadge(words, one),
        one.type === "test" && h("span", { class: "badge" }, words.t("test")),
        reason &&
          h(
            "span",
            { class: "muted small" },
            reason.text,
            " ",
            reason.at && words.t("reason_since", { date: words.when(reason.at, "moment") }),
          ),
      ),
    );
    const warnings = one.status === "unlinked" ? null : warningList(words, one.warnings);
    about.replaceChildren(
      h(
        "section",
        {},
        facts([
          [words.t("columns.linked"), moment(words, one.linked_at, "moment")],
          [words.t("columns.checked"), moment(words, one.checked_at, "moment")],
          [
            words.t("columns.expires"),
            moment(words, one.token_expires_by, "date", words.t("unknown")),
          ],
          [
            words.t("detail.recoverable"),
            one.recoverable_until && moment(words, one.recoverable_until, "moment"),
          ],
        ]),
      ),
      ...(one.deletion ? [deletionReceipt(words, one.deletion)] : []),
      ...(warnings ? [h("section", {}, h("h3", {}, words.t("detail.warnings")), warnings)] : []),
      h("section", {}, h("h3", {}, words.t("detail.receipt")), receipt(words, one)),
      h(
        "section",
        {},
        h("h3", {}, words.t("detail.facts")),
        facts([
          [words.t("detail.label"), one.label],
          [words.t("detail.site_name"), one.site.name],
          [words.t("detail.owner_id"), copyable(words, one.owner.id, words.t("detail.owner_id"))],
          [words.t("detail.id"), copyable(words, one.id, words.t("detail.id"))],
          [words.t("detail.token"), one.token_hint && h("code", {}, `…${one.token_hint}`)],
          [
            words.t("detail.secret"),
            one.secret && copyable(words, one.secret.arn, words.t("detail.secret")),
          ],
          [
            words.t("detail.version"),
            one.secret && copyable(words, one.secret.version_id, words.t("detail.version")),
          ],
        ]),
      ),
    );
  }

  async function loadLedger() {
    try {
      const { entries } = await api.ledger(account.id);
      ledger.replaceChildren(timeline(words, entries));
    } catch (error) {
      ledger.replaceChildren(
        h("p", { class: "muted" }, words.t("detail.ledger_failed", { problem: explain(error) })),
      );
    }
  }

  draw(account);
  void loadLedger();
  // The row may be older than the page's polling reaches.
  api.account(account.id).then(onfresh, explain);
  return {
    id: account.id,
    update(one) {
      if (!open || one === shown) return;
      draw(one);
      void loadLedger();
    },
  };
}

/** That the token was ordered to be deleted, and what became of it. @param {Words} words @param {Deletion} of */
function deletionReceipt(words, of) {
  return h(
    "section",
    {},
    h("h3", {}, words.t("deletion.title")),
    facts([
      [words.t("deletion.requested"), moment(words, of.requested_at, "moment")],
      [words.t("deletion.by"), of.requested_by],
      [
        words.t("deletion.scheduled"),
        moment(words, of.scheduled_at, "moment", words.t("deletion.not_scheduled")),
      ],
      [words.t("deletion.final"), of.final_at && moment(words, of.final_at, "moment")],
      [
        words.t("deletion.secret"),
        of.secret_arn && copyable(words, of.secret_arn, words.t("deletion.secret")),
      ],
      [
        words.t("deletion.request"),
        of.request_id && copyable(words, of.request_id, words.t("deletion.request")),
      ],
    ]),
  );
}

/** @param {Words} words @param {Actor} actor @returns {string} */
function actorName(words, actor) {
  const text = words.t(`actor.${actor.kind}`, { name: actor.name });
  return text.startsWith("accounts.") ? actor.name : text;
}

/** @param {Words} words @param {Entry[]} entries */
function timeline(words, entries) {
  if (!entries.length) return h("p", { class: "muted" }, words.t("detail.ledger_none"));
  return h(
    "ol",
    { class: "ledger" },
    entries.map((entry) =>
      h(
        "li",
        {},
        h("span", { class: "ledger-dot" }, icon(ENTRY_ICON[entry.action] ?? "clock")),
        h("b", {}, words.known(`ledger_action.${entry.action}`, entry.action)),
        h(
          "span",
          { class: "muted small" },
          moment(words, entry.at, "moment"),
          " · ",
          words.t("detail.by", { actor: actorName(words, entry.actor) }),
        ),
        entry.detail && h("span", { class: "small" }, entry.detail),
      ),
    ),
  );
}

/** @type {Record<string, "link" | "check" | "pause" | "dash" | "error" | "refresh">} */
const ENTRY_ICON = {
  linked: "link",
  relinked: "link",
  relinked_other_site: "link",
  suspended: "pause",
  resumed: "check",
  unlinked: "dash",
  deletion_scheduled: "clock",
  noticed: "refresh",
  failed: "error",
  rejected: "error",
  recovered: "check",
};
