// Keeps pages current, and says when that is not possible. Every page works without this script.
//   <body data-refresh="SECONDS">  the page follows its own address while the tab is visible; empty: it does not change any more
//   <body data-watch="PATH">       a page that does not follow: only its header and its notes do, from this address
//   <body data-page="PATH">        a page inside Canvas, without an address: it is asked for with its data-fields
//   data-own                       what another script put here, which no newer page replaces
//   data-key="KEY"                 identifies an element among its siblings, so that a new row does not change the others
//   data-announce="STATE"          its text is announced, politely, when STATE changes
//   data-search="ID"               submits the form while somebody types, and updates the element ID
"use strict";

const FETCH_TIMEOUT_MS = 4000;
const SHOWN_MS = 10000;

let refreshTimer, searchTimer, newestSearch = "", isRefreshing = false;
// What cannot be read, as a sentence; empty where everything can. A page that stands for another one begins so.
let lostWhy = document.body.hasAttribute("data-lost") ? "passback does not answer." : "";

const addressOf = () => document.body.dataset.page || location.pathname + location.search;
const form = () => document.body.dataset.page ? { method: "POST", body: new URLSearchParams(document.body.dataset.fields) } : {};

async function fetchPage(url) {
  const response = await fetch(url, { ...form(), signal: AbortSignal.timeout(FETCH_TIMEOUT_MS), cache: "no-store", redirect: "manual" });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  // No page of passback redirects, unless somebody has to sign in, here or at a proxy.
  const isSignedOut = response.type === "opaqueredirect" || response.status === 401 || response.status === 403;
  return { response, page, isSignedOut };
}

// Updating an element keeps it in the document: focus, selection, typed text, ticks, opened details, scroll positions.

// By attribute: the id of a form is the field of that name, if it has one.
const keyOf = (node) => node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key") || node.getAttribute("id") || "" : "";

// Returns the child that stands for `next`: of the same key, else the first free one of the same kind without a key.
function counterpart(next, children) {
  const key = keyOf(next);
  return children.find((child) => child.nodeName === next.nodeName && keyOf(child) === key);
}

function update(current, next) {
  if (current.nodeType !== Node.ELEMENT_NODE) {
    if (current.data !== next.data) current.data = next.data;
    return;
  }
  if ("own" in current.dataset) return;
  for (const { name, value } of next.attributes) if (current.getAttribute(name) !== value && !isOwn(current, name)) current.setAttribute(name, value);
  for (const { name } of [...current.attributes]) if (!next.hasAttribute(name) && !isOwn(current, name)) current.removeAttribute(name);
  updateChildren(current, next);
}

// What a person changed in the page is theirs.
const isOwn = (element, name) => name === "open" && element.localName === "details";

function updateChildren(current, next) {
  const free = [...current.childNodes];
  const wanted = [...next.childNodes].map((child) => {
    const same = counterpart(child, free);
    if (same) free.splice(free.indexOf(same), 1);
    return [same, child];
  });
  free.forEach((child) => child.remove());
  // Text is moved around elements, and never an element around text: moving one takes the focus from it.
  let place = current.firstElementChild;
  for (const [same, child] of wanted) {
    const node = same || document.importNode(child, true);
    if (same) update(same, child);
    if (node === place) place = place.nextElementSibling;
    else if (!same || node.nextSibling !== place || node.nodeType === Node.ELEMENT_NODE) current.insertBefore(node, place);
  }
}

function follow(page, ids) {
  const focused = document.activeElement;
  const before = announced();
  ids.forEach((id) => {
    const [current, next] = [document.getElementById(id), page.getElementById(id)];
    if (current && next) update(current, next);
  });
  if (focused !== document.activeElement) {
    (focused.isConnected ? focused : document.getElementById("main")).focus({ preventScroll: true });
  }
  const news = [...announced()].filter(([key, state]) => before.get(key) !== state).map(([key]) => document.querySelector(key));
  if (news.length) document.getElementById("news").textContent = news.map((each) => each.textContent.trim().replace(/\s+/g, " ")).join(" ");
}

function announced() {
  return new Map([...document.querySelectorAll("[data-announce]")].map((each) => [`#${each.id}`, each.dataset.announce]));
}

// The connection: what cannot be read, and that it can be read again.

function say(level, text, ...more) {
  const note = document.getElementById("connection"), strong = document.createElement("strong");
  strong.textContent = text;
  if (note.firstChild && note.firstChild.textContent === text) return;
  note.className = level ? `note ${level}` : "";
  note.replaceChildren(...(text ? [strong, ...more] : []));
}

function lost(why, ...more) {
  lostWhy = why;
  document.body.classList.add("is-lost");
  const asOf = document.querySelector("#as-of time");
  say("bad", why, asOf ? ` What you see is as of ${asOf.textContent}.` : "", ...more);
}

function signInLink() {
  // The page itself leads to whatever signs people in here.
  return Object.assign(document.createElement("a"), { href: location.href, textContent: "Sign in" });
}

function found(text) {
  if (!lostWhy) return;
  lostWhy = "";
  document.body.classList.remove("is-lost");
  say("good", text);
  setTimeout(() => lostWhy || say("", ""), SHOWN_MS);
}

async function refresh() {
  if (isRefreshing) return;
  isRefreshing = true;
  const watched = document.body.dataset.watch, url = watched || addressOf();
  try {
    const { response, page, isSignedOut } = await fetchPage(url);
    if (!watched && url !== addressOf()) return;
    if (isSignedOut && document.body.dataset.page) end(page);
    else if (isSignedOut) lost("You are signed out.", " ", signInLink());
    else if (response.ok) show(page, watched);
    else if (response.status === 404) end(page);
    else lost(`${textOf(page, "h1") || "passback cannot show this page"}.`);
  } catch {
    lost("passback does not answer.");
  } finally {
    isRefreshing = false;
    schedule();
  }
}

const textOf = (page, selector) => page.querySelector(selector)?.textContent.trim();

// What the page was about is over.
function end(page) {
  document.body.dataset.refresh = "";
  lost(textOf(page, "h1 + p") || "This page does not exist any more.");
}

function show(page, watched) {
  const had = new Set([...document.querySelectorAll("#systems > [data-name]")].map((each) => each.dataset.name));
  follow(page, watched ? ["top", "systems"] : ["top", "systems", "main", "as-of"]);
  if (!watched) {
    document.title = page.title;
    document.body.dataset.refresh = page.body.dataset.refresh;
    // A page that stood for this one while it could not be shown says how it goes on.
    if (page.body.dataset.watch) document.body.dataset.watch = page.body.dataset.watch;
  }
  document.dispatchEvent(new Event("followed"));
  document.querySelectorAll("#systems > [data-name]").forEach((each) => had.delete(each.dataset.name));
  if (had.size) lostWhy = [...had].map((name) => `${name} does not answer.`).join(" ");
  const back = lostWhy.replaceAll("does not answer", "answers again").replace("signed out", "signed in again");
  found(back === lostWhy ? "This page follows again." : back);
}

function schedule() {
  clearTimeout(refreshTimer);
  const seconds = Number(document.body.dataset.refresh);
  if (seconds && !document.hidden) refreshTimer = setTimeout(refresh, 1000 * seconds);
}

async function search(form) {
  const url = newestSearch = `${form.action}?${new URLSearchParams(new FormData(form))}`;
  try {
    const { response, page, isSignedOut } = await fetchPage(url);
    if (url !== newestSearch || !response.ok || isSignedOut) return;
    history.replaceState(null, "", url);
    follow(page, [form.dataset.search]);
  } catch {
    // The form's button still works.
  }
}

document.querySelectorAll("form[data-search]").forEach((form) => form.addEventListener("input", () => {
  clearTimeout(searchTimer);
  searchTimer = setTimeout(search, 300, form);
}));
document.addEventListener("visibilitychange", () => document.hidden ? clearTimeout(refreshTimer) : Number(document.body.dataset.refresh) && refresh());
schedule();
