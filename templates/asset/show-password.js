// Lets a person look at the password that was typed. Without this script the button stays hidden and the form works as it is.
for (const button of document.querySelectorAll("[data-reveal]")) {
  const input = document.getElementById(button.dataset.reveal);
  const mask = () => {
    input.type = "password";
    button.textContent = button.dataset.show;
    button.setAttribute("aria-pressed", "false");
  };
  button.addEventListener("click", () => {
    if (input.type === "text") {
      mask();
      return;
    }
    input.type = "text";
    button.textContent = button.dataset.hide;
    button.setAttribute("aria-pressed", "true");
  });
  // A browser may remember what stood in a text field; a password field it does not.
  input.form.addEventListener("submit", mask);
  button.hidden = false;
}
