// Keeps the proof that this browser began the login, where Canvas offers storage to tools (IMS LTI Client Side
// postMessages). On the page of the login it stores the proof and goes on to Canvas; on the page of the launch it reads
// the proof back, and sends it.
"use strict";

const ANSWER_TIMEOUT_MS = 2000;

// Returns Canvas's answer to a message; null if none comes in time. `origin` is the only one that may read and answer.
function ask(frame, origin, message) {
  const id = crypto.randomUUID ? crypto.randomUUID() : String(Math.random());
  return new Promise((resolve) => {
    const listen = (event) => {
      const isFromCanvas = event.source === frame && (origin === "*" || event.origin === origin);
      if (!isFromCanvas || !event.data || event.data.message_id !== id) return;
      window.removeEventListener("message", listen);
      resolve(event.data.error ? null : event.data);
    };
    window.addEventListener("message", listen);
    setTimeout(() => { window.removeEventListener("message", listen); resolve(null); }, ANSWER_TIMEOUT_MS);
    frame.postMessage({ ...message, message_id: id }, origin);
  });
}

// Asks the frame that Canvas names, then Canvas's page itself, which has another origin than the one that authorizes.
// Only Canvas can be that page: the policy of this page names who may show it in a frame.
async function askCanvas({ target, origin }, message) {
  const host = window.opener || window.parent;
  if (!target || host === window) return null;
  let frame = null;
  try { frame = target === "_parent" ? null : host.frames[target]; } catch { /* Canvas has no such frame. */ }
  const answer = frame ? await ask(frame, origin, message) : null;
  return answer || ask(host, "*", message);
}

function showNewTab() {
  document.getElementById("waiting").hidden = true;
  document.getElementById("new-tab").hidden = false;
}

async function storesCookies(name) {
  try {
    const response = await fetch(`/lti/browser?name=${encodeURIComponent(name)}`, { cache: "no-store" });
    return response.ok && (await response.json()).has_cookie;
  } catch { return false; }
}

async function storeProof(login) {
  const { key, cookie, proof, next } = login.dataset;
  const answer = await askCanvas(login.dataset, { subject: "lti.put_data", key, value: proof });
  if ((answer && answer.value === proof) || window.top === window || await storesCookies(cookie)) location.replace(next);
  else showNewTab();
}

async function sendProof(form) {
  const { key } = form.dataset;
  const answer = await askCanvas(form.dataset, { subject: "lti.get_data", key });
  if (!answer || !answer.value) return showNewTab();
  askCanvas(form.dataset, { subject: "lti.put_data", key, value: null });
  form.elements.proof.value = answer.value;
  form.submit();
}

const login = document.getElementById("login"), finish = document.getElementById("finish");
if (login) storeProof(login);
if (finish) sendProof(finish);
