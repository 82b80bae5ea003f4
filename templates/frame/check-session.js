// Tells pages of applications whether anything has changed (OpenID Connect Session Management 1.0 section 3.2).
const cookie = document.currentScript.dataset.cookie;

function state() {
  for (const part of document.cookie.split("; ")) {
    const [name, value] = part.split("=");
    if (name === cookie) return value;
  }
  return null;
}

async function answer(asked, origin) {
  if (typeof asked !== "string") return "error";
  const at = asked.lastIndexOf(" ");
  const client = asked.slice(0, at);
  const told = asked.slice(at + 1);
  const salt = told.split(".")[1];
  if (at < 1 || !salt) return "error";
  const now = state();
  // a browser that gives frames no cookies knows nothing: to ask again would never end
  if (now === null) return navigator.cookieEnabled ? "changed" : "error";
  const text = new TextEncoder().encode(`${client} ${origin} ${now} ${salt}`);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", text));
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex}.${salt}` === told ? "unchanged" : "changed";
}

addEventListener("message", async (event) => {
  if (event.source === null || event.origin === "null") return;
  event.source.postMessage(await answer(event.data, event.origin), event.origin);
});
