// Keeps marked parts of a page current. Every page works without this script.
//   data-refresh="SECONDS"  replaces the element by its version on the server, at this interval, while the tab is visible
//   data-search="ID"        submits the form while somebody types, and replaces the element ID by the result
"use strict";

let refreshTimer, searchTimer, newestSearch = "";

async function fetchPage(url) {
  const response = await fetch(url);
  if (!response.ok || response.redirected) throw new Error(`not available: ${response.status}`);
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

// Returns the element of `next` that corresponds to `element` of `current`: the same markup, and of several the same one.
function counterpart(element, current, next) {
  const alike = (root) => [...root.querySelectorAll(element.localName)].filter((e) => e.outerHTML === element.outerHTML);
  return alike(next)[alike(current).indexOf(element)];
}

// Opened details, the focus and the scroll position stay as they are.
function replace(current, page) {
  const next = page.getElementById(current.id);
  if (!next || next.outerHTML === current.outerHTML) return;
  current.querySelectorAll("summary").forEach((summary) => {
    const same = counterpart(summary, current, next);
    if (same) same.parentElement.open = summary.parentElement.open;
  });
  const focused = current.contains(document.activeElement) && counterpart(document.activeElement, current, next);
  const [x, y] = [scrollX, scrollY];
  current.replaceWith(next);
  if (focused) focused.focus({ preventScroll: true });
  scrollTo(x, y);
}

async function refresh() {
  try {
    const page = await fetchPage(location.href);
    document.querySelectorAll("[data-refresh]").forEach((each) => replace(each, page));
  } catch {
    // Tried again at the next interval.
  }
  schedule();
}

function schedule() {
  clearTimeout(refreshTimer);
  const marked = document.querySelector("[data-refresh]");
  if (marked && !document.hidden) refreshTimer = setTimeout(refresh, 1000 * Number(marked.dataset.refresh));
}

async function search(form) {
  const url = newestSearch = `${form.action}?${new URLSearchParams(new FormData(form))}`;
  try {
    const page = await fetchPage(url);
    if (url !== newestSearch) return;
    replace(document.getElementById(form.dataset.search), page);
    history.replaceState(null, "", url);
  } catch {
    // The form's button still works.
  }
}

document.querySelectorAll("form[data-search]").forEach((form) => form.addEventListener("input", () => {
  clearTimeout(searchTimer);
  searchTimer = setTimeout(search, 300, form);
}));
document.addEventListener("visibilitychange", schedule);
schedule();
