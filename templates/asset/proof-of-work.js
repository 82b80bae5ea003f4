// Does a moment of work before a form is sent: a number is looked for whose SHA-256, behind the question and a colon, begins with
// enough zero bits. It runs in small pieces, so that the page stays as quick as it is.
(() => {
  "use strict";
  const K = new Uint32Array(64);
  const START = new Uint32Array(8);
  // the constants of FIPS 180-4: fractional parts of the roots of the first primes
  for (let n = 2, found = 0; found < 64; n++) {
    let prime = true;
    for (let d = 2; d * d <= n; d++) if (n % d === 0) { prime = false; break; }
    if (!prime) continue;
    const bits = (root) => Math.floor((root - Math.floor(root)) * 4294967296);
    if (found < 8) START[found] = bits(Math.sqrt(n));
    K[found++] = bits(Math.cbrt(n));
  }
  const w = new Uint32Array(64);
  const rotate = (x, n) => (x >>> n) | (x << (32 - n));
  const compress = (state, block, at) => {
    for (let i = 0; i < 16; i++, at += 4) w[i] = (block[at] << 24) | (block[at + 1] << 16) | (block[at + 2] << 8) | block[at + 3];
    for (let i = 16; i < 64; i++) {
      const s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ (w[i - 15] >>> 3);
      const s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ (w[i - 2] >>> 10);
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      const t1 = (h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
      const t2 = ((rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + t1) | 0; d = c; c = b; b = a; a = (t1 + t2) | 0;
    }
    state[0] += a; state[1] += b; state[2] += c; state[3] += d; state[4] += e; state[5] += f; state[6] += g; state[7] += h;
  };
  const form = document.querySelector("form[data-question]");
  if (!form) return;
  const question = form.dataset.question;
  const bits = Number(form.dataset.bits);
  const status = form.querySelector("[data-work-status]");
  const input = form.querySelector("input[name=work_answer]");
  const say = (word) => { status.textContent = status.dataset[word]; };
  const prefix = new TextEncoder().encode(question + ":");
  // the whole blocks of what is always the same are done once
  const whole = prefix.length - (prefix.length % 64);
  const middle = new Uint32Array(START);
  for (let at = 0; at < whole; at += 64) compress(middle, prefix, at);
  const rest = prefix.subarray(whole);
  const block = new Uint8Array(128);
  const state = new Uint32Array(8);
  const fits = (number) => {
    const digits = String(number);
    block.fill(0);
    block.set(rest);
    let at = rest.length;
    for (let i = 0; i < digits.length; i++) block[at++] = digits.charCodeAt(i);
    block[at] = 0x80;
    const end = at + 9 > 64 ? 128 : 64;
    const length = (whole + at) * 8;
    block[end - 4] = length >>> 24; block[end - 3] = length >>> 16; block[end - 2] = length >>> 8; block[end - 1] = length;
    state.set(middle);
    for (let i = 0; i < end; i += 64) compress(state, block, i);
    return bits <= 32 ? state[0] >>> (32 - bits) === 0 : state[0] === 0;
  };
  let number = 0;
  let waits = false;
  const work = () => {
    const until = performance.now() + 12;
    do {
      for (let i = 0; i < 64; i++, number++) {
        if (!fits(number)) continue;
        input.value = String(number);
        say("done");
        if (waits) form.requestSubmit();
        return;
      }
    } while (performance.now() < until);
    setTimeout(work, 0);
  };
  form.addEventListener("submit", (event) => {
    if (input.value) return;
    event.preventDefault();
    waits = true;
    say("waiting");
  });
  say("working");
  work();
})();
