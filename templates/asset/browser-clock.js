// Compares the browser's clock with the server's. Without this script the page says that it needs it.
const place = document.getElementById("browser-clock");
const navigation = performance.getEntriesByType("navigation")[0];
// when the answer began to arrive, by the browser's clock
const here = performance.timeOrigin + (navigation ? navigation.responseStart : 0);
const difference = Math.round(here - Number(place.dataset.server));
const state = Math.abs(difference) < 10000 ? "good" : "wrong";
for (const part of place.querySelectorAll("[data-state]")) {
  part.hidden = part.dataset.state !== state;
}
for (const part of place.querySelectorAll("[data-difference]")) {
  part.textContent = (difference / 1000).toFixed(1) + " s";
}
