/** Modal dialogs: the browser's own, which keeps the focus inside and gives it back. */

import { h, icon, uid } from "./accounts-dom.js";

/** @typedef {import("./accounts-text.js").Words} Words */
/** @typedef {import("./accounts-dom.js").Child} Child */

/** How long a message of success stays, in milliseconds. Problems stay until they are dismissed. */
const SHOWN = 8000;

/**
 * @typedef {object} Opened
 * @property {HTMLDialogElement} element
 * @property {(heading: string) => void} retitle
 * @property {(...children: Child[]) => void} fill
 * @property {() => void} close
 * @property {() => void} focus
 */

/**
 * Open a modal dialog.
 *
 * @param {Words} words
 * @param {object} options
 * @param {string} options.title
 * @param {string} [options.kind] a class: `drawer` or `narrow`
 * @param {() => void} [options.onclose]
 * @returns {Opened}
 */
export function openDialog(words, { title, kind = "", onclose }) {
  const id = uid("dialog");
  const heading = h("h2", { id, class: "dialog-title", tabindex: "-1" }, title);
  const body = h("div", { class: "dialog-body" });
  const element = h(
    "dialog",
    {
      class: `dialog ${kind}`,
      "aria-labelledby": id,
      onclose: () => {
        element.remove();
        onclose?.();
      },
      onmousedown: (/** @type {MouseEvent} */ event) => {
        // A form is not lost by a slip of the mouse; a panel to look at closes like a menu.
        if (kind === "drawer" && event.target === element) element.close();
      },
    },
    h(
      "div",
      { class: "dialog-frame" },
      h(
        "header",
        { class: "dialog-head" },
        heading,
        h(
          "button",
          {
            type: "button",
            class: "icon-button dialog-close",
            "aria-label": words.t("close"),
            title: words.t("close"),
            onclick: () => element.close(),
          },
          icon("close"),
        ),
      ),
      h("div", { class: "dialog-say says", role: "status" }),
      h("div", { class: "dialog-say says", role: "alert" }),
      body,
    ),
  );
  document.body.append(element);
  element.showModal();
  heading.focus();
  return {
    element,
    retitle: (text) => {
      heading.textContent = text;
    },
    fill: (...children) => body.replaceChildren(.../** @type {Node[]} */ (children.filter(Boolean))),
    close: () => element.close(),
    focus: () => heading.focus(),
  };
}

/** Close whatever is open: the session is over. */
export function closeAll() {
  for (const one of document.querySelectorAll("dialog")) one.close();
}

/**
 * Tell a person something, where they are: in the topmost dialog or on the page. (All outside a
 * modal dialog is inert, and a screen reader stays silent about it.)
 *
 * @param {Words} words
 * @param {string} text
 * @param {"good" | "bad"} [tone]
 * @param {string} [small] a second line
 */
export function say(words, text, tone = "good", small = "") {
  const role = tone === "bad" ? "alert" : "status";
  const top = [...document.querySelectorAll("dialog[open]")].at(-1);
  const region = (top ?? document.body).querySelector(`:scope .says[role=${role}]`);
  const toast = h(
    "div",
    { class: `toast ${tone}` },
    icon(tone === "bad" ? "error" : "check"),
    h("p", {}, text, small && h("small", {}, small)),
    h(
      "button",
      {
        type: "button",
        class: "icon-button",
        "aria-label": words.t("dismiss"),
        onclick: () => toast.remove(),
      },
      icon("close"),
    ),
  );
  region?.replaceChildren(toast);
  if (tone === "bad") return;
  const fade = () => {
    if (toast.matches(":hover, :focus-within")) setTimeout(fade, SHOWN);
    else toast.remove();
  };
  setTimeout(fade, SHOWN);
}

/** @param {string} text @returns {Promise<boolean>} */
export async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // not permitted, or no secure context
  }
}
