// Goes on once the applications' pages have loaded, or when that takes too long. Without this script the browser goes on by
// itself a little later.
const next = document.querySelector("[data-next]").href;
const go = () => location.replace(next);
addEventListener("load", go);
setTimeout(go, 3000);
