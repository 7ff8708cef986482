"use strict";
// The page is whole without this: it adds the filter, shows what a link points to, and unfolds all for paper.
(() => {
  const controls = document.querySelector("[data-controls]");
  const query = controls.querySelector("[data-query]");
  const failures = controls.querySelector("[data-failures]");
  const shown = controls.querySelector("[data-shown]");
  const sections = [...document.querySelectorAll("[data-family]")];
  const requirements = [...document.querySelectorAll("[data-outcome]")].map((element) => ({
    element,
    text: element.textContent.toLowerCase(),
    failed: element.dataset.outcome === "fail",
  }));

  const filter = () => {
    const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const { element, text, failed } of requirements) {
      const fits = (failed || !failures.checked) && words.every((word) => text.includes(word));
      element.hidden = !fits;
      count += fits;
    }
    for (const section of sections) {
      section.hidden = !section.querySelector("[data-outcome]:not([hidden])");
    }
    shown.textContent = `${count} of ${requirements.length} shown`;
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
      query.value = "";
      failures.checked = false;
      filter();
    }
    target.scrollIntoView();
  };

  query.addEventListener("input", filter);
  failures.addEventListener("change", filter);
  window.addEventListener("hashchange", follow);
  window.addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
  controls.hidden = false;
  filter();
  follow();
})();
