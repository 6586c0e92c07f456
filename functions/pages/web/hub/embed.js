// The embed script, /hub.js: <namely-link session="nls_…"> and NamelyLink.open({session, …}).
//
// The Hub runs in a frame of its own origin, so the page around it never touches the token; what
// comes back is taken from that frame and that origin only.
(() => {
  "use strict";

  const script = /** @type {HTMLScriptElement | null} */ (document.currentScript);
  if (!script || window.NamelyLink) return;
  const HUB = new URL("hub", script.src);
  const SESSION = /^nls_[\w-]{43}$/;

  // Adopted, not inline: a strict style-src of the page around allows it.
  const LOOK = `
    :host { display: block }
    :host(:not([inline])) { display: contents }
    dialog { box-sizing: border-box; inline-size: min(72rem, 100vw - 2rem); max-inline-size: none;
      block-size: min(54rem, 100vh - 2rem); max-block-size: none; margin: auto; padding: 0;
      border: 0; border-radius: 14px; overflow: hidden; background: Canvas;
      box-shadow: 0 24px 64px rgb(0 0 0 / .35) }
    dialog::backdrop { background: rgb(16 26 24 / .55) }
    iframe { display: block; inline-size: 100%; block-size: 100%; border: 0 }
    :host([inline]) iframe { block-size: 46rem; border-radius: 14px }
    @media (max-width: 40rem) {
      dialog { inline-size: 100vw; block-size: 100vh; block-size: 100dvh; border-radius: 0 } }
  `;

  /**
   * @typedef {object} Options
   * @property {string} session the connect session's token, made by your server
   * @property {(account: {id: string, status: string, subdomain: string, site: object}) => void}
   *   [onSuccess] the account is linked, or (status "pending") will be without anybody's help
   * @property {() => void} [onClose] the Hub was closed, before or after
   * @property {(error: {code: string}) => void} [onError] the session can't be used any more
   * @property {string} [locale] a language that goes before the session's, such as "de"
   * @property {"light" | "dark"} [theme] the default is what the person's system says
   */

  /**
   * Make the frame, and listen to it until `stop` is called.
   * @param {Options} options
   * @param {{linked: Function, close: Function, error: Function}} on
   */
  function frame({ session, locale, theme }, on) {
    if (!SESSION.test(session ?? "")) throw new TypeError("NamelyLink: session is nls_…");
    const fragment = new URLSearchParams({ origin: location.origin });
    if (locale) fragment.set("locale", locale);
    if (theme) fragment.set("theme", theme);
    const element = document.createElement("iframe");
    element.title = "Namely";
    element.referrerPolicy = "no-referrer";
    element.src = `${HUB.href}#${session}&${fragment}`;

    /** @param {MessageEvent} event */
    const listen = ({ origin, source, data }) => {
      if (origin !== HUB.origin || source !== element.contentWindow) return;
      if (data?.type === "namely-link:linked") on.linked(data.account);
      if (data?.type === "namely-link:error") on.error({ code: data.code });
      if (data?.type === "namely-link:close") on.close();
    };
    addEventListener("message", listen);
    return {
      element,
      stop() {
        removeEventListener("message", listen);
        element.remove();
      },
    };
  }

  /** @param {HTMLElement} host */
  function shadow(host) {
    const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(LOOK);
    root.adoptedStyleSheets = [sheet];
    return root;
  }

  /**
   * Show the Hub over the page.
   * @param {Options} options
   * @param {HTMLElement} [host] where it hangs in the page; one of its own unless given
   * @returns {{close: () => void}}
   */
  function open(options, host) {
    const own = host ?? document.body.appendChild(document.createElement("div"));
    const dialog = document.createElement("dialog");
    dialog.setAttribute("aria-label", "Namely");
    // What shows before the frame has painted is as light or dark as the frame.
    if (options.theme) dialog.style.colorScheme = options.theme;
    let over = false;
    const close = () => {
      if (over) return;
      over = true;
      view.stop();
      dialog.close();
      dialog.remove();
      if (!host) own.remove();
      options.onClose?.();
    };
    const view = frame(options, {
      linked: (account) => options.onSuccess?.(account),
      error: (error) => options.onError?.(error),
      close,
    });
    dialog.append(view.element);
    dialog.addEventListener("close", close);
    shadow(own).append(dialog);
    dialog.showModal();
    return { close };
  }

  /** Events: success (detail: the account), error (detail: {code}), close. */
  class NamelyLinkElement extends HTMLElement {
    static observedAttributes = ["session"];

    /** @type {{close: () => void} | null} */
    #shown = null;

    connectedCallback() {
      this.#show();
    }

    attributeChangedCallback() {
      if (this.isConnected) this.#show();
    }

    disconnectedCallback() {
      this.#shown?.close();
      this.#shown = null;
    }

    #show() {
      this.#shown?.close();
      this.#shown = null;
      const session = this.getAttribute("session");
      if (!session) return;
      const tell = (type, detail) => this.dispatchEvent(new CustomEvent(type, { detail }));
      const options = {
        session,
        locale: this.getAttribute("locale") ?? undefined,
        theme: /** @type {any} */ (this.getAttribute("theme") ?? undefined),
        onSuccess: (account) => tell("success", account),
        onError: (error) => tell("error", error),
        onClose: () => {
          this.#shown = null;
          tell("close");
        },
      };
      if (!this.hasAttribute("inline")) {
        this.#shown = open(options, this);
        return;
      }
      // In the page's own flow; the page decides what closing means.
      const view = frame(options, {
        linked: options.onSuccess,
        error: options.onError,
        close: () => tell("close"),
      });
      shadow(this).replaceChildren(view.element);
      this.#shown = { close: view.stop };
    }
  }

  customElements.define("namely-link", NamelyLinkElement);
  window.NamelyLink = Object.freeze({ open: (options) => open(options) });
})();
