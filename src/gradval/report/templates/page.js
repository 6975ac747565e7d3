// Theme switch, filters and order of claims, links that lead into folded parts. No library.
(function () {
  "use strict";
  const root = document.documentElement;

  // --- Light and dark: the system's choice until someone chooses ---------------------------------
  const theme = document.getElementById("theme");
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const remembered = (value) => {
    try {
      if (value) localStorage.setItem("gradval-theme", value);
      return localStorage.getItem("gradval-theme");
    } catch (error) {
      return value || null; // a page in a frame may remember nothing
    }
  };
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const nameTheme = () => { theme.textContent = isDark() ? "Light" : "Dark";
    theme.setAttribute("aria-label", "Switch to " + (isDark() ? "light" : "dark") + " colours"); };
  if (remembered()) root.dataset.theme = remembered();
  theme.hidden = false;
  nameTheme();
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    remembered(root.dataset.theme);
    nameTheme();
  });
  system.addEventListener("change", nameTheme);

  // --- Claims ------------------------------------------------------------------------------------
  const form = document.getElementById("filters");
  if (form) {
    const box = document.getElementById("claims");
    const groups = [...box.querySelectorAll(".group")];
    const claims = [...box.querySelectorAll(".claim")];
    const home = new Map(claims.map((claim) => [claim, claim.parentElement]));
    const chips = [...form.querySelectorAll("button[data-verdict]")];
    const status = document.getElementById("shown");
    const flat = document.createElement("section");
    const words = new Map(claims.map((c) => [c, (c.textContent + " " + c.id).toLowerCase()]));
    const verdicts = chips.map((chip) => chip.dataset.verdict);
    const orders = {
      verdict: (a, b) => verdicts.indexOf(a.dataset.verdict) - verdicts.indexOf(b.dataset.verdict),
      strength: (a, b) => strength(b) - strength(a),
      against: (a, b) => strength(a, 1) - strength(b, 1),
    };
    // What has no margin comes last in either order.
    function strength(claim, sign) {
      return claim.dataset.strength === "" ? (sign ? 1e12 : -1e12) : Number(claim.dataset.strength);
    }
    function update() {
      const wanted = chips.filter((c) => c.getAttribute("aria-pressed") === "true");
      const allowed = new Set(wanted.map((chip) => chip.dataset.verdict));
      const value = (name) => (form.elements[name] ? form.elements[name].value : "");
      const [score, dataset] = [value("score"), value("dataset")];
      const text = value("text").trim().toLowerCase();
      const has = (names, name) => !name || names.split(" ").includes(name);
      for (const claim of claims) {
        claim.hidden = !(allowed.has(claim.dataset.verdict) && has(claim.dataset.score, score) &&
          has(claim.dataset.dataset, dataset) && words.get(claim).includes(text));
      }
      const order = orders[value("sort")];
      const sorted = [...claims];
      sorted.sort((a, b) => (order ? order(a, b) : 0) || a.dataset.order - b.dataset.order);
      for (const claim of sorted) (order ? flat : home.get(claim)).append(claim);
      if (order) box.prepend(flat); else flat.remove();
      for (const group of groups) group.hidden = !group.querySelector(".claim:not([hidden])");
      const count = claims.filter((claim) => !claim.hidden).length;
      status.textContent = `${count} of ${claims.length} claims`;
    }
    const press = (chip, on) => chip.setAttribute("aria-pressed", String(on));
    for (const chip of chips) {
      chip.addEventListener("click", () => {
        press(chip, chip.getAttribute("aria-pressed") !== "true");
        update();
      });
    }
    form.addEventListener("input", update);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => {
      chips.forEach((chip) => press(chip, true));
      setTimeout(update);
    });
    // Counts of the first screen lead to the claims that they count.
    for (const link of document.querySelectorAll(".legend a[data-verdict]")) {
      link.addEventListener("click", () => {
        chips.forEach((chip) => press(chip, chip.dataset.verdict === link.dataset.verdict));
        update();
      });
    }
    // A link to a claim shows it, whatever is filtered.
    window.gradvalShowClaim = (claim) => {
      if (claim.hidden) form.reset();
      claim.hidden = false;
      claim.open = true;
    };
    form.hidden = false;
    update();
  }

  function follow() {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.matches(".claim")) window.gradvalShowClaim(target);
    for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
    setTimeout(() => target.scrollIntoView());
  }
  window.addEventListener("hashchange", follow);
  follow();

  // --- Paper shows everything -----------------------------------------------------------------------
  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details.claim:not([open])")];
    folded.forEach((part) => { part.open = true; });
  });
  window.addEventListener("afterprint", () => folded.forEach((part) => { part.open = false; }));
})();
