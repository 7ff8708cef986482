"use strict";
// The page is whole without this: it adds search and filter, shows what a link points to, and unfolds all for paper.
(() => {
  const controls = document.querySelector("[data-controls]");
  const query = controls.querySelector("[data-query]");
  const outcome = controls.querySelector("[data-outcomes]");
  const level = controls.querySelector("[data-levels]");
  const shown = controls.querySelector("[data-shown]");
  const sections = [...document.querySelectorAll("[data-family]")];
  const entries = [...document.querySelectorAll("[data-outcome]")].map((element) => ({
    element,
    text: element.textContent.toLowerCase(),
    counted: element.tagName === "ARTICLE",
    ...element.dataset,
  }));
  // What is in the evidence of a violated requirement is found at the requirement, too.
  for (const entry of entries) {
    const evidence = document.getElementById(`violation-${entry.element.id}`);
    if (evidence) entry.text += evidence.textContent.toLowerCase();
  }

  const filter = () => {
    const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    let all = 0;
    for (const entry of entries) {
      const fits = (!outcome.value || entry.outcome === outcome.value)
        && (!level.value || entry.level === level.value)
        && words.every((word) => entry.text.includes(word));
      entry.element.hidden = !fits;
      count += fits && entry.counted;
      all += entry.counted;
    }
    for (const section of sections) {
      section.hidden = !section.querySelector("[data-outcome]:not([hidden])");
    }
    shown.textContent = `${count} of ${all} shown`;
  };

  const follow = () => {
    let id = "";
    try {
      id = decodeURIComponent(location.hash.slice(1));
    } catch {
      return;
    }
    const target = id && document.getElementById(id);
    if (!target) return;
    if (target.closest("[hidden]")) {
      query.value = outcome.value = level.value = "";
      filter();
    }
    target.scrollIntoView();
  };

  query.addEventListener("input", filter);
  outcome.addEventListener("change", filter);
  level.addEventListener("change", filter);
  window.addEventListener("hashchange", follow);
  window.addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
  controls.hidden = false;
  filter();
  follow();
})();
