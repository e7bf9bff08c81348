// What a page inside Canvas's frame does beside following: every page works without this script.
//   <body data-canvas="ORIGIN">     Canvas around the frame: gets the height, and what is announced
//   data-user="ID"                  gets the name of this Canvas user, read live, kept in this page alone
//   data-load="PATH"                gets the element of the same id of that page, which takes seconds to make; asked for
//                                   with the fields of data-with; it waits for data-waits seconds at most
"use strict";

const { canvas, messageToken, fields } = document.body.dataset;
const ask = (path, more = "") => fetch(path, { method: "POST", body: new URLSearchParams(`${fields}&${more}`), cache: "no-store" });

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
    const page = new DOMParser().parseFromString(await (await ask(element.dataset.load, element.dataset.with)).text(), "text/html");
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
