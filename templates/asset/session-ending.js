// Says that a session is about to end, and when that is over, goes to the page that knows whether it has.
const ending = document.getElementById("session-ending");
const at = (seconds, act) => {
  const moment = Date.now() + seconds * 1000;
  // looked at every half minute: a computer that slept is on time all the same
  const look = () => {
    const left = moment - Date.now();
    if (left <= 0) act();
    else setTimeout(look, Math.min(left, 30000));
  };
  look();
};
at(Number(ending.dataset.after), () => { ending.hidden = false; });
at(Number(ending.dataset.end), () => location.replace(ending.dataset.page));
