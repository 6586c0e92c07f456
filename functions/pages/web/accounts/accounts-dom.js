/**
 * Elements without markup in strings: text is always text, so nothing that a customer typed can
 * become HTML.
 */

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * Make an element.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, unknown>} [props] attributes; `on…` are listeners, `class` may be falsy
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false || value === "") continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), /** @type {any} */ (value));
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(.../** @type {(Node | string)[]} */ (children.flat().filter(Boolean)));
  return element;
}

/** Outlines on a grid of 16, drawn for this page. */
export const PATHS = {
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10Zm3.6-1.4L14 14",
  plus: "M8 3v10M3 8h10",
  link: "M6.5 9.5l3-3M7 4.5 8.6 3a3.1 3.1 0 0 1 4.4 4.4L11.5 9M9 11.5 7.4 13A3.1 3.1 0 0 1 3 8.6L4.5 7",
  close: "M4 4l8 8M12 4l-8 8",
  check: "M3 8.5l3.2 3.2L13 5",
  cross: "M4.5 4.5l7 7M11.5 4.5l-7 7",
  dash: "M4 8h8",
  warning: "M8 2.5 14.2 13.2H1.8L8 2.5ZM8 6.5v3.2M8 11.5h.01",
  error: "M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM8 4.8v3.9M8 11h.01",
  pause: "M6 4v8M10 4v8",
  clock: "M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM8 4.5V8l2.3 1.5",
  copy: "M6 6h7v7.5H6V6ZM10 3.5V2.5H3v7.5h1",
  refresh: "M13.5 8a5.5 5.5 0 1 1-1.7-4M13.5 1.8V4.5h-2.7",
  eye: "M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8ZM8 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z",
};

/**
 * Make a decorative icon; what it means always stands beside it as text.
 *
 * @param {keyof typeof PATHS} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

let ids = 0;

/**
 * @param {string} prefix
 * @returns {string} an id that no other element has
 */
export function uid(prefix) {
  ids += 1;
  return `${prefix}-${ids}`;
}
