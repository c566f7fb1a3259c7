// Empties a form that says so once its submission has succeeded: for fields that are permanent and so outlive the answer.
addEventListener("turbo:submit-end", ({ target, detail }) => {
  if (detail.success && target.matches("[data-reset-on-success]")) target.reset();
});
