// Why a passkey was not made or not taken: allauth's script tells the console alone.
"use strict";

document.addEventListener("allauth.error", (event) => {
  if (!event.detail.tags.includes("webauthn")) return;
  event.preventDefault();
  const problem = document.getElementById("passkey-problem");
  const known = { NotAllowedError: "refused", InvalidStateError: "known" };
  let why = known[event.detail.exception.name] || "other";
  if (/^[\d.]+$|^\[/.test(location.hostname)) why = "address";
  else if (!window.PublicKeyCredential) why = "unsupported";
  problem.textContent = problem.dataset[why];
  problem.hidden = false;
  problem.scrollIntoView({ block: "nearest" });
});
