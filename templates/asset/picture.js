// Makes a chosen picture as small as it is shown before it is sent: photographs of a telephone are larger than what is taken. Without
// this script, or where a file is no picture that the browser knows, the file is sent as it is.
for (const input of document.querySelectorAll("input[type=file][data-side]")) {
  input.addEventListener("change", async () => {
    const [file] = input.files;
    if (!file) return;
    try {
      const picture = await createImageBitmap(file);
      const scale = Math.min(1, Number(input.dataset.side) / Math.max(picture.width, picture.height));
      const canvas = document.createElement("canvas");
      canvas.width = Math.max(1, Math.round(picture.width * scale));
      canvas.height = Math.max(1, Math.round(picture.height * scale));
      canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
      const type = file.type === "image/png" && file.size < 200000 ? "image/png" : "image/jpeg";
      const blob = await new Promise((done) => canvas.toBlob(done, type, 0.9));
      const chosen = new DataTransfer();
      chosen.items.add(new File([blob], "picture", { type }));
      input.files = chosen.files;
    } catch {
      // the server says what is wrong with it
    }
  });
}
