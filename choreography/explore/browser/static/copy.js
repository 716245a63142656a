// Copies the text of the element that a button names. Pages load over plain HTTP from this machine, which browsers
// treat as secure, so the clipboard is there; where it is not, the text is selected for the user to copy.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copies]");
  if (!button) return;
  const text = document.getElementById(button.dataset.copies);
  try {
    await navigator.clipboard.writeText(text.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(text);
    button.textContent = "Selected: press Ctrl+C";
  }
});
