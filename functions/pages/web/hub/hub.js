// The Hub: one person links one Namely account with the session in the address.

import { ask } from "./hub-ask.js";
import { $, el, icon } from "./hub-dom.js";
import {
  looksLikeSite,
  looksLikeToken,
  readSubdomain,
  readToken,
  subdomainWithin,
} from "./hub-input.js";
import { parent } from "./hub-parent.js";
import { receiptView } from "./hub-receipt.js";
import { fill, load } from "../shared/i18n.js";

/** Reasons that end the session: nothing on this page helps any more. */
const ENDS = new Set(
  "unauthorized forbidden not_found session_expired session_used attempts_exhausted".split(" "),
);
/** The guide's part that helps with a reason. */
const HELPED_BY = {
  1: /^(subdomain_|site_|credential_unclear|unreachable|unexpected_answer)/,
  3: /^(token_missing|token_unauthorized|token_forbidden)/,
  4: /^(token_inner_space|token_not_ascii|token_too_long)/,
  advice: /^owner_inactive/,
};
/** What the progress had come to when a reason was found. */
const FAILED_AT = { site: /^(site_|subdomain_|unreachable)/, store: /^(storage_|conflict)/ };
/** Codes that say nothing about what was entered. */
const NO_VERDICT = /^(namely_|storage_unavailable|internal_error|conflict|offline)/;
const STEPS = ["site", "token", "store"];
/** Milliseconds after which a step is likely to have begun; the answer tells what is true. */
const PACE = [0, 700, 1900];

/** The session's bearer is in this module's memory and nowhere else. */
let session = "";
/** @type {any} */
let known = null;
/** @type {import("../shared/i18n.js").Translate} */
let t = (key) => key;
/** @type {import("./hub-parent.js").Tell | null} */
let tell = null;
let busy = false;
let timers = /** @type {number[]} */ ([]);

const app = document.querySelector('meta[name="application-name"]')?.getAttribute("content") ?? "";

/** Take the session and what hub.js adds out of the fragment, and the fragment out of sight. */
function readFragment() {
  const [first, ...rest] = location.hash.slice(1).split("&");
  const more = new URLSearchParams(rest.join("&"));
  history.replaceState(null, "", location.pathname + location.search);
  return { bearer: /^nls_[\w-]{43}$/.test(first) ? first : "", more };
}

/** @param {{bearer: string, more: URLSearchParams}} entry */
async function start({ bearer, more }) {
  session = bearer;
  const theme = more.get("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  const around = parent(more.get("origin"));
  tell = typeof around === "function" ? around : null;
  document.body.classList.toggle("embedded", tell !== null);
  show("loading");

  const again = () => start({ bearer, more });
  const asked = session && around !== "refused" ? readSession() : Promise.resolve(null);
  // The person's language is likely the browser's: fetched while the session is asked for.
  await sentences(more.get("locale"));
  tell?.("ready");
  const answer = await asked;
  if (around === "refused") return end("cannot_show", { quietly: true });
  if (!answer) return end("no_session");
  if (answer.status === 0) return end("offline", { again });
  if (answer.status !== 200)
    return ENDS.has(answer.body.reason)
      ? end(answer.body.reason, { problem: answer.body })
      : end("offline", { again, problem: answer.body });
  known = answer.body;
  if (known.locale && !more.get("locale")) await sentences(known.locale);
  if (known.state === "used") return end("session_used");
  if (known.attempts_left < 1) return end("attempts_exhausted");
  prepare();
  show("work");
  $("title").focus({ preventScroll: true });
}

const readSession = () => ask("GET", "v1/connect-sessions/current", { bearer: session });

/** @param {string | null} locale */
async function sentences(locale) {
  for (let wait = 1000; ; wait = Math.min(wait * 2, 15_000)) {
    try {
      t = await load(locale);
      break;
    } catch {
      // Without a sentence there is nothing to show; a reload would lose the session.
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
  fill(document, t, { app });
  $("loading-text").textContent = t("hub.loading");
  $("leave").hidden = tell === null;
}

/** @param {"loading" | "ended" | "work"} name */
function show(name) {
  for (const one of ["loading", "ended", "work"]) if ($(one)) $(one).hidden = one !== name;
}

/** @param {string} title */
function retitle(title) {
  document.title = `${title} · ${app}`;
}

// ---------------------------------------------------------------- the form

const subdomain = () => /** @type {HTMLInputElement} */ ($("subdomain"));
const token = () => /** @type {HTMLInputElement} */ ($("token"));
/** A re-link keeps the site. */
const fixed = () => Boolean(known.account_id && known.subdomain);
/** What may be named in a sentence of a problem. */
const words = (problem) => ({
  app,
  owner: known?.owner.name ?? "",
  subdomain: readSubdomain(subdomain()?.value ?? "").value || problem?.subdomain || "…",
  minutes: Math.ceil((problem?.retry_after ?? 0) / 60),
});

function prepare() {
  const names = { app, owner: known.owner.name };
  $("title").textContent = t("hub.title");
  retitle(t("hub.title"));
  $("lead").textContent = t("hub.lead", names);
  $("promise").textContent = t("hub.promise", names);
  fill($("guide"), t, names);
  connectSays("hub.connect");
  const again = Boolean(known.account_id);
  $("relink").hidden = !again;
  if (again) $("relink").textContent = t("hub.relink", names);
  if (known.subdomain) {
    subdomain().value = known.subdomain;
    subdomain().readOnly = fixed();
    if (fixed()) $("subdomain-hint").textContent = t("hub.subdomain_fixed");
  }
  attemptsLeft(known.attempts_left <= 2 ? known.attempts_left : undefined);
  mask(token());
}

/**
 * A password field is offered for saving, and filled in from what was saved. A text field that is
 * only drawn as dots is neither; where the browser can't draw them it stays a password field.
 * @param {HTMLInputElement} input
 */
function mask(input) {
  if (CSS.supports("-webkit-text-security", "disc")) {
    input.type = "text";
    input.autocomplete = "off";
  }
  reveal(false);
}

/** @param {boolean} shown */
function reveal(shown) {
  if (token().autocomplete !== "off") token().type = shown ? "text" : "password";
  token().classList.toggle("masked", !shown);
  $("reveal").setAttribute("aria-pressed", String(shown));
  $("reveal").textContent = t(shown ? "hub.hide" : "hub.reveal");
  $("reveal").setAttribute("aria-label", t(shown ? "hub.hide_label" : "hub.reveal_label"));
}

/** @param {boolean} pasted */
function keepSubdomain(pasted) {
  const kept = subdomainWithin(subdomain().value, pasted);
  if (kept === null || kept === subdomain().value) return;
  subdomain().value = kept;
  $("subdomain-note").textContent = t("hub.kept", { subdomain: kept });
}

/** The token in the wrong field stands there for all to read: say so before Connect. */
function watchSwap() {
  const misplaced = !subdomain().readOnly && looksLikeToken(subdomain().value);
  $("swap").hidden = !misplaced;
  if (!misplaced) return;
  const both = looksLikeSite(token().value);
  $("swap-text").textContent = t(both ? "hub.swapped" : "hub.token_in_subdomain");
  $("swap-button").textContent = t(both ? "hub.swap" : "hub.move_token");
}

function swap() {
  const mistaken = subdomain().value;
  const site = looksLikeSite(token().value) ? token().value : "";
  subdomain().value = site;
  token().value = mistaken;
  $("swap").hidden = true;
  clearProblems();
  keepSubdomain(true);
  (site ? token() : subdomain()).focus();
}

/** @param {number | undefined} left */
function attemptsLeft(left) {
  $("attempts").hidden = left === undefined;
  if (left !== undefined) $("attempts").textContent = t("hub.attempts_left", { attempts: left });
}

/** @param {string} key */
function connectSays(key) {
  $("connect-text").textContent = t(key);
}

// ---------------------------------------------------------------- problems

function clearProblems() {
  for (const name of ["subdomain", "token"]) clearField(name);
  $("problem").hidden = true;
  $("problem").replaceChildren();
  for (const one of document.querySelectorAll(".marked")) one.classList.remove("marked");
}

/** @param {string} name */
function clearField(name) {
  $(`${name}-field`).classList.remove("invalid");
  $(name).removeAttribute("aria-invalid");
  $(`${name}-error`).replaceChildren();
}

/**
 * The sentences of a problem: translated by its reason, or the server's own.
 * @param {any} problem
 */
function said(problem) {
  const at = `reasons.${problem.reason}`;
  const detail = t(`${at}.detail`, words(problem));
  const translated = detail !== `${at}.detail`;
  const hint = t(`${at}.hint`, words(problem));
  return {
    detail: translated ? detail : problem.detail || t("reasons.internal_error.detail"),
    hint: hint !== `${at}.hint` ? hint : translated ? "" : problem.hint || "",
  };
}

/** @param {any} problem RFC 9457 problem details, or {reason, field} of our own */
function showProblem(problem) {
  clearProblems();
  const { detail, hint } = said(problem);
  const lines = [el("p", {}, icon("alert"), el("strong", {}, detail)), hint && el("p", {}, hint)];
  if (problem.code === "internal_error" && problem.instance)
    lines.push(el("p", { class: "small" }, t("hub.instance", { instance: problem.instance })));
  const helper = Object.keys(HELPED_BY).find((key) => HELPED_BY[key].test(problem.reason ?? ""));
  if (helper) lines.push(el("p", {}, guideButton(helper)));
  const field = ["subdomain", "token"].includes(problem.field) ? problem.field : "";
  if (problem.attempts_left !== undefined) attemptsLeft(problem.attempts_left);
  if (field) {
    $(`${field}-error`).replaceChildren(...lines.filter(Boolean));
    $(`${field}-field`).classList.add("invalid");
    $(field).setAttribute("aria-invalid", "true");
  } else {
    // Red is for what the person can put right; an outage is nobody's mistake.
    $("problem").className = `notice ${NO_VERDICT.test(problem.code) ? "warn" : "bad"}`;
    $("problem").replaceChildren(...lines.filter(Boolean));
    $("problem").hidden = false;
  }
  if (helper) mark(helper);
  const target = field ? $(field) : $("problem");
  target.focus({ preventScroll: true });
  (field ? $(`${field}-field`) : target).scrollIntoView({ block: "nearest" });
}

/** @param {string} helper */
const part = (helper) => $(helper === "advice" ? "advice" : `step-${helper}`);

/** @param {string} helper */
function guideButton(helper) {
  const label = helper === "advice" ? t("hub.show_advice") : t("hub.show_step", { step: helper });
  const go = () => {
    part(helper).focus({ preventScroll: true });
    part(helper).scrollIntoView({ block: "center" });
  };
  return el("button", { type: "button", class: "link", click: go }, label);
}

/** @param {string} helper */
function mark(helper) {
  part(helper).classList.add("marked");
  // Beside the form it comes into sight; below it the person would lose the form.
  if (matchMedia("(min-width: 60rem)").matches) part(helper).scrollIntoView({ block: "nearest" });
}

// ---------------------------------------------------------------- progress

/** @param {string} text */
function say(text) {
  $("live").textContent = text;
}

/** @param {number} from index of the step that is under way */
function startProgress(from) {
  stopProgress();
  $("progress").hidden = false;
  for (const [index, step] of STEPS.entries()) {
    setStep(step, index < from ? "done" : "waiting");
    if (index >= from)
      timers.push(setTimeout(() => begin(index), PACE[index] - PACE[from]));
  }
}

/** @param {number} index */
function begin(index) {
  if (known.confirm && STEPS[index] === "store" && !storing) return;
  if (index) setStep(STEPS[index - 1], "done");
  setStep(STEPS[index], "doing");
  say(t(`hub.progress.${STEPS[index]}`));
}

/**
 * @param {string} step
 * @param {"waiting" | "doing" | "done" | "failed"} state
 */
function setStep(step, state) {
  const item = document.querySelector(`#progress [data-step="${step}"]`);
  item?.setAttribute("data-state", state);
  if (state === "doing") item?.setAttribute("aria-current", "step");
  else item?.removeAttribute("aria-current");
}

function stopProgress() {
  timers.forEach(clearTimeout);
  timers = [];
}

/** @param {string} reason */
function failProgress(reason) {
  stopProgress();
  const at = FAILED_AT.site.test(reason) ? 0 : FAILED_AT.store.test(reason) ? 2 : 1;
  STEPS.forEach((step, index) =>
    setStep(step, index < at ? "done" : index === at ? "failed" : "waiting"),
  );
}

/** @param {boolean} on */
function setBusy(on) {
  busy = on;
  $("connect").setAttribute("aria-disabled", String(on));
  $("connect-spinner").hidden = !on;
  connectSays(on ? "hub.connecting" : "hub.connect");
  $("form").setAttribute("aria-busy", String(on));
  token().readOnly = on;
  subdomain().readOnly = on || fixed();
  $("reveal").disabled = on;
  $("swap-button").disabled = on;
  if (on) reveal(false);
}

// ---------------------------------------------------------------- linking

let storing = false;

/** What was typed, or null after its problem was shown. */
function readForm() {
  const site = readSubdomain(subdomain().value);
  const secret = readToken(token().value);
  if (looksLikeToken(subdomain().value) && looksLikeSite(token().value))
    return showProblem({ reason: "fields_swapped", field: "subdomain" }), null;
  if (site.reason) return showProblem({ reason: site.reason, field: "subdomain" }), null;
  if (secret.reason) return showProblem({ reason: secret.reason, field: "token" }), null;
  subdomain().value = site.value;
  return { subdomain: site.value, token: secret.value };
}

async function connect() {
  if (busy) return;
  clearProblems();
  const typed = readForm();
  if (!typed) return;
  const answer = await post(typed, { dryRun: known.confirm, from: 0 });
  if (!answer) return;
  if (answer.body.receipt) return confirm(typed, answer.body.receipt);
  finish(answer);
}

/**
 * Ask for the link, and show what went wrong.
 * @param {{subdomain: string, token: string}} typed
 * @param {{dryRun: boolean, from: number}} how
 * @returns {Promise<import("./hub-ask.js").Answer | null>} null after a problem was shown
 */
async function post(typed, { dryRun, from }) {
  storing = !dryRun;
  setBusy(true);
  startProgress(from);
  const answer = await ask("POST", "v1/accounts", {
    bearer: session,
    body: dryRun ? { ...typed, dry_run: true } : typed,
    onWait: (why) => {
      connectSays(`hub.waiting_${why}`);
      say(t(`hub.waiting_${why}`));
    },
  });
  stopProgress();
  setBusy(false);
  if ([200, 201, 202].includes(answer.status)) return answer;
  say("");
  const dialog = /** @type {HTMLDialogElement} */ ($("dialog"));
  if (dialog.open) dialog.close("problem");
  const problem = answer.body;
  if (ENDS.has(problem.reason)) end(problem.reason, { problem });
  else {
    failProgress(problem.reason ?? "");
    // Then nobody knows how far it came.
    if (answer.status === 0 || problem.code === "internal_error") $("progress").hidden = true;
    if (answer.status === 0)
      showProblem({ code: "offline", detail: t("hub.lost.detail"), hint: t("hub.lost.hint") });
    else showProblem(problem);
  }
  return null;
}

/**
 * The receipt before anything is stored.
 * @param {{subdomain: string, token: string}} typed
 * @param {any} receipt
 */
function confirm(typed, receipt) {
  setStep("site", "done");
  setStep("token", "done");
  setStep("store", "waiting");
  const dialog = /** @type {HTMLDialogElement} */ ($("dialog"));
  const yes = el("button", { type: "button", class: "button" }, t("hub.confirm.yes"));
  const no = el("button", { type: "button", class: "button quiet" }, t("hub.confirm.no"));
  no.addEventListener("click", () => dialog.close("no"));
  yes.addEventListener("click", async () => {
    if (busy) return;
    yes.setAttribute("aria-disabled", "true");
    no.setAttribute("disabled", "");
    yes.replaceChildren(
      el("span", { class: "spinner", "aria-hidden": "true" }),
      t("hub.progress.store"),
    );
    const answer = await post(typed, { dryRun: false, from: 2 });
    if (answer) finish(answer);
  });
  dialog.addEventListener(
    "close",
    () => {
      if (dialog.returnValue === "problem" || busy || !$("form")) return;
      typed.token = "";
      token().value = "";
      $("progress").hidden = true;
      token().focus();
      say(t("hub.confirm.dropped"));
    },
    { once: true },
  );
  openDialog({
    title: t("hub.confirm.title"),
    lead: t("hub.confirm.lead", { app, owner: known.owner.name }),
    parts: [receiptView(receipt, typed.subdomain, t)],
    actions: [yes, no],
  });
}

/** @param {import("./hub-ask.js").Answer} answer */
function finish(answer) {
  const account = answer.body;
  const parked = answer.status === 202 || account.status === "pending";
  // From here on the token is nowhere on this page.
  token().value = "";
  session = "";
  $("work").remove();
  say("");
  const { id, status, subdomain: label, site } = account;
  tell?.("linked", { account: { id, status, subdomain: label, site } });

  const kind = parked ? "parked" : answer.status === 200 ? "again" : "linked";
  const names = { app, owner: known.owner.name, subdomain: label, site: site?.name || label };
  const title = t(`hub.done.${kind}_title`, names);
  retitle(title);
  const back = returnAddress(account, parked);
  const next = parked ? t("hub.done.parked_next", names) : t("hub.done.next", names);
  endWith({
    mark: parked ? "clock" : "check",
    kind: parked ? "info" : "good",
    title,
    lines: [t(`hub.done.${kind}_text`, names), tell || back ? "" : t("hub.done.close_page")],
    actions: back && !tell ? [backLink(back)] : tell ? [leaveButton()] : [],
  });
  if (parked) {
    closeDialog();
    $("ended-title").focus();
    return;
  }
  const dialog = /** @type {HTMLDialogElement} */ ($("dialog"));
  const shut = el("button", { type: "button", class: "button" }, t("hub.done.ok"));
  shut.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => $("ended-title").focus(), { once: true });
  openDialog({
    title,
    mark: "check",
    lead: t(`hub.done.${kind}_text`, names),
    parts: [
      receiptView(account, label, t),
      el(
        "div",
        { class: "next" },
        el("h3", {}, t("hub.done.next_title")),
        el("p", {}, next),
        el("p", { class: "muted" }, back && !tell ? "" : t("hub.done.close_page")),
      ),
    ],
    actions: back && !tell ? [backLink(back)] : tell ? [leaveButton()] : [shut],
  });
}

/**
 * @param {{title: string, lead: string, mark?: string, parts: HTMLElement[], actions: HTMLElement[]}} content
 */
function openDialog({ title, lead, mark: sign, parts, actions }) {
  const dialog = /** @type {HTMLDialogElement} */ ($("dialog"));
  $("dialog-body").replaceChildren(
    el(
      "div",
      { class: "dialog-head" },
      sign && el("span", { class: "mark good", "aria-hidden": "true" }, icon(sign)),
      el("div", {}, el("h2", { id: "dialog-title", tabindex: "-1" }, title), el("p", {}, lead)),
    ),
    ...parts,
    el("div", { class: "actions" }, ...actions),
  );
  dialog.returnValue = "";
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  $("dialog-title").focus({ preventScroll: true });
}

function closeDialog() {
  const dialog = /** @type {HTMLDialogElement} */ ($("dialog"));
  if (dialog.open) dialog.close();
}

/**
 * Where the session says to go on, told what a plain form is told.
 * @param {any} account
 * @param {boolean} parked
 * @returns {URL | null}
 */
function returnAddress(account, parked) {
  try {
    const url = new URL(known.return_url);
    if (!/^https?:$/.test(url.protocol)) return null;
    url.searchParams.append("status", parked ? "parked" : "linked");
    url.searchParams.append("account_id", account.id);
    return url;
  } catch {
    return null;
  }
}

/** @param {URL} url */
const backLink = (url) =>
  el("a", { class: "button", href: url.href }, t("hub.done.back", { host: url.host }));

const leaveButton = () =>
  el("button", { type: "button", class: "button", click: () => tell?.("close") }, t("hub.done.ok"));

// ---------------------------------------------------------------- ends

/**
 * A page of its own: this link can't go on, and here is what to do.
 * @param {string} reason
 * @param {{problem?: any, again?: () => void, quietly?: boolean}} [more]
 */
function end(reason, { problem = null, again, quietly = false } = {}) {
  if (token()) token().value = "";
  session = "";
  const { detail, hint } = t(`hub.ended.${reason}.detail`) === `hub.ended.${reason}.detail`
    ? said(problem ?? { reason })
    : { detail: t(`hub.ended.${reason}.detail`), hint: t(`hub.ended.${reason}.hint`) };
  const title = t(`hub.ended.${reason}.title`);
  retitle(title);
  endWith({
    mark: again ? "clock" : reason === "session_expired" ? "clock" : "link",
    kind: again || reason === "session_used" ? "info" : "warn",
    title,
    lines: [detail, hint],
    actions: [
      again && el("button", { type: "button", class: "button", click: again }, t("hub.try_again")),
      tell && leaveButton(),
    ].filter(Boolean),
  });
  if (!quietly) tell?.("error", { code: problem?.code ?? reason });
  $("ended-title").focus();
}

/**
 * @param {{mark: string, kind: string, title: string, lines: string[], actions: any[]}} content
 */
function endWith({ mark: sign, kind, title, lines, actions }) {
  $("ended-mark").className = `mark ${kind}`;
  $("ended-mark").replaceChildren(icon(sign));
  $("ended-title").textContent = title;
  $("ended-text").replaceChildren(...lines.filter(Boolean).map((line) => el("p", {}, line)));
  $("ended-actions").replaceChildren(...actions);
  show("ended");
}

// ---------------------------------------------------------------- wiring

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  connect();
});
$("subdomain").addEventListener("input", (event) => {
  $("subdomain-note").textContent = "";
  clearField("subdomain");
  keepSubdomain(event.inputType === "insertFromPaste" || event.inputType === "insertFromDrop");
  watchSwap();
});
$("subdomain").addEventListener("change", () => keepSubdomain(true));
$("token").addEventListener("input", () => {
  clearField("token");
  watchSwap();
});
$("reveal").addEventListener("click", () =>
  reveal($("reveal").getAttribute("aria-pressed") !== "true"),
);
$("swap-button").addEventListener("click", swap);
$("to-guide").addEventListener("click", (event) => {
  event.preventDefault(); // the address bar stays as it is
  $("guide").focus({ preventScroll: true });
  $("guide").scrollIntoView();
});
$("leave").addEventListener("click", () => tell?.("close"));
$("dialog").addEventListener("cancel", (event) => {
  if (busy) event.preventDefault();
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && tell && !busy && !$("dialog").open) tell("close");
});
// The link pasted once more into this tab changes the fragment only.
addEventListener("hashchange", () => {
  if (/^#nls_/.test(location.hash)) location.reload();
});
// A page kept for "back" keeps no token.
addEventListener("pagehide", () => {
  if (token()) token().value = "";
});

start(readFragment());
