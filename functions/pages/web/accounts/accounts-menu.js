/** A menu button after the ARIA pattern: arrows, Home, End, first letters, Escape, Tab. */

import { h, icon, uid } from "./accounts-dom.js";

/** @typedef {{label: string, name: string, run: () => void, danger?: boolean}} Item */

/**
 * @param {object} options
 * @param {string} options.label what the button is for, said to those who can't see the row
 * @param {string} [options.text] text on the button; without it an icon
 * @param {() => Item[]} options.items asked at each opening: an account's state changes
 * @returns {HTMLElement}
 */
export function menuButton({ label, text, items }) {
  const id = uid("menu");
  /** @type {HTMLElement | null} */
  let list = null;
  const button = h(
    "button",
    {
      type: "button",
      class: text ? "button" : "icon-button",
      "aria-haspopup": "menu",
      "aria-expanded": "false",
      "aria-label": text ? null : label,
      title: text ? null : label,
      onclick: () => (list ? close() : open(0)),
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
        event.preventDefault();
        if (!list) open(event.key === "ArrowDown" ? 0 : -1);
      },
    },
    text ?? null,
    icon("more"),
  );
  const wrap = h("div", { class: "menu-wrap" }, button);

  /** @param {number} first index of the item to focus; -1 is the last */
  function open(first) {
    list = h(
      "div",
      { class: "menu", role: "menu", id, "aria-label": label, onkeydown: onKey },
      items().map((item) =>
        h(
          "button",
          {
            type: "button",
            role: "menuitem",
            tabindex: "-1",
            class: item.danger ? "menu-item danger" : "menu-item",
            "data-action": item.name,
            onclick: () => {
              // Back to the button first: a dialog that opens now returns the focus there.
              close();
              item.run();
            },
          },
          item.label,
        ),
      ),
    );
    wrap.append(list);
    button.setAttribute("aria-expanded", "true");
    button.setAttribute("aria-controls", id);
    const space = (wrap.closest("dialog") ?? document.documentElement).getBoundingClientRect();
    const bottom = Math.min(space.bottom, window.innerHeight);
    const box = list.getBoundingClientRect();
    if (box.bottom > bottom && box.height < button.getBoundingClientRect().top)
      list.classList.add("upwards");
    focus(first);
    document.addEventListener("pointerdown", onOutside, true);
  }

  /** @param {boolean} [refocus] */
  function close(refocus = true) {
    if (!list) return;
    list.remove();
    list = null;
    button.setAttribute("aria-expanded", "false");
    button.removeAttribute("aria-controls");
    document.removeEventListener("pointerdown", onOutside, true);
    if (refocus) button.focus();
  }

  /** @returns {HTMLElement[]} */
  const entries = () => (list ? /** @type {HTMLElement[]} */ ([...list.children]) : []);

  /** @param {number} index */
  function focus(index) {
    const all = entries();
    all.at(index % all.length)?.focus();
  }

  /** @param {PointerEvent} event */
  function onOutside(event) {
    if (event.target instanceof Node && !wrap.contains(event.target)) close(false);
  }

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    const all = entries();
    const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (event.key === "ArrowDown") focus(at + 1);
    else if (event.key === "ArrowUp") focus(at - 1);
    else if (event.key === "Home") focus(0);
    else if (event.key === "End") focus(-1);
    else if (event.key === "Escape") close();
    else if (event.key === "Tab") {
      close();
      return; // the browser goes on from the button
    } else if (event.key.length === 1 && /\S/.test(event.key)) {
      const letter = event.key.toLowerCase();
      const order = [...all.slice(at + 1), ...all.slice(0, at + 1)];
      order.find((one) => one.textContent?.toLowerCase().startsWith(letter))?.focus();
    } else return; // Enter and Space press the item
    event.preventDefault();
    event.stopPropagation(); // Escape closes the menu, not the dialog around it
  }

  return wrap;
}
