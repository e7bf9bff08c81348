// What a page inside Canvas's frame does beside following: every page works without this script.
//   <body data-canvas="ORIGIN">     Canvas around the frame: gets the height, and what is announced
//   data-user="ID"                  gets the name of this Canvas user, read live, kept in this page alone
//   data-load="PATH"                gets the element of the same id of that page, which takes seconds to make; asked for
//                                   with the fields of data-with; it waits for data-waits seconds at most
"use strict";

const { canvas, messageToken } = document.body.dataset;
const send = (path, body) => fetch(path, { method: "POST", body: new URLSearchParams(body), cache: "no-store" });
const ask = (path, more = "") => send(path, `${document.body.dataset.fields}&${more}`);
const parse = async (response) => new DOMParser().parseFromString(await response.text(), "text/html");

function tellCanvas(message) {
  if (canvas && window.parent !== window) window.parent.postMessage({ ...message, token: messageToken }, canvas);
}

new ResizeObserver(() => tellCanvas({ subject: "lti.frameResize", height: document.body.scrollHeight })).observe(document.body);
tellCanvas({ subject: "lti.scrollToTop" });

// A screen reader outside the frame does not always follow what is announced inside.
const news = document.getElementById("news");
if (news) new MutationObserver(() => news.textContent && tellCanvas({ subject: "lti.screenReaderAlert", body: news.textContent })).observe(news, { childList: true });

let names = {}, isReading = false;
// Whose names were asked for: whom Canvas does not name has none a few seconds later either.
const askedFor = new Set();

function showNames() {
  for (const each of document.querySelectorAll("[data-user]")) {
    const name = names[each.dataset.user];
    if (name) each.textContent = `${name} · `;
  }
  if (Object.keys(names).length) document.getElementById("names")?.remove();
}

async function readNames() {
  const nameless = [...document.querySelectorAll("[data-user]:empty")].map((each) => each.dataset.user);
  if (isReading || nameless.every((user) => askedFor.has(user))) return;
  nameless.forEach((user) => askedFor.add(user));
  isReading = true;
  try {
    const response = await ask("/lti/course/names");
    if (response.ok) ({ names } = await response.json());
    showNames();
  } catch {
    // The ids are there, and the button that asks for the names.
  }
  isReading = false;
}

async function load(element) {
  element.dataset.own = "";
  element.setAttribute("aria-busy", "true");
  element.textContent = `Reading both gradebooks. This page waits ${element.dataset.waits} seconds at most …`;
  try {
    const page = await parse(await ask(element.dataset.load, element.dataset.with));
    const found = page.getElementById(element.id);
    if (found) element.replaceChildren(...found.childNodes);
    else element.textContent = page.querySelector("h1")?.textContent ?? "This could not be read now.";
  } catch {
    element.textContent = "This could not be read now.";
  }
  element.removeAttribute("aria-busy");
}

const loadAll = () => document.querySelectorAll("[data-load]").forEach(load);
const state = () => document.getElementById("now")?.dataset.announce;
let before = state();

document.addEventListener("followed", () => {
  readNames();
  showNames();
  // What was to be sent is there now.
  if (before !== state() && state() === "idle") loadAll();
  before = state();
});
readNames();
loadAll();

// A browser does not go back to the answer of a form: it shows an error in place of the page. So pages are exchanged in
// place, and each is asked for again when somebody goes back to it. The token stays in this document.

const visits = [{ path: document.body.dataset.page, body: document.body.dataset.fields }];
let newest = 0;

function enter(page) {
  for (const id of ["top", "systems", "main", "as-of"]) document.getElementById(id)?.replaceChildren(...page.getElementById(id)?.childNodes ?? []);
  for (const name of ["refresh", "page", "fields"]) document.body.dataset[name] = page.body.dataset[name] ?? "";
  document.title = page.title;
  document.getElementById("news").textContent = page.title;
  document.getElementById("main").focus({ preventScroll: true });
  window.scrollTo(0, 0);
  tellCanvas({ subject: "lti.scrollToTop" });
  before = state();
  readNames();
  showNames();
  loadAll();
  if (page.body.dataset.page) found("passback answers again.");
  schedule();
}

async function openPage({ path, body }) {
  const number = ++newest, main = document.getElementById("main");
  main.setAttribute("aria-busy", "true");
  try {
    const page = await parse(await send(path, body));
    if (number !== newest) return null;
    // Without Redis, or with too many requests, the answer is no page: what is shown stays.
    if (!page.getElementById("main")) throw new Error("no page");
    enter(page);
    return page;
  } catch {
    if (number === newest) lost("passback does not answer.");
    return null;
  } finally {
    if (number === newest) main.removeAttribute("aria-busy");
  }
}

document.addEventListener("submit", async (event) => {
  const form = event.target, asked = { path: new URL(form.action).pathname, body: new URLSearchParams(new FormData(form)).toString() };
  event.preventDefault();
  const page = await openPage(asked);
  if (!page) return;
  // Whoever goes back asks for the page that a sync has shown, and not for another sync.
  const { page: path, fields: body } = page.body.dataset;
  visits.push(asked.path === "/lti/course/sync" && path ? { path, body } : asked);
  history.pushState({ visit: visits.length - 1 }, "");
});
window.addEventListener("popstate", ({ state }) => openPage(visits[state?.visit ?? 0]));
