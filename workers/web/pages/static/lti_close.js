// Tells Canvas that the registration is done: it closes this frame, and shows what is being installed.
"use strict";

document.getElementById("close").addEventListener("click", () => {
  (window.opener || window.parent).postMessage({ subject: "org.imsglobal.lti.close" }, "*");
});
