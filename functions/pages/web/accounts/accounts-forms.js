/** What an operator fills in: link now, a link for the customer, rename, unlink. */

import { Problem } from "./accounts-api.js";
import { copied, openDialog, say } from "./accounts-dialog.js";
import { h, icon, uid } from "./accounts-dom.js";
import { receipt, warningList } from "./accounts-parts.js";
import { siteOf } from "./accounts-text.js";

/** @typedef {import("./accounts-api.js").Account} Account */
/** @typedef {import("./accounts-api.js").Api} Api */
/** @typedef {import("./accounts-api.js").Owner} Owner */
/** @typedef {import("./accounts-text.js").Words} Words */
/** @typedef {import("./accounts-dom.js").Child} Child */

/**
 * What every dialog here needs.
 *
 * @typedef {object} Desk
 * @property {Words} words
 * @property {Api} api
 * @property {Owner | null} owner the only owner of this session, null for all
 * @property {(account: Account) => void} onfresh
 * @property {(error: unknown) => string} explain a sentence; ends the page if the session is over
 */

/** Seven days, in seconds: a link is sent by mail, and read when there is time. */
const INVITATION = 604_800;

/** Asterisks by style keep password managers out; where the style is unknown, a password field. */
const MASKED_BY_STYLE = CSS.supports("-webkit-text-security", "disc");

/**
 * One labelled field with its hint and its error.
 *
 * @param {Words} words
 * @param {object} options
 * @param {string} options.label
 * @param {string} [options.hint]
 * @param {boolean} [options.required]
 * @param {boolean} [options.fixed] shown, not changed
 * @param {string} [options.value]
 * @param {string} [options.suffix]
 * @param {number} [options.most]
 * @param {boolean} [options.secret]
 */
function field(words, { label, hint, required, fixed, value = "", suffix, most, secret }) {
  const id = uid("field");
  const error = h("p", { id: `${id}-error`, class: "error", hidden: true });
  const described = [hint && `${id}-hint`, `${id}-error`].filter(Boolean).join(" ");
  const input = h("input", {
    id,
    type: secret && !MASKED_BY_STYLE ? "password" : "text",
    class: secret ? "secret" : null,
    autocomplete: secret && !MASKED_BY_STYLE ? "new-password" : "off",
    autocapitalize: "none",
    autocorrect: "off",
    spellcheck: "false",
    maxlength: most,
    readonly: fixed,
    "aria-required": required ? "true" : null,
    "aria-describedby": described,
    // Password managers ask these whether a field is theirs.
    ...(secret && { "data-1p-ignore": true, "data-lpignore": "true", "data-bwignore": true }),
    oninput: () => complain(""),
  });
  input.value = value;
  const reveal =
    secret &&
    h(
      "button",
      {
        type: "button",
        "aria-pressed": "false",
        "aria-label": words.t("link.show"),
        title: words.t("link.show"),
        onclick: () => setShown(reveal && reveal.getAttribute("aria-pressed") !== "true"),
      },
      icon("eye"),
    );

  /** @param {boolean | "" | undefined} shown */
  function setShown(shown) {
    if (!reveal) return;
    // The name of a toggle stays; its state says the rest.
    reveal.setAttribute("aria-pressed", String(Boolean(shown)));
    input.classList.toggle("secret", !shown);
    if (!MASKED_BY_STYLE) input.type = shown ? "text" : "password";
  }

  /** @param {string} text */
  function complain(text) {
    error.textContent = text;
    error.hidden = !text;
    element.classList.toggle("invalid", Boolean(text));
    if (text) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }

  const element = h(
    "div",
    { class: fixed ? "field fixed" : "field" },
    h(
      "label",
      { for: id },
      label,
      !required && !fixed && h("span", { class: "optional" }, ` (${words.t("link.optional")})`),
    ),
    hint && h("p", { id: `${id}-hint`, class: "hint" }, hint),
    h(
      "div",
      { class: "control" },
      input,
      suffix && h("span", { class: "affix", "aria-hidden": "true" }, suffix),
      reveal || null,
    ),
    error,
  );
  return {
    element,
    input,
    required: Boolean(required),
    complain,
    mask: () => setShown(false),
    get value() {
      return input.value.trim();
    },
  };
}

/** @typedef {ReturnType<typeof field>} Field */

/**
 * A form that can't be sent twice and puts every problem where it belongs.
 *
 * @param {Desk} desk
 * @param {object} options
 * @param {Record<string, Field>} options.fields by the API's names
 * @param {string} options.submit
 * @param {string} options.busy
 * @param {() => Promise<void>} options.send
 * @param {() => void} options.cancel
 * @param {Child[]} [options.before]
 * @param {boolean} [options.danger]
 * @returns {HTMLFormElement}
 */
function form(desk, { fields, submit, busy, send, cancel, before = [], danger }) {
  const { words } = desk;
  const alert = h("div", { role: "alert" });
  const progress = h("p", { class: "progress", role: "status" });
  const button = h("button", { type: "submit", class: danger ? "button danger" : "button" }, submit);
  let sending = false;

  /** @param {unknown} error */
  function refuse(error) {
    const text = desk.explain(error);
    const problem = error instanceof Problem ? error : null;
    const subdomain = fields.subdomain?.value ?? "";
    const { hint } = problem ? words.problem(problem, subdomain) : { hint: "" };
    const at = problem ? fields[problem.field] : undefined;
    if (at && !at.input.readOnly) {
      at.complain([text, hint].filter(Boolean).join(" "));
      at.input.focus();
      return;
    }
    const wait = problem?.retryAfter ? words.plural("retry_in", problem.retryAfter) : "";
    const server = problem && problem.status >= 500 && problem.instance;
    const notice = h(
      "div",
      { class: "notice bad", tabindex: "-1" },
      h("p", {}, text),
      (hint || wait) && h("p", { class: "small" }, [hint, wait].filter(Boolean).join(" ")),
      server && h("p", { class: "small mono" }, words.t("problem_id", { id: problem.instance })),
    );
    alert.replaceChildren(notice);
    // It stands above the fields, perhaps out of sight of the button.
    notice.focus();
  }

  return h(
    "form",
    {
      class: "form",
      novalidate: true,
      autocomplete: "off",
      onsubmit: async (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        if (sending) return;
        const missing = Object.values(fields).filter((one) => one.required && !one.value);
        for (const one of missing) one.complain(words.t("link.required"));
        if (missing.length) {
          missing[0].input.focus();
          return;
        }
        sending = true;
        alert.replaceChildren();
        // Not `disabled`: that would drop the focus.
        button.setAttribute("aria-disabled", "true");
        button.prepend(h("span", { class: "spinner", "aria-hidden": "true" }));
        progress.textContent = busy;
        try {
          await send();
        } catch (error) {
          refuse(error);
        } finally {
          sending = false;
          button.removeAttribute("aria-disabled");
          button.querySelector(".spinner")?.remove();
          progress.textContent = "";
        }
      },
    },
    before,
    alert,
    Object.values(fields).map((one) => one.element),
    progress,
    h(
      "div",
      { class: "actions end" },
      h("button", { type: "button", class: "button quiet", onclick: cancel }, words.t("cancel")),
      button,
    ),
  );
}

/**
 * @param {Desk} desk
 * @param {Account | null} account whose owner and site stay as they are
 * @returns {Record<"owner_id" | "owner_name", Field>}
 */
function ownerFields({ words, owner }, account) {
  const known = account?.owner ?? owner;
  return {
    owner_id: field(words, {
      label: words.t("link.owner_id"),
      hint: known ? "" : words.t("link.owner_id_hint"),
      required: true,
      fixed: Boolean(known),
      value: known?.id,
      most: 128,
    }),
    owner_name: field(words, {
      label: words.t("link.owner_name"),
      required: true,
      fixed: Boolean(known),
      value: known?.name,
      most: 200,
    }),
  };
}

/** @param {Words} words @param {object} [options] */
function subdomainField(words, options = {}) {
  const made = field(words, {
    label: words.t("link.subdomain"),
    hint: words.t("link.subdomain_hint"),
    suffix: ".namely.com",
    ...options,
  });
  // A pasted address turns into its subdomain before one's eyes; the server checks it in any case.
  made.input.addEventListener("input", () => {
    const address = /^(?:[a-z]+:\/\/)?([^/\s@:?#]+)\.namely\.com(?:[/:?#].*)?$/i.exec(made.value);
    if (address) made.input.value = address[1].toLowerCase();
  });
  return made;
}

/**
 * Link now: an operator enters the credential.
 *
 * @param {Desk} desk
 * @param {Account | null} [again] the account that gets a new token
 */
export function openLink(desk, again = null) {
  const { words, api, onfresh } = desk;
  const title = words.t(again ? "link.title_again" : "link.title");
  const token = field(words, {
    label: words.t("link.token"),
    hint: words.t("link.token_hint"),
    required: true,
    secret: true,
  });
  const fields = {
    ...ownerFields(desk, again),
    subdomain: subdomainField(words, {
      required: true,
      fixed: Boolean(again),
      value: again?.subdomain,
      ...(again && { hint: "" }),
    }),
    token,
    ...(!again && { label: field(words, { label: words.t("link.label"), most: 100 }) }),
  };
  const dialog = openDialog(words, {
    title,
    onclose: () => {
      token.input.value = "";
    },
  });

  async function send() {
    const typed = token.input.value;
    // What was typed leaves the page as it is sent; it comes back only to be tried again as it is.
    token.input.value = "";
    token.mask();
    try {
      const linked = await api.link({
        owner_id: fields.owner_id.value,
        owner_name: fields.owner_name.value,
        subdomain: fields.subdomain.value,
        token: typed,
        ...(fields.label?.value && { label: fields.label.value }),
      });
      onfresh(linked);
      done(linked);
    } catch (error) {
      const about = error instanceof Problem ? error.field : "";
      if (about !== "token" && dialog.element.open) token.input.value = typed;
      throw error;
    }
  }

  /** @param {Account} linked */
  function done(linked) {
    const parked = linked.status === "pending";
    const key = parked ? "link.done_parked" : again ? "link.done_again" : "link.done";
    dialog.retitle(words.t(key, { site: siteOf(linked) }));
    const warnings = warningList(words, linked.warnings);
    dialog.fill(
      h(
        "div",
        { class: "form" },
        parked
          ? h("p", { class: "notice" }, words.t("link.done_parked_text"))
          : receipt(words, linked),
        warnings && h("section", {}, h("h3", {}, words.t("detail.warnings")), warnings),
        h(
          "div",
          { class: "actions end" },
          !again &&
            h(
              "button",
              {
                type: "button",
                class: "button quiet",
                onclick: () => {
                  dialog.close();
                  openLink(desk);
                },
              },
              words.t("link.another"),
            ),
          h(
            "button",
            { type: "button", class: "button", onclick: dialog.close },
            words.t("link.finish"),
          ),
        ),
      ),
    );
    dialog.focus();
  }

  dialog.fill(
    form(desk, {
      fields,
      submit: words.t(again ? "link.submit_again" : "link.submit"),
      busy: words.t("link.busy"),
      send,
      cancel: dialog.close,
      before: [h("p", { class: "muted" }, words.t(again ? "link.text_again" : "link.text"))],
    }),
  );
  (fields.owner_id.input.readOnly ? (again ? token : fields.subdomain) : fields.owner_id).input.focus();
}

/**
 * A link by which the customer links, or enters a new token for an account that exists.
 *
 * @param {Desk} desk
 * @param {Account | null} [again]
 */
export function openInvite(desk, again = null) {
  const { words, api } = desk;
  const site = again ? siteOf(again) : "";
  const dialog = openDialog(words, {
    title: words.t(again ? "invite.title_again" : "invite.title", { site }),
  });
  const fields = {
    ...ownerFields(desk, again),
    ...(!again && { subdomain: subdomainField(words) }),
  };

  async function send() {
    const made = await api.invite({
      owner_id: fields.owner_id.value,
      owner_name: fields.owner_name.value,
      expires_in: INVITATION,
      ...(again && { account_id: again.id, subdomain: again.subdomain }),
      ...(fields.subdomain?.value && { subdomain: fields.subdomain.value }),
    });
    const id = uid("field");
    const url = h("input", { id, type: "text", readonly: true, class: "mono" });
    url.value = made.url;
    dialog.retitle(words.t("invite.ready"));
    dialog.fill(
      h(
        "div",
        { class: "form" },
        h(
          "div",
          { class: "field" },
          h("label", { for: id }, words.t("invite.url")),
          h("p", { class: "hint" }, words.t("invite.expires", { date: words.when(made.expires_at, "moment") })),
          h("div", { class: "control" }, url),
        ),
        h(
          "div",
          { class: "actions end" },
          h("button", { type: "button", class: "button quiet", onclick: dialog.close }, words.t("close")),
          h(
            "button",
            {
              type: "button",
              class: "button",
              onclick: async () => {
                const done = await copied(made.url);
                if (!done) url.select();
                say(words, words.t(done ? "did.copy" : "did.copy_failed"), done ? "good" : "bad");
              },
            },
            icon("copy"),
            words.t("invite.copy"),
          ),
        ),
      ),
    );
    dialog.focus();
  }

  dialog.fill(
    form(desk, {
      fields,
      submit: words.t("invite.submit"),
      busy: words.t("invite.busy"),
      send,
      cancel: dialog.close,
      before: [
        h("p", { class: "muted" }, words.t(again ? "invite.text_again" : "invite.text", { site })),
        again &&
          h(
            "button",
            {
              type: "button",
              class: "button plain start",
              onclick: () => {
                dialog.close();
                openLink(desk, again);
              },
            },
            words.t("invite.instead"),
          ),
      ],
    }),
  );
  if (!again && !fields.owner_id.input.readOnly) fields.owner_id.input.focus();
}

/** @param {Desk} desk @param {Account} account */
export function openRename(desk, account) {
  const { words, api, onfresh } = desk;
  const site = siteOf(account);
  const dialog = openDialog(words, { title: words.t("rename.title", { site }), kind: "narrow" });
  const label = field(words, {
    label: words.t("rename.label"),
    hint: words.t("rename.hint"),
    value: account.label ?? "",
    most: 100,
  });
  dialog.fill(
    form(desk, {
      fields: { label },
      submit: words.t("rename.submit"),
      busy: "",
      cancel: dialog.close,
      send: async () => {
        onfresh(await api.rename(account.id, label.value));
        dialog.close();
        say(words, words.t("did.rename", { site }));
      },
    }),
  );
  label.input.select();
}

/** @param {Desk} desk @param {Account} account */
export function openUnlink(desk, account) {
  const { words, api, onfresh } = desk;
  const site = siteOf(account);
  const dialog = openDialog(words, { title: words.t("unlink.title", { site }), kind: "narrow" });
  const made = form(desk, {
    fields: {},
    submit: words.t("unlink.submit", { site }),
    busy: words.t("unlink.busy"),
    danger: true,
    cancel: dialog.close,
    before: [
      h("p", {}, words.t("unlink.text", { owner: account.owner.name })),
      h("p", { class: "muted" }, words.t("unlink.text_recover")),
    ],
    send: async () => {
      const gone = await api.unlink(account.id);
      dialog.close();
      onfresh(gone);
      const until = gone.recoverable_until;
      const key = until ? "did.unlink_until" : "did.unlink";
      say(words, words.t(key, { site, date: until ? words.when(until) : "" }));
    },
  });
  dialog.fill(made);
  // The harmless answer has the focus.
  /** @type {HTMLElement | null} */ (made.querySelector(".actions button"))?.focus();
}
