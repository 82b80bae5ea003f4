// Asks the browser for a passkey, or for a signature of one, and sends the answer with the page's form. Without this script, and
// in a browser without passkeys, the page says what else there is.
const form = document.querySelector("form[data-passkey]");
const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const named = (keys) => keys && keys.map((key) => ({ ...key, id: bytes(key.id) }));

// What the authenticator is asked, with bytes where JSON has text (Web Authentication Level 3 section 5.1.8).
const read = (options) => ({
  ...options,
  challenge: bytes(options.challenge),
  ...(options.user && { user: { ...options.user, id: bytes(options.user.id) } }),
  ...(options.excludeCredentials && { excludeCredentials: named(options.excludeCredentials) }),
  ...(options.allowCredentials && { allowCredentials: named(options.allowCredentials) }),
});

// What it answers, the other way round.
const write = (credential) => {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = text(credential.response[name]);
  }
  if (credential.response.getTransports) response.transports = credential.response.getTransports();
  return JSON.stringify({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    response,
    clientExtensionResults: credential.getClientExtensionResults(),
  });
};

const tell = (what) => {
  for (const message of document.querySelectorAll("[data-passkey-trouble]")) {
    message.hidden = message.dataset.passkeyTrouble !== what;
  }
};
const trouble = (error) => {
  if (error.name === "AbortError") return;
  tell({ NotAllowedError: "cancelled", InvalidStateError: "known" }[error.name] || "failed");
};

const send = (values) => {
  for (const [name, value] of Object.entries(values)) {
    const input = document.createElement("input");
    Object.assign(input, { type: "hidden", name, value });
    form.append(input);
  }
  // what else stands in the form is not asked for then
  HTMLFormElement.prototype.submit.call(form);
};

const ask = async () => {
  const body = new URLSearchParams({ csrf: form.elements.csrf.value });
  const response = await fetch(form.dataset.ask, { method: "POST", body });
  if (!response.ok) throw new Error(String(response.status));
  return response.json();
};

const sign = async (how) => {
  const { question, options } = await ask();
  const credential = await navigator.credentials.get({ publicKey: read(options), ...how });
  send({ question, passkey: write(credential) });
};

// What a new one is asked for stands in the page, or is asked for.
const create = async () => {
  const { question, options } = form.dataset.ask ? await ask() : { options: JSON.parse(form.dataset.options) };
  const passkey = write(await navigator.credentials.create({ publicKey: read(options) }));
  send(question ? { question, passkey } : { passkey });
};

// Passkeys among what the browser offers for the first field. What they answer is good for five minutes: asked anew before that.
let offer = null;
const offering = async () => {
  if (!("autofill" in form.dataset) || !(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
  offer = new AbortController();
  const { signal } = offer;
  const renew = setTimeout(() => {
    offer.abort();
    offering();
  }, 240000);
  signal.addEventListener("abort", () => clearTimeout(renew));
  try {
    await sign({ mediation: "conditional", signal });
  } catch {
    // nobody has asked for it, so nobody is told; the button says what is wrong
  }
};

if (form && window.PublicKeyCredential && navigator.credentials) {
  for (const part of document.querySelectorAll("[data-passkey-here]")) part.hidden = part.dataset.passkeyHere !== "yes";
  document.querySelector("[data-passkey-button]").addEventListener("click", async () => {
    tell("");
    // one question at a time
    offer?.abort();
    try {
      await (form.dataset.passkey === "create" ? create() : sign({}));
    } catch (error) {
      trouble(error);
      offering();
    }
  });
  offering();
}
